"""`Bot`: wires client, sessions, gateway, dispatcher and handlers together, and starts and stops them.

Owns the life of one bot in one event loop. `serve` is the primitive; `run`, `async with`, `start` and `stop` are
thin over it. Constructing a `Bot` reads no configuration and touches no loop.
"""

import asyncio
import contextlib
import inspect
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import NoReturn, Self, TypeVar, Unpack, cast

from .api.client import Api, ApiOptions
from .audits import Audits, Verdict
from .config import Credentials, Endpoints, GatewayConfig, ShardPlan, unknown_variables
from .context import Context
from .dispatcher import Dispatcher
from .errors import AuthError, ConfigError, GatewayHalted, IPNotAllowed, MessagePendingAudit, QQBotError
from .fleet import Fleet
from .gateway.frames import Frame
from .models.events import Event, MessageAuditPass, MessageAuditReject
from .models.gateway import ReadyUser
from .models.intents import PRIVATE_ONLY, Intents
from .models.messages import MessageSendResult
from .models.outgoing import Message
from .models.targets import Target
from .ports import Clock, Lease, Settled, ShardEvent
from .router import Router
from .sessions.base import SessionManager
from .sessions.local import LocalSessionManager

log = logging.getLogger(__name__)

T = TypeVar("T")
Lifespan = Callable[["Bot"], AbstractAsyncContextManager[object]]
ShardFunction = Callable[[ShardEvent], object]
L = TypeVar("L", bound=ShardFunction)

loading: ContextVar[str | None] = ContextVar("qqbot_loading", default=None)
"""The file that a command is importing just now: `run()` must not block there."""

EXIT_OK, EXIT_CONFIG, EXIT_CREDENTIALS, EXIT_STOPPED = 0, 3, 4, 5


class _Service:
    """What exists while a bot is served."""

    def __init__(self, api: Api, dispatcher: Dispatcher) -> None:
        self.api = api
        self.dispatcher = dispatcher
        self.fleet: Fleet | None = None
        self.main: asyncio.Task[None] | None = None
        self.me: ReadyUser | None = None
        self.background: set[asyncio.Task[object]] = set()


class Bot(Router):
    """A bot: its handlers, and the connection to the platform while it is served.

    `credentials`, `endpoints` and `shards` are read from the environment (QQBOT_APP_ID, QQBOT_SECRET,
    QQBOT_API_BASE, QQBOT_SHARDS) where they are not given, at the time it is served. `shards`: 20 (exactly),
    "20+" (at least), "0-3/16" (only these); None as the platform recommends. `intents` overrides what the
    handlers need. `lifespan` is a function of the bot that returns an async context manager, entered before the
    first event. `max_inflight`: events accepted and unfinished at most. `drain`: seconds that handlers have to
    finish at the end. `audits` asks for the verdicts of reviews, for `audit_result`. What `Api` takes (proxy,
    ssl_context, session, on_request, ...) is taken here too.
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
        drain: float = 10.0,
        audits: bool = False,
        **options: Unpack[ApiOptions],
    ) -> None:
        super().__init__()
        if max_inflight < 1:
            raise ConfigError("Bot(max_inflight=...) must be at least 1")
        self._credentials = credentials
        self._endpoints = endpoints
        self._shards = shards if shards is None else ShardPlan.parse(shards)
        self._intents = intents
        self._sessions = sessions
        self._gateway = gateway or GatewayConfig()
        self._lifespan = lifespan
        self._max_inflight = max_inflight
        self._drain = drain
        self._options = options
        self._audits = Audits() if audits else None
        if audits:
            self.on(MessageAuditPass, MessageAuditReject)(self._note_verdict)
            if intents is not None:
                self._intents = intents | Intents.MESSAGE_AUDIT
        self._shard_functions: list[ShardFunction] = []
        self._settled: list[Settled] = []
        self._service: _Service | None = None
        self._started: AsyncExitStack | None = None
        self._entered: AsyncExitStack | None = None
        self._stop: asyncio.Event | None = None

    # What a served bot offers

    @property
    def api(self) -> Api:
        """The API client.  Raises: ConfigError while the bot is not served."""
        return self._running.api

    @property
    def me(self) -> ReadyUser:
        """Who the bot is.  Raises: ConfigError before the first shard is READY."""
        service = self._running
        if service.fleet is not None:
            service.me = service.fleet.me or service.me
        if service.me is None:
            raise ConfigError("bot.me is known once a shard is READY: `await bot.ready()` first")
        return service.me

    @property
    def _running(self) -> _Service:
        if self._service is None:
            raise ConfigError("the bot is not running: use `async with bot:`, `await bot.start()` or `bot.run()`")
        return self._service

    async def send(self, target: Target, message: Message, *, timeout: float | None = None) -> MessageSendResult:
        """Send an active message to a conversation.

        Raises: QuotaExceeded, PermissionMissing, ContentRejected, Timeout.
        """
        return await self.api.send(target, message, timeout=timeout)

    async def audit_result(self, error: MessagePendingAudit, *, timeout: float = 60.0) -> Verdict:
        """Return how the review of a message ended: `MessageAuditPass` or `MessageAuditReject`.

        `error` is what the send raised, `timeout` in seconds. The last 256 verdicts are kept, so that one which
        came before the answer is found.

        Raises: ConfigError at once without `Bot(audits=True)`, Timeout.
        Source: server-inter/channel/message/event
        """
        if self._audits is None:
            raise ConfigError("verdicts come only to Bot(audits=True), which asks for their intent")
        return await self._audits.result(error, timeout)

    async def _note_verdict(self, ctx: Context[Verdict]) -> None:
        if self._audits is not None:
            self._audits.take(ctx.event)

    def spawn(self, coroutine: Coroutine[object, object, T], *, name: str | None = None) -> asyncio.Task[T]:
        """Run a task that belongs to the bot: it is cancelled when the bot has drained; its error is logged.

        Raises: ConfigError while the bot is not served.
        """
        if self._service is None:
            coroutine.close()
        background = self._running.background
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        background.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[object]) -> None:
        if self._service is not None:
            self._service.background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the background task %s failed", task.get_name(), exc_info=error)

    def on_shard_event(self, function: L) -> L:
        """Register a function, plain or async, that hears what happens to the shards (`ShardEvent`)."""
        self._shard_functions.append(function)
        return function

    def on_settled(self, callback: Settled) -> Callable[[], None]:
        """Call `callback(event_id, outcome)` whenever the bot is done with an event; returns what ends that."""
        self._settled.append(callback)
        return lambda: self._settled.remove(callback)

    # Its life

    @asynccontextmanager
    async def serve(
        self,
        *,
        credentials: Credentials | None = None,
        endpoints: Endpoints | None = None,
        clock: Clock | None = None,
    ) -> AsyncGenerator[Self]:
        """Serve events while the body runs; leaving drains, saves and closes.

        Entering does not wait for the platform: `await bot.ready()` does. Arguments win over those of `Bot`.
        `clock` (seconds, only forward) serves token life and reply windows.

        Raises: ConfigError at once for a wrong configuration; on leaving what `wait` raises.
        """
        if self._service is not None:
            raise ConfigError("this bot is being served already: make a second Bot to serve it twice")
        credentials = credentials or self._credentials or Credentials.from_env()
        endpoints = endpoints or self._endpoints or Endpoints.from_env()
        plan = self._shards or ShardPlan.parse(os.environ.get("QQBOT_SHARDS"))
        for sentence in unknown_variables():
            log.warning("%s", sentence)
        api = Api(credentials, endpoints=endpoints, clock=clock or time.monotonic, **self._options)
        dispatcher = Dispatcher(self, max_inflight=self._max_inflight)
        dispatcher.settled = self._settled
        async with api:
            service = self._service = _Service(api, dispatcher)
            self._stop = asyncio.Event()
            try:
                async with self._lifespan(self) if self._lifespan else contextlib.nullcontext(), dispatcher:
                    fleet = service.fleet = self._fleet(credentials, plan, service)
                    service.main = asyncio.create_task(self._main(fleet), name="qqbot fleet")
                    try:
                        yield self
                    finally:
                        await self._leave(service)
                service.main.result()
            finally:
                self._service = None

    def _fleet(self, credentials: Credentials, plan: ShardPlan, service: _Service) -> Fleet:
        return Fleet(
            self._sessions or LocalSessionManager(window=self._gateway.identify_window),
            service.api,
            service.dispatcher,
            app_id=credentials.app_id,
            plan=plan,
            intents=self.intents if self._intents is None else self._intents,
            config=self._gateway,
            drain=self._drain,
            listener=self._hear,
        )

    async def _main(self, fleet: Fleet) -> None:
        try:
            await fleet.run()
        except GatewayHalted as halted:
            raise self._explained(halted) from None
        finally:
            if self._stop is not None:
                self._stop.set()

    def _explained(self, halted: GatewayHalted) -> GatewayHalted:
        """Name the handlers whose intents the platform may have refused."""
        if halted.code not in (4013, 4014):
            return halted
        intents = self.intents if self._intents is None else self._intents
        refused = intents & PRIVATE_ONLY or intents
        names = ", ".join(self.handlers_for(refused)) or "Bot(intents=...)"
        return GatewayHalted(halted.code, f"{halted.reason}; {refused!r} is asked for by {names}", halted.hint)

    async def _leave(self, service: _Service) -> None:
        assert service.fleet is not None
        assert service.main is not None
        try:
            await service.fleet.stop()
            await asyncio.wait([service.main])
        finally:
            service.main.cancel()
            background = list(service.background)
            for task in background:
                task.cancel()
            await asyncio.gather(service.main, *background, return_exceptions=True)

    async def ready(self) -> None:
        """Return when every shard of this process is READY or RESUMED.

        Raises: what `wait` raises, when that comes first.
        """
        service = self._running
        assert service.fleet is not None
        assert service.main is not None
        ready = asyncio.ensure_future(service.fleet.ready())
        try:
            await asyncio.wait([ready, service.main], return_when=asyncio.FIRST_COMPLETED)
            if service.main.done():
                service.main.result()
        finally:
            ready.cancel()

    async def wait(self) -> None:
        """Return when the bot was asked to stop.

        Raises: GatewayHalted when the platform forbids to go on, AuthError or IPNotAllowed when it refuses the
        credentials.
        """
        service = self._running
        assert self._stop is not None
        assert service.main is not None
        await self._stop.wait()
        if service.main.done():
            service.main.result()

    async def start(self) -> None:
        """Start serving in the running loop; `stop` ends it.

        Raises: ConfigError for a wrong configuration.
        """
        self._started = await self._enter()

    async def _enter(self) -> AsyncExitStack:
        stack = AsyncExitStack()
        await stack.enter_async_context(self.serve())
        return stack

    async def stop(self) -> None:
        """Drain and stop what `start` began; does nothing when the bot is not running.

        Called by a handler, or where `async with` or `run` owns the bot, it only asks: `wait` returns, and the
        owner stops it.

        Raises: what `wait` raises.
        """
        if self._service is None:
            return
        if self._stop is not None:
            self._stop.set()
        if self._started is None or self._service.dispatcher.owns(asyncio.current_task()):
            return
        stack, self._started = self._started, None
        await stack.aclose()

    async def __aenter__(self) -> Self:
        self._entered = await self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stack, self._entered = self._entered, None
        if stack is not None:
            await stack.__aexit__(kind, error, trace)

    def run(self) -> NoReturn:
        """Serve until SIGINT or SIGTERM, then drain; a second signal exits at once. Always raises SystemExit.

        The exit code: 0 stopped, 3 configuration, 4 credentials refused, 5 the platform says stop. Logging is
        set up (INFO, or as QQBOT_LOG says) if the program has not done so.

        Raises: SystemExit; ConfigError when a command is only importing this file.
        """
        if (path := loading.get()) is not None:
            raise ConfigError(
                f'{path} calls bot.run() while it is being loaded: put it under `if __name__ == "__main__":`. '
                "请把 bot.run() 放到 if __name__ == '__main__': 之下"
            )
        configure_logging()
        raise SystemExit(exit_code(lambda: asyncio.run(self._serve_until_signal())))

    async def _serve_until_signal(self) -> None:
        with on_signal(self._ask_to_stop):  # around it all: a second signal counts while the handlers finish
            async with self:
                await self.wait()

    def _ask_to_stop(self) -> None:
        if self._stop is None or self._stop.is_set():
            log.warning("second signal: exiting at once, unfinished events will be delivered again")
            os._exit(130)
        log.info("stopping: handlers have %g s to finish", self._drain)
        self._stop.set()

    # What the dispatcher and the fleet ask

    def context(self, event: Event, frame: Frame, raw: bytes, lease: Lease) -> Context[Event]:
        """Return what the handlers of one event are called with."""
        return Context(event, frame, raw, lease, self)

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


def configure_logging() -> None:
    """Log to stderr, INFO or as QQBOT_LOG says, unless the program has configured logging itself."""
    if logging.getLogger().handlers:
        return
    name = os.environ.get("QQBOT_LOG", "info").upper()
    level = logging.getLevelNamesMapping().get(name, logging.INFO)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    logging.getLogger("qqbot").setLevel(level)
    if name not in logging.getLevelNamesMapping():
        log.warning("QQBOT_LOG=%s is no level; use debug, info, warning or error", name.lower())


def exit_code(main: Callable[[], object]) -> int:
    """Call `main`; print what went wrong and return the exit code that tells it."""
    try:
        main()
    except ConfigError as error:
        return _complain(error, EXIT_CONFIG)
    except (AuthError, IPNotAllowed) as error:
        return _complain(error, EXIT_CREDENTIALS)
    except GatewayHalted as error:
        return _complain(error, EXIT_STOPPED)
    except KeyboardInterrupt:
        return 130
    return EXIT_OK


def _complain(error: QQBotError, code: int) -> int:
    sys.stderr.write(f"qqbot: {error}\n")
    return code


@contextlib.contextmanager
def on_signal(callback: Callable[[], object]) -> Generator[None]:
    """Call `callback` in the loop on SIGINT and SIGTERM; where loops cannot, by plain signal handlers."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        try:
            loop.add_signal_handler(number, callback)
        except NotImplementedError:
            signal.signal(number, lambda _number, _frame: loop.call_soon_threadsafe(callback))
    try:
        yield
    finally:
        for number, handler in before.items():
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, handler)
