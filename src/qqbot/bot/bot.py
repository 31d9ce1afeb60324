"""`Bot`: wires client, sessions, gateway, dispatcher and handlers together, and starts and stops them.

Owns the ways to run a bot. `serve` is the primitive; `run`, `async with`, `start` and `stop` are thin over it.
Constructing a `Bot` reads no configuration and touches no loop.
"""

import asyncio
import contextlib
import inspect
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Protocol, Self, TypeVar, Unpack, cast, runtime_checkable

from msgspec import MsgspecError

from ..aio.clock import Clock
from ..aio.serving_task import ServingTask
from ..api.client import Api, ApiOptions
from ..api.token import TokenStore
from ..config import Credentials, Endpoints, GatewayConfig, RedisConfig, ShardSelection, unknown_variables
from ..dispatcher import Dispatcher, KnownEvents, ShardSource
from ..dispatcher.dedupe import SeenIds
from ..dispatcher.delivery import Settled
from ..dispatcher.dispatcher import MAX_QUEUED, MAX_QUEUED_BYTES, HandlerListener
from ..errors import ConfigError, DecodeError, GatewayHalted, MessagePendingAudit
from ..gateway.shard import ShardEvent
from ..ingest import Forwarder
from ..ingest.forwarder import EventSink
from ..models.events import Event, MessageAuditPass, MessageAuditReject
from ..models.frames import Frame, decode_frame
from ..models.gateway import ReadyUser
from ..models.ingest import Envelope
from ..models.intents import PRIVATE_ONLY, Intents
from ..models.messages import MessageSendResult
from ..models.outcome import Outcome
from ..models.outgoing.messages import Message
from ..models.stats import BotStats
from ..models.targets import Target
from ..sessions.base import SessionManager
from ..sessions.cluster.manager import RedisSessionManager
from ..sessions.local import LocalSessionManager
from .audits import AuditOutcome, Audits
from .context import Context, Delivered
from .program import EXIT_INTERRUPTED, configure_logging, exit_code, loading, on_signal
from .router import Router
from .runtime import STANDSTILL_SECONDS, BotRuntime
from .shards import ShardSupervisor

if TYPE_CHECKING:  # most bots serve no HTTP: what does so is imported by the methods that need it
    from aiohttp import web

    from ..webhook.app import WebhookApp
    from ..webhook.asgi import AsgiApplication
    from ..webhook.handler import WebhookHandler, WebhookOptions
    from ..webhook.protocol import Answer


class SharedStores(Protocol):
    """What the processes of one bot share besides its shards; None where they do not."""

    @property
    def tokens(self) -> TokenStore | None:
        """Where they share the access token."""
        ...

    @property
    def seen(self) -> SeenIds | None:
        """Where they share the ids of finished events."""
        ...


@runtime_checkable
class Sharing(Protocol):
    """A session manager that knows where the processes of a bot meet."""

    def sharing(self, credentials: Credentials) -> AbstractAsyncContextManager[SharedStores]:
        """Open what is shared, for as long as the bot is served."""
        ...


log = logging.getLogger(__name__)

T = TypeVar("T")
Lifespan = Callable[["Bot"], AbstractAsyncContextManager[object]]
ShardFunction = Callable[[ShardEvent], object]
L = TypeVar("L", bound=ShardFunction)


class Bot(Router):
    """A bot: its handlers, and the connection to the platform while it is served.

    `credentials`, `endpoints`, `shards` and `sessions` are read from the environment (QQBOT_APP_ID, QQBOT_SECRET,
    QQBOT_API_BASE, QQBOT_SHARDS, QQBOT_REDIS_URL) where they are not given, at the time it is served. `shards`: 20
    (exactly), "20+" (at least), "0-3/16" (only these); None as the platform recommends. `intents` overrides what the
    handlers need. `lifespan` is a function of the bot that returns an async context manager, entered before the
    first event. `max_inflight`: handlers that run at most, without those suspended in `wait_for`; `max_queued` and
    `max_queued_bytes`: events that wait for their turn at most, and the bytes of their frames; with more, nothing is
    read. `drain`: seconds that handlers have to finish at the end. `handler_timeout`: seconds for each handler, without
    what it spends in `wait_for`; None: no limit. `hold_sends`: while a shard is between connections messages wait,
    within the timeout of their calls: some that were sent then have been lost. `sink` takes the events in place of the
    handlers, to be handled elsewhere. `audits` asks for the verdicts of reviews, for `audit_result`. What `Api` takes
    (proxy, ssl_context, session, on_request, ...) is taken here too.
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
        **options: Unpack[ApiOptions],
    ) -> None:
        super().__init__()
        if max_inflight < 1:
            raise ConfigError("Bot(max_inflight=...) must be at least 1")
        if max_queued < 1 or max_queued_bytes < 1:
            raise ConfigError("Bot(max_queued=...) and Bot(max_queued_bytes=...) must be at least 1")
        self._credentials = credentials
        self._endpoints = endpoints
        self._shards = shards if shards is None else ShardSelection.parse(shards)
        self._intents = intents
        self._gateway = gateway or GatewayConfig()
        self._sessions = sessions
        self._local: tuple[tuple[str, Endpoints], LocalSessionManager] | None = None
        self._lifespan = lifespan
        self._max_inflight = max_inflight
        self._max_queued, self._max_queued_bytes = max_queued, max_queued_bytes
        if handler_timeout is not None and not handler_timeout > 0:
            raise ConfigError("Bot(handler_timeout=...) must be greater than 0 seconds, or None for no limit")
        self._drain = drain
        self._handler_timeout = handler_timeout
        self._hold_sends = hold_sends
        self._sink = sink
        self._options = options
        self._audits = Audits() if audits else None
        if audits:
            self.on(MessageAuditPass, MessageAuditReject)(self._note_verdict)
            if intents is not None:
                self._intents = intents | Intents.MESSAGE_AUDIT
        self._shard_functions: list[ShardFunction] = []
        self._settled: list[Settled] = []
        self._listeners: list[HandlerListener] = []
        self._webhook_handler: WebhookHandler | None = None
        self._served_with: Credentials | None = None
        self._events: KnownEvents | None = None  # set once events may come by webhook
        self._runtime: BotRuntime | None = None
        self._failure: BaseException | None = None  # what ended it when it was served last
        self._entered: AsyncExitStack | None = None
        self._serving_task: ServingTask | None = None  # what `start` began

    # What a served bot offers

    @property
    def api(self) -> Api:
        """The API client.  Raises: ConfigError while the bot is not served."""
        return self._running.api

    @property
    def me(self) -> ReadyUser:
        """Who the bot is.  Raises: ConfigError before the first shard is READY."""
        supervisor = self._running.supervisor
        me = None if supervisor is None else supervisor.me
        if me is None:
            raise ConfigError("bot.me is known once a shard is READY: `await bot.ready()` first")
        return me

    @property
    def user_id(self) -> str:
        """The bot's own user id, '' as long as it is not known."""
        supervisor = None if self._runtime is None else self._runtime.supervisor
        return "" if supervisor is None or supervisor.me is None else supervisor.me.id

    @property
    def _running(self) -> BotRuntime:
        if self._runtime is None:
            raise ConfigError("the bot is not running: use `async with bot:`, `await bot.start()` or `bot.run()`")
        return self._runtime

    async def send(self, target: Target, message: Message, *, timeout: float | None = None) -> MessageSendResult:
        """Send an active message to a conversation.

        Raises: QuotaExceeded, PermissionMissing, ContentRejected, Timeout.
        """
        return await self.api.send(target, message, timeout=timeout)

    async def audit_result(self, error: MessagePendingAudit, *, timeout: float = 60.0) -> AuditOutcome:
        """Return how the review of a message ended: `MessageAuditPass` or `MessageAuditReject`.

        `error` is what the send raised, `timeout` in seconds. The last 256 verdicts are kept, so that one which
        came before the answer is found.

        Raises: ConfigError at once without `Bot(audits=True)`, Timeout.
        Source: server-inter/channel/message/event
        """
        if self._audits is None:
            raise ConfigError("verdicts come only to Bot(audits=True), which asks for their intent")
        return await self._audits.result(error, timeout)

    async def _note_verdict(self, ctx: Context[AuditOutcome]) -> None:
        if self._audits is not None:
            self._audits.take(ctx.event)

    def spawn(self, coroutine: Coroutine[object, object, T], *, name: str | None = None) -> asyncio.Task[T]:
        """Run a task that belongs to the bot: it is cancelled when the bot has drained; its error is logged.

        Raises: ConfigError while the bot is not served, or has drained.
        """
        if self._runtime is None:
            coroutine.close()
        return self._running.spawn(coroutine, name)

    def on_shard_event(self, function: L) -> L:
        """Register a function, plain or async, that hears what happens to the shards (`ShardEvent`)."""
        self._shard_functions.append(function)
        return function

    def on_settled(self, callback: Settled) -> Callable[[], None]:
        """Call `callback(event_id, outcome)` whenever the bot is done with an event; returns what ends that."""
        self._settled.append(callback)
        return lambda: self._settled.remove(callback)

    def on_handled(self, callback: HandlerListener) -> HandlerListener:
        """Call `callback` with a `HandlerRun` after each run of a handler, for metrics; register before serving."""
        self._listeners.append(callback)
        return callback

    async def handle(self, envelope: Envelope) -> Outcome:
        """Handle an event that another process received, with the same order, bounds and handlers; return how it ended.

        A repeat of an event that is not finished waits for that one's end, and one of a finished event is not handled
        again. Being cancelled does not end its handlers.

        Raises: Interrupted when the bot stops first: deliver it again; DecodeError for what is no event; ConfigError
        while the bot is not served, or from another event loop.
        """
        try:
            frame = decode_frame(envelope.raw)
        except (MsgspecError, ValueError) as error:
            raise DecodeError(f"the envelope {envelope.id} holds no frame: {error}") from None
        age = max(0.0, time.time() - envelope.ts / 1000)
        return await self._running.handle(frame, envelope.raw, age=age)

    def stats(self) -> BotStats:
        """Return how the bot is: its shards, and what is in flight.  Raises: ConfigError while it is not served."""
        return self._running.stats()

    # Webhook

    @property
    def credentials(self) -> Credentials:
        """AppID and AppSecret: those that it is served with, else its own.  Raises: ConfigError where they lack."""
        return self._served_with or self._credentials or Credentials.from_env()

    @property
    def serving(self) -> bool:
        """Whether it is served."""
        return self._runtime is not None

    def webhook(self, **options: "Unpack[WebhookOptions]") -> "web.Application":
        """Return the bot's webhook for aiohttp: `app.add_subapp("/qq", bot.webhook())`.

        The application serves the bot, without a gateway connection, unless somebody else does.

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

        `body` as it came, byte for byte. A bot that nobody serves is served while the call lasts, which is then
        answered after its handlers.

        Raises: ConfigError without credentials, where the extra `webhook` is missing, or from another event loop.
        """
        self.expect_webhook()
        return (await self._webhook_calls().answer(headers, body, **options)).parts

    def _webhook_calls(self) -> "WebhookHandler":
        from ..webhook.handler import WebhookHandler  # noqa: PLC0415 - most bots serve no HTTP

        if self._webhook_handler is None:
            self._webhook_handler = WebhookHandler(self)
        return self._webhook_handler

    def expect_webhook(self) -> None:
        """Know events by their ids from now on: they may come by webhook too.

        Raises: ConfigError for a bot with a sink.
        """
        if self._sink is not None:
            raise ConfigError("Bot(sink=...) takes the gateway's events only: give the webhook a Bot without a sink")
        if self._events is None:
            self._events = KnownEvents(time.monotonic())
            if self._runtime is not None:
                self._runtime.dispatcher.remember_events(self._events)

    async def receive(self, frame: Frame, raw: bytes, *, awaited: bool) -> Outcome | None:
        """Take the event of a webhook call that was verified; return its outcome where it is `awaited`, else None.

        Raises: Interrupted when the bot is stopping, TimeoutError when there was no room for a while, ConfigError
        from another event loop.
        """
        return await self._running.receive(frame, raw, awaited=awaited)

    def health(self) -> "web.Application":
        """Return an aiohttp application with /livez and /readyz: `app.add_subapp("/health", bot.health())`.

        /livez fails when the bot has ended by itself; /readyz also when it is not served, is stopping, a shard is not
        READY, or reading stands still.
        """
        from . import health  # noqa: PLC0415 - aiohttp's server side: half as long to import as all of its client

        return health.application(self._wrong_for_good, self._wrong_now)

    def _wrong_for_good(self) -> list[str]:
        failure = self._failure if self._runtime is None else self._runtime.failure
        return [] if failure is None else [str(failure) or type(failure).__name__]

    def _wrong_now(self) -> list[str]:
        runtime = self._runtime
        reasons = self._wrong_for_good()
        if runtime is None:
            return reasons or ["the bot is not served"]
        if runtime.stopping and not reasons:
            return ["the bot is stopping"]
        if runtime.supervisor is not None:
            reasons += runtime.supervisor.not_ready()
        if runtime.standing_still >= STANDSTILL_SECONDS:
            reasons.append(f"no event was read for {runtime.standing_still:.0f} s: too many are unfinished")
        return reasons

    def check_expected(self, events: Sequence[type[Event]]) -> None:
        """Check that the bot can get such events.  Raises: ConfigError for one that it does not ask for."""
        runtime = self._runtime
        if not events:
            raise ConfigError("wait_for() names no event: write ctx.wait_for(GroupAtMessageCreate)")
        for event in events:
            if runtime is None or runtime.supervisor is None:
                continue
            needed = Intents.of(event)
            if needed and not needed & self._asked_intents:
                raise ConfigError(
                    f"wait_for({event.__name__}) would never end: the bot does not ask for {needed!r}; "
                    f"write bot.expect({event.__name__}) beside its handlers"
                )

    # Its life

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
        tokens. `connect` False opens no gateway connection: events come by `handle` only.

        Raises: ConfigError at once for a wrong configuration; on leaving what `wait` raises.
        """
        self._check_free()
        credentials = credentials or self._credentials or Credentials.from_env()
        endpoints = endpoints or self._endpoints or Endpoints.from_env()
        selection = self._shards or ShardSelection.parse(os.environ.get("QQBOT_SHARDS"))
        for sentence in unknown_variables():
            log.warning("%s", sentence)
        sessions = sessions or self._sessions or _sessions_from_env()
        sessions = sessions or self._local_sessions(credentials.app_id, endpoints)
        async with AsyncExitStack() as stack:
            shared = await stack.enter_async_context(_sharing(sessions, credentials))
            options = self._api_options(shared)
            api = Api(credentials, endpoints=endpoints, clock=clock or time.monotonic, **options)
            await stack.enter_async_context(api)
            self._check_free()  # somebody else may have been faster
            runtime = self._runtime = self._make_runtime(
                api,
                credentials,
                selection,
                shared,
                sessions=sessions if connect else None,
                gateway=gateway or self._gateway,
            )
            self._served_with = credentials
            if self._owned:
                runtime.enter()  # what the lifespan begins cannot wait for the end of `stop` either
            try:
                if self._events is not None:
                    self._webhook_calls().prepare()
                async with self._lifespan(self) if self._lifespan else nullcontext():
                    try:
                        async with runtime.run():
                            yield self
                    finally:
                        await runtime.end_background()
            finally:
                try:
                    await runtime.end_background()  # what a lifespan that failed had spawned
                finally:
                    self._failure = runtime.failure
                    self._runtime = self._served_with = None

    def _check_free(self) -> None:
        started = self._serving_task is not None and not self._serving_task.over
        if self._runtime is not None or (started and not self._owned):
            raise ConfigError("this bot is being served already: make a second Bot to serve it twice")

    @property
    def _owned(self) -> bool:
        """Whether the current task is that of what `start` began."""
        return self._serving_task is not None and self._serving_task.owner is asyncio.current_task()

    def _local_sessions(self, app_id: str, endpoints: Endpoints) -> LocalSessionManager:
        """Return the manager for one platform: it remembers, from run to run, when sessions were created there."""
        platform = app_id, endpoints
        if self._local is None or self._local[0] != platform:
            self._local = platform, LocalSessionManager(window=self._gateway.identify_window)
        return self._local[1]

    def _api_options(self, shared: SharedStores | None) -> ApiOptions:
        options = self._options.copy()
        if shared is not None and shared.tokens is not None and options.get("token") is None:
            options.setdefault("token_store", shared.tokens)
        return options

    def _make_runtime(
        self,
        api: Api,
        credentials: Credentials,
        selection: ShardSelection,
        shared: SharedStores | None,
        *,
        sessions: SessionManager | None,
        gateway: GatewayConfig,
    ) -> BotRuntime:
        dispatcher = Dispatcher(
            self,
            api.clock,
            max_inflight=self._max_inflight,
            max_queued=self._max_queued,
            max_queued_bytes=self._max_queued_bytes,
            handler_timeout=self._handler_timeout,
            listeners=self._listeners,
            seen=None if shared is None else shared.seen,
        )
        dispatcher.settled = self._settled
        if self._events is not None:
            dispatcher.remember_events(self._events)
        forwarder = None if self._sink is None else Forwarder(self._sink, max_inflight=self._max_inflight)
        if sessions is None:
            return BotRuntime(api, dispatcher, None, forwarder, drain=self._drain)
        supervisor = ShardSupervisor(
            sessions,
            api,
            partial(ShardSource, dispatcher) if forwarder is None else forwarder.feed,
            app_id=credentials.app_id,
            selection=selection,
            intents=self._asked_intents,
            config=gateway,
            drain=self._drain,
            listener=self._hear,
            explain=self._explained,
        )
        if self._hold_sends:
            api.hold_sends(supervisor.connected)
        return BotRuntime(api, dispatcher, supervisor, forwarder, drain=self._drain)

    @property
    def _asked_intents(self) -> Intents:
        return self.intents if self._intents is None else self._intents

    def _explained(self, halted: GatewayHalted) -> GatewayHalted:
        """Name the handlers whose intents the platform may have refused."""
        if halted.code not in (4013, 4014):
            return halted
        refused = self._asked_intents & PRIVATE_ONLY or self._asked_intents
        names = ", ".join(self.handlers_for(refused)) or "Bot(intents=...)"
        return GatewayHalted(halted.code, f"{halted.reason}; {refused!r} is asked for by {names}", halted.hint)

    async def ready(self) -> None:
        """Return when every shard of this process is READY or RESUMED.

        Raises: what `wait` raises, when that comes first; ConfigError when the bot is stopped before.
        """
        await self._running.ready()

    async def reconnect(self, shard: int | None = None) -> None:
        """Hang up and RESUME: every shard of this process, or the one of index `shard`. Returns when it is live again.

        Raises: ConfigError for a shard that does not run here, or while no gateway is served; GatewayError when the
        shard ends instead.
        """
        supervisor = self._running.supervisor
        if supervisor is None:
            raise ConfigError("the bot is served without a gateway connection: there is nothing to reconnect")
        await supervisor.reconnect(shard)

    async def wait(self) -> None:
        """Return when the bot was asked to stop.

        Raises: GatewayHalted when the platform forbids to go on, AuthError or IPNotAllowed when it refuses the
        credentials.
        """
        await self._running.wait()

    async def start(self, *, connect: bool = True) -> None:
        """Start serving in the running loop, in a task of its own; `stop` ends it. `connect` as in `serve`.

        Raises: ConfigError for a wrong configuration, or when `stop` comes before it has started.
        """
        self._check_free()
        serving_task = self._serving_task = ServingTask(self, connect=connect)
        try:
            await serving_task.entered()
        except asyncio.CancelledError:
            await serving_task.end()
            raise

    async def stop(self) -> None:
        """Drain and stop what `start` began, or is beginning; does nothing when the bot is not running.

        Called by a handler, a spawned task or the lifespan and what it began, or where `async with` or `run` owns the
        bot, it only asks: `wait` returns, and the owner stops it.

        Raises: what `wait` raises.
        """
        runtime, serving_task = self._runtime, self._serving_task
        if runtime is not None:
            runtime.ask_to_stop()
        if serving_task is None or serving_task.over or (runtime is not None and runtime.inside):
            return
        serving_task.leave()
        await serving_task.left()

    async def __aenter__(self) -> Self:
        stack = AsyncExitStack()
        await stack.enter_async_context(self.serve())
        self._entered = stack
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stack, self._entered = self._entered, None
        if stack is not None:
            await stack.__aexit__(kind, error, trace)

    def run(self, *, webhook: str | None = None, **options: "Unpack[WebhookOptions]") -> NoReturn:
        """Serve until SIGINT or SIGTERM, then drain; a second signal exits at once. Always raises SystemExit.

        `webhook` is where to listen for webhook calls instead of connecting to the gateway, "0.0.0.0:8080", with the
        options of `Bot.webhook`.

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
        raise SystemExit(exit_code(lambda: asyncio.run(self._serve_until_signal(webhook, options))))

    async def _serve_until_signal(self, webhook: str | None, options: "WebhookOptions") -> None:
        signals = 0

        def stop() -> None:
            nonlocal signals
            signals += 1
            if signals > 1:
                log.warning("second signal: exiting at once, unfinished events will be delivered again")
                os._exit(EXIT_INTERRUPTED)
            log.info("stopping: handlers have %g s to finish", self._drain)
            if self._runtime is not None:
                self._runtime.ask_to_stop()

        with on_signal(stop):  # around it all: a second signal counts while the handlers finish
            async with self.serve(connect=webhook is None), self._listening(webhook, options):
                if not signals:  # one may have come before there was anything to stop
                    await self.wait()

    def _listening(self, address: str | None, options: "WebhookOptions") -> AbstractAsyncContextManager[object]:
        if address is None:
            return nullcontext()
        from ..webhook.aiohttp import listening  # noqa: PLC0415 - most bots serve no HTTP

        return listening(self.webhook(**options), address, self._drain)

    # What the dispatcher and the fleet ask

    @property
    def context(self) -> Callable[[Delivered, Event], Context[Event]]:
        """Makes what the handlers of one event are called with."""
        # Not Context[Event]: that would be a call through typing, for each event.
        return cast("Callable[[Delivered, Event], Context[Event]]", partial(Context, self))

    async def report(self, context: object, error: Exception, handler: str) -> None:
        """Log a handler's exception and tell the `on_error` functions."""
        ctx = cast("Context[Event]", context)
        log.error("%s failed for %s", handler, ctx.event_id, exc_info=error)
        for function in self._error_functions:
            try:
                await function(ctx, error)
            except Exception:
                log.exception("an on_error function failed itself")

    def _hear(self, event: ShardEvent) -> None:
        for function in self._shard_functions:
            try:
                answer = function(event)
                if inspect.iscoroutine(answer):
                    self.spawn(answer, name="qqbot on_shard_event")
            except Exception:
                log.exception("an on_shard_event function failed")


def _sessions_from_env() -> SessionManager | None:
    """The session manager that the environment names, if it does.  Raises: ConfigError."""
    redis = RedisConfig.from_env()
    return None if redis is None else RedisSessionManager(redis.url.reveal(), cluster=redis.cluster)


def _sharing(sessions: SessionManager, credentials: Credentials) -> AbstractAsyncContextManager[SharedStores | None]:
    """What this process shares with others, where its session manager knows of any."""
    return sessions.sharing(credentials) if isinstance(sessions, Sharing) else nullcontext()
