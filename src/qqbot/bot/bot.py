"""`Bot`: what a program that runs a bot calls.

Responsible for the names that users see: the options, the decorators (with `router`), and the ways to run a bot.
Collaborators: `runtime` (serves it), `handler_table` (its handlers), `audits`. It wires nothing and has no state of a
run; constructing a `Bot` reads no configuration and touches no loop.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar, Unpack

from msgspec import MsgspecError
from msgspec.structs import replace

from ..aio.clock import Clock
from ..aio.loops import check_loop
from ..api.caller import ResponseHook
from ..api.client import Api, ApiOptions
from ..config import Credentials, Endpoints, GatewayConfig, ShardSelection, check_options
from ..dispatcher.delivery import Settled
from ..dispatcher.dispatcher import MAX_QUEUED, MAX_QUEUED_BYTES, HandlerListener
from ..errors import ConfigError, DecodeError, MessagePendingAudit
from ..ingest.forwarder import EnvelopeHook, EventSink, PublishListener
from ..ingest.source import EventSource
from ..ingest.worker import ATTEMPTS, EventWorker
from ..lease import Ownership
from ..models.events import MessageAuditPass, MessageAuditReject, MessageEvent
from ..models.frames import Frame, decode_frame
from ..models.gateway import ReadyUser
from ..models.ingest import Envelope
from ..models.intents import Intents
from ..models.messages import MessageSendResult
from ..models.outcome import Outcome
from ..models.outgoing.messages import Message
from ..models.stats import BotStats
from ..models.targets import Target
from ..sessions.base import SessionManager
from .access import Order
from .arguments import signature_of
from .audits import AuditOutcome, Audits
from .commands import Command, check_names
from .context import Context
from .handler_table import check_order
from .middleware import AroundHandler
from .program import (
    configure_logging,
    exit_code,
    exit_in_time,
    loading,
    run_loop,
    second_copy,
    stop_on_signal,
)
from .router import HandlerDecorators
from .runtime import BotRuntime, BotSettings, ShardFunction

if TYPE_CHECKING:  # most bots serve no HTTP: what does so is imported by the methods that need it
    from aiohttp import web
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
    from prometheus_client import CollectorRegistry

    from ..observe.prometheus import Metrics
    from ..webhook.app import WebhookApp
    from ..webhook.asgi import AsgiApplication
    from ..webhook.handler import WebhookHandler, WebhookOptions
    from ..webhook.protocol import Answer

T = TypeVar("T")
Lifespan = Callable[["Bot"], AbstractAsyncContextManager[object]]
L = TypeVar("L", bound=ShardFunction)


class Bot(HandlerDecorators):
    """A bot: its handlers, and the connection to the platform while it is served.

    `credentials`, `endpoints`, `shards` and `sessions` are read from the environment (QQBOT_APP_ID, QQBOT_SECRET,
    QQBOT_API_BASE, QQBOT_SHARDS, QQBOT_REDIS_URL, QQBOT_ETCD_URL) if they are not given, when the bot is served.
    `shards`: 20 (exactly), "20+" (at least), "0-3/16" (only these); None as the platform recommends. `intents`
    overrides what the handlers need. `lifespan` is a function of the bot that returns an async context manager,
    entered before the first event. `max_inflight`: handlers that run at most, without those suspended in `wait_for`.
    `max_queued` and `max_queued_bytes`: events that wait for their turn at most, and the bytes of their frames; with
    more, nothing is read. `drain`: seconds that handlers have to finish at the end. `handler_timeout`: seconds for
    each handler, without its time in `wait_for`; None: no limit. `hold_sends`: messages wait, within the timeout of
    their calls, while a shard is between connections: the platform has lost some that were sent then. `sink` takes
    the events in
    place of the handlers, to be handled elsewhere. `audits` asks for the verdicts of reviews, for `audit_result`.
    `auto_ack` acknowledges a click that its handlers have not acknowledged at their end. `order` is that of handlers
    which have none of their own, see `on`. The options of `Api` (proxy, ssl_context, session, on_request, ...) are
    options here, too.

    Raises: ConfigError for an unknown option, and for a value that cannot be right.
    """

    def __init__(
        self,
        credentials: Credentials | None = None,
        *,
        endpoints: Endpoints | None = None,
        shards: int | str | None = None,
        intents: Intents | None = None,
        sessions: SessionManager | None = None,
        gateway: GatewayConfig | None = None,
        lifespan: Lifespan | None = None,
        max_inflight: int = 256,
        max_queued: int = MAX_QUEUED,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
        drain: float = 10.0,
        handler_timeout: float | None = None,
        hold_sends: bool = False,
        sink: EventSink | None = None,
        audits: bool = False,
        auto_ack: bool = False,
        order: Order = "conversation",
        **options: Unpack[ApiOptions],
    ) -> None:
        super().__init__()
        check_options("Bot(...)", options, [*ApiOptions.__annotations__, *(Bot.__init__.__kwdefaults__ or ())])
        if max_inflight < 1:
            raise ConfigError("Bot(max_inflight=...) must be at least 1. max_inflight 至少为 1")
        if max_queued < 1 or max_queued_bytes < 1:
            raise ConfigError(
                "Bot(max_queued=...) and Bot(max_queued_bytes=...) must be at least 1. "
                "max_queued 和 max_queued_bytes 至少为 1"
            )
        if handler_timeout is not None and not handler_timeout > 0:
            raise ConfigError(
                "Bot(handler_timeout=...) must be greater than 0 seconds, or None for no limit. "
                "handler_timeout 应大于 0 秒，或为 None"
            )
        self._response_hooks = options["on_response"] = [*options.get("on_response", ())]
        self._metrics: Metrics | None = None
        self._telemetry = False
        self._audits = Audits() if audits else None
        if audits:
            self.on(MessageAuditPass, MessageAuditReject)(self._keep_verdict)
            if intents is not None:
                intents |= Intents.MESSAGE_AUDIT
        settings = BotSettings(
            credentials=credentials,
            endpoints=endpoints,
            shards=None if shards is None else ShardSelection.parse(shards),
            intents=intents,
            sessions=sessions,
            gateway=gateway or GatewayConfig(),
            lifespan=nullcontext if lifespan is None else lambda: lifespan(self),
            max_inflight=max_inflight,
            max_queued=max_queued,
            max_queued_bytes=max_queued_bytes,
            drain=drain,
            handler_timeout=handler_timeout,
            hold_sends=hold_sends,
            sink=sink,
            api=options,
        )
        self._handlers.clicks.auto_ack = auto_ack
        self._handlers.order = check_order(order, "Bot(...)")
        self._runtime = BotRuntime(self, self._handlers, settings)
        self._entered: AsyncExitStack | None = None  # what `async with bot:` leaves

    # While it is served

    @property
    def api(self) -> Api:
        """The API client.  Raises: ConfigError while the bot is not served."""
        return self._runtime.current.api

    @property
    def me(self) -> ReadyUser:
        """The bot's own user.  Raises: ConfigError before the first shard is READY."""
        supervisor = self._runtime.current.supervisor
        me = None if supervisor is None else supervisor.me
        if me is None:
            raise ConfigError("bot.me is known once a shard is READY: `await bot.ready()` first")
        return me

    @property
    def user_id(self) -> str:
        """The bot's own user id, '' as long as it is not known."""
        run = self._runtime.run
        supervisor = None if run is None else run.supervisor
        return "" if supervisor is None or supervisor.me is None else supervisor.me.id

    async def send(self, target: Target, message: Message, *, timeout: float | None = None) -> MessageSendResult:
        """Send an active message to a conversation. `timeout`: seconds, with repeats; None: that of the bot.

        Raises: QuotaExceeded, PermissionMissing, ContentRejected, Timeout.
        """
        return await self.api.send(target, message, timeout=timeout)

    async def audit_result(self, error: MessagePendingAudit, *, timeout: float = 60.0) -> AuditOutcome:
        """Return how the review of a message ended: `MessageAuditPass` or `MessageAuditReject`.

        `error` is the exception that the send raised; `timeout` in seconds. The last 256 verdicts are kept: one may
        come before the answer to the send.

        Raises: ConfigError at once without `Bot(audits=True)` or from another event loop, Timeout.
        Source: server-inter/channel/message/event
        """
        if self._audits is None:
            raise ConfigError("verdicts come only to Bot(audits=True), which asks for their intent")
        if (run := self._runtime.run) is not None:
            check_loop(run.loop, "the bot")
        return await self._audits.result(error, timeout)

    async def _keep_verdict(self, ctx: Context[AuditOutcome]) -> None:
        if self._audits is not None:
            self._audits.take(ctx.event)

    def spawn(
        self, coroutine: Coroutine[object, object, T], *, name: str | None = None, drain: bool = False
    ) -> asyncio.Task[T]:
        """Run a task that belongs to the bot: it is cancelled when the bot has drained; its error is logged.

        `drain`: at the end it is waited for like a handler, for the seconds of `Bot(drain=...)`.

        It may outlive the event: its calls are sent even if another process runs the shard by then.

        Raises: ConfigError while the bot is not served, or has drained, or from another event loop.
        """
        try:
            run = self._runtime.here
        except ConfigError:
            coroutine.close()
            raise
        return run.spawn(coroutine, name, drain=drain)

    def on_shard_event(self, function: L) -> L:
        """Register a function, plain or async, that is called with what happens to the shards (`ShardEvent`)."""
        self._runtime.shard_functions.append(function)
        return function

    def on_settled(self, callback: Settled) -> Callable[[], None]:
        """Call `callback(event_id, outcome)` at the end of each event; return a function that ends that."""
        settled = self._runtime.settled
        settled.append(callback)
        return lambda: settled.remove(callback)

    def on_handled(self, callback: HandlerListener) -> HandlerListener:
        """Call `callback` with a `HandlerRun` after each run of a handler, for metrics; register before serving."""
        self._runtime.listeners.append(callback)
        return callback

    def on_response(self, hook: ResponseHook) -> ResponseHook:
        """Call `hook` with a `ResponseInfo` after each exchange with the platform, as `Bot(on_response=...)` does."""
        self._response_hooks.append(hook)
        return hook

    def around_handler(self, function: AroundHandler) -> AroundHandler:
        """Call the decorated `async def (ctx, name, call_next)` around each run of a handler, inside the middleware.

        `name` is the module and name of the handler; `await call_next()` runs it and raises what it raised, which has
        been reported then.

        Raises: ConfigError when the function is not async.
        """
        self._handlers.add_around_handler(function)
        return function

    def on_published(self, callback: PublishListener) -> PublishListener:
        """Call `callback` with a `Published` after each call of the sink, for metrics; register before serving."""
        self._runtime.publish_listeners.append(callback)
        return callback

    def on_envelope(self, hook: EnvelopeHook) -> EnvelopeHook:
        """Call `hook(name, event_id, headers)` for each event that goes to the sink, to add headers to its envelope."""
        self._runtime.envelope_hooks.append(hook)
        return hook

    async def handle(
        self, envelope: Envelope, *, lease: Ownership | None = None, again: bool = False, retry: bool = False
    ) -> Outcome:
        """Handle an event that another process received, with the same order, bounds and handlers; return how it ended.

        A duplicate of an event that is not finished waits for the end of the first; one of a finished event is not
        handled again, but with `retry` if it failed. `again`: a process may have begun it before, as `ctx.again` shows.
        `lease`: the right to handle it; when it is lost, what has not begun does not begin, and calls of handlers are
        refused. Being cancelled does not end its handlers.

        Raises: Interrupted when the bot stops first, or the lease is lost: deliver it again; DecodeError for what is no
        event; ConfigError while the bot is not served, or from another event loop.
        """
        frame, age = _opened(envelope)
        run = self._runtime.current
        return await run.handle(
            frame,
            envelope.raw,
            age=age,
            lease=lease,
            again=again or envelope.again,
            retry=retry,
            headers=envelope.headers,
        )

    async def work(
        self,
        source: EventSource,
        *,
        concurrency: int = 256,
        max_age: float | None = None,
        attempts: int = ATTEMPTS,
        dead_letters: EventSink | None = None,
    ) -> None:
        """Handle the events of `source` until the bot is asked to stop; serve it, without a connection, if it is not.

        `concurrency`: events that are begun at a time, without those in `wait_for`. `max_age`: seconds after which an
        event is dropped; None: never. An event that fails is run again, up to `attempts` times in all, after those of
        its conversation that have begun meanwhile; then `dead_letters` gets it, or else it is logged and dropped.

        Raises: ConfigError for options that cannot be right, or for what the source cannot use.
        """
        if concurrency < 1 or attempts < 1 or (max_age is not None and not max_age > 0):
            raise ConfigError(
                "bot.work(): concurrency and attempts must be at least 1, max_age greater than 0 seconds. "
                "concurrency 和 attempts 至少为 1，max_age 应大于 0 秒"
            )
        if not self._runtime.serving:
            async with self.serve(connect=False):
                await self.work(
                    source, concurrency=concurrency, max_age=max_age, attempts=attempts, dead_letters=dead_letters
                )
            return
        run = self._runtime.here
        credentials = self._runtime.served_with or self._runtime.own_credentials()

        async def accept(envelope: Envelope, lease: Ownership, again: bool) -> "asyncio.Future[Outcome | None]":
            frame, age = _opened(envelope)
            return await run.accept(
                frame,
                envelope.raw,
                age=age,
                lease=lease,
                again=again or envelope.again,
                retry=True,
                headers=envelope.headers,
            )

        worker = EventWorker(
            accept,
            run.end_lease,
            credentials.app_id,
            concurrency=concurrency,
            max_age=max_age,
            attempts=attempts,
            dead_letters=dead_letters,
            drain=self._runtime.settings.drain,
        )
        await run.work(source, worker)

    def stats(self) -> BotStats:
        """Return figures of its shards and of the events in flight.  Raises: ConfigError while it is not served."""
        return self._runtime.current.stats()

    # Commands

    def help(self, *names: str) -> None:
        """Add a command, by default /help and /帮助, that lists the commands which the user may use.

        With the name of a command it shows that one. It asks for no intents: it answers wherever others are.

        Raises: ConfigError for a name that is no word or is taken.
        """
        from .help import answer_help  # noqa: PLC0415 - most bots have no commands

        async def show_help(ctx: Context[MessageEvent], command: str = "") -> None:
            await answer_help(ctx, self._handlers, command)

        signature = signature_of(show_help, "/help")
        command = Command(check_names(names or ("help", "帮助")), "", signature)
        self._handlers.register(show_help, (MessageEvent,), None, None, command=command)

    async def sync_panels(self) -> None:
        """Publish the commands as the platform's command panels and menu; what is there already is not changed.

        Panels that this did not make stay, and so do items of the menu that are no commands. Call it when the bot is
        ready, at each start.

        Raises: PermissionMissing, ContentRejected, Timeout; ConfigError while the bot is not served.
        """
        from .help import sync_panels  # noqa: PLC0415 - the same

        await sync_panels(self.api, self._handlers)

    # Webhook

    def webhook(self, **options: "Unpack[WebhookOptions]") -> "web.Application":
        """Return the bot's webhook for aiohttp: `app.add_subapp("/qq", bot.webhook())`.

        The application serves the bot, without a gateway connection, if it is not served already.

        Raises: ConfigError for options that cannot be right.
        """
        return self._application(options).webhook()

    def asgi(self, **options: "Unpack[WebhookOptions]") -> "AsgiApplication":
        """Return the bot's webhook for ASGI: `app.mount("/qq", bot.asgi())`, or to be run alone by a server.

        Mounted, it leaves serving the bot to the application's lifespan: `async with bot.serve(connect=False)`.

        Raises: ConfigError for options that cannot be right.
        """
        return self._application(options).asgi()

    def _application(self, options: "WebhookOptions") -> "WebhookApp":
        from ..webhook.app import SOLE, WebhookApp  # noqa: PLC0415 - most bots serve no HTTP

        return WebhookApp({SOLE: self}, **options)

    async def handle_webhook(
        self, headers: Mapping[str, str], body: bytes, **options: "Unpack[WebhookOptions]"
    ) -> "Answer":
        """Answer one webhook call; return status, headers and body. For functions without a server.

        `body` as it came, byte for byte. A bot that is not served is served while the call lasts, which is then
        answered after its handlers.

        Raises: ConfigError without credentials, if the extra `webhook` is missing, or from another event loop.
        """
        return await self.__webhook__().answer(headers, body, **options)

    def __webhook__(self) -> "WebhookHandler":
        """Return what answers its calls: `webhook.app` asks for it, so that a call does not come back here."""
        return self._runtime.webhook_handler()

    def __simulated__(self) -> BotRuntime:
        """Return what reports to a simulator and follows its clock."""
        return self._runtime

    def health(self) -> "web.Application":
        """Return an aiohttp application with /livez and /readyz: `app.add_subapp("/health", bot.health())`.

        /livez fails when the bot has ended by itself; /readyz also when it is not served, is stopping, a shard is not
        READY, reading stands still, or a background task of the bot fails.
        """
        from . import health  # noqa: PLC0415 - aiohttp's server side: half as long to import as all of its client

        return health.application(self._runtime.ended, self._runtime.not_ready)

    def metrics(self, registry: "CollectorRegistry | None" = None) -> "web.Application":
        """Return an aiohttp application with /metrics for Prometheus: `app.add_subapp("/bot", bot.metrics())`.

        The bot is measured from the first call on: call it before the bot is served, or in its lifespan. `registry`:
        what the metrics are added to, for a page of your own; None: a registry that has them alone.

        Raises: ConfigError if the extra `prometheus` is missing, or another bot uses the registry.
        """
        from ..observe import prometheus  # noqa: PLC0415 - an extra

        if self._metrics is None or registry not in (None, self._metrics.registry):
            self._metrics = prometheus.Metrics(registry)
            self._metrics.attach(self)
        return prometheus.application(self._metrics.registry)

    def telemetry(
        self, *, tracer_provider: "TracerProvider | None" = None, meter_provider: "MeterProvider | None" = None
    ) -> None:
        """Report spans and metrics to OpenTelemetry; None: to the providers that the program has set.

        Call it once, before the bot is served and before middleware is registered that is to run inside the spans.

        Raises: ConfigError if the extra `otel` is missing, or at a second call.
        """
        from ..observe import otel  # noqa: PLC0415 - an extra

        if self._telemetry:
            raise ConfigError("bot.telemetry() was called before: each span would be made twice. 请只调用一次")
        otel.attach(self, tracer_provider, meter_provider)
        self._telemetry = True

    # Serving it

    @asynccontextmanager
    async def serve(
        self,
        *,
        credentials: Credentials | None = None,
        endpoints: Endpoints | None = None,
        sessions: SessionManager | None = None,
        gateway: GatewayConfig | None = None,
        clock: Clock | None = None,
        connect: bool = True,
    ) -> AsyncGenerator[Self]:
        """Serve events while the body runs; leaving drains, saves and closes.

        Entering does not wait for the platform: `await bot.ready()` does. Arguments win over those of `Bot`.
        `sessions` and `gateway` are those of this run. `clock` (seconds, only forward) serves the life of access
        tokens. `connect` False opens no gateway connection: events come by `handle` and by webhook only.

        Raises: ConfigError at once for a wrong configuration; on leaving what `wait` raises.
        """
        async with self._runtime.serve(
            credentials=credentials,
            endpoints=endpoints,
            sessions=sessions,
            gateway=gateway,
            clock=clock,
            connect=connect,
        ):
            yield self

    async def ready(self) -> None:
        """Return when every shard of this process is READY or RESUMED.

        Raises: what `wait` raises, when that comes first; ConfigError when the bot is stopped before.
        """
        await self._runtime.here.ready()

    async def reconnect(self, shard: int | None = None) -> None:
        """Hang up and RESUME: every shard of this process, or the one of index `shard`. Returns when it is live again.

        Raises: ConfigError for a shard that does not run here, or while no gateway is served; GatewayError when the
        shard ends instead.
        """
        supervisor = self._runtime.here.supervisor
        if supervisor is None:
            raise ConfigError("the bot is served without a gateway connection: there is nothing to reconnect")
        await supervisor.reconnect(shard)

    async def wait(self) -> None:
        """Return when the bot was asked to stop.

        Raises: GatewayHalted when the platform forbids to go on, AuthError or IPNotAllowed when it refuses the
        credentials.
        """
        await self._runtime.here.wait()

    async def start(self, *, connect: bool = True) -> None:
        """Start serving in the running loop, in a task of its own; `stop` ends it. `connect` as in `serve`.

        Raises: ConfigError for a wrong configuration, or when `stop` comes before it has started.
        """
        await self._runtime.start(connect=connect)

    async def stop(self) -> None:
        """Drain and stop what `start` began, or is beginning; does nothing when the bot is not running.

        It only asks when a handler, a spawned task or the lifespan calls it, or if `async with` or `run` owns the bot:
        then `wait` returns, and the owner stops it.

        Raises: what `wait` raises.
        """
        await self._runtime.stop()

    async def __aenter__(self) -> Self:
        stack = AsyncExitStack()
        await stack.enter_async_context(self.serve())
        self._entered = stack
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if (run := self._runtime.run) is not None:
            check_loop(run.loop, "the bot")
        stack, self._entered = self._entered, None
        if stack is not None:
            await stack.__aexit__(kind, error, trace)

    def run(self, *, webhook: str | None = None, **options: "Unpack[WebhookOptions]") -> NoReturn:
        """Serve until SIGINT or SIGTERM, then drain; a second signal exits at once. Always raises SystemExit.

        `webhook` is the address to listen at for webhook calls instead of connecting to the gateway, "0.0.0.0:8080",
        with the options of `Bot.webhook`.

        The exit code: 0 stopped, 3 configuration, 4 credentials refused, 5 the platform says stop. Logging is
        set up (INFO, or as QQBOT_LOG says) if the program has not done so.

        Raises: SystemExit; ConfigError when a command is only importing this file, or a loop runs already.
        """
        if (path := loading.get()) is not None:
            raise ConfigError(
                f'{path} calls bot.run() while it is being loaded: put it under `if __name__ == "__main__":`. '
                "请把 bot.run() 放到 if __name__ == '__main__': 之下"
            )
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            raise ConfigError("bot.run() starts an event loop, and one is running here: use `async with bot:` instead")
        configure_logging()

        def serve() -> None:
            self._refuse_a_copy()
            run_loop(self._serve_until_signal(webhook, options))

        code = exit_code(serve)
        exit_in_time(code)
        raise SystemExit(code)

    def _refuse_a_copy(self) -> None:
        """Check that the program's file was not imported as a module as well.  Raises: ConfigError.

        Handlers in a module that imports `bot` would be those of the copy, and this bot would have none.
        """
        program = sys.modules["__main__"]
        if any(value is self for value in vars(program).values()) and (copy := second_copy(program)) is not None:
            raise ConfigError(
                f"{program.__file__} runs as the program, and was imported again as {copy}: its handlers may belong "
                f"to the bot of that copy, which does not run. Run `qqbot run {program.__file__}`, or create the bot "
                "in a module of its own. 该文件既作为程序运行又被导入，请用 qqbot run 运行，或把 Bot 放到单独的模块中"
            )

    async def _serve_until_signal(self, webhook: str | None, options: "WebhookOptions") -> None:
        with stop_on_signal(self._runtime.ask_to_stop) as stopped:
            async with self.serve(connect=webhook is None), self._listening(webhook, options):
                if not stopped():
                    await self.wait()

    def _listening(self, address: str | None, options: "WebhookOptions") -> AbstractAsyncContextManager[object]:
        if address is None:
            return nullcontext()
        from ..webhook.aiohttp import listening  # noqa: PLC0415 - most bots serve no HTTP

        return listening(self.webhook(**options), address, self._runtime.settings.drain)


def _opened(envelope: Envelope) -> tuple[Frame, float]:
    """Return the frame in an envelope, and how many seconds ago it arrived.  Raises: DecodeError if there is none."""
    try:
        frame = decode_frame(envelope.raw)
    except (MsgspecError, ValueError, RecursionError) as error:
        raise DecodeError(f"the envelope {envelope.id} holds no frame: {error}") from None
    if not frame.id:  # deduplicate by the id of the envelope
        frame = replace(frame, id=envelope.id)
    return frame, max(0.0, time.time() - envelope.ts / 1000)
