"""`BotRuntime`: how one bot is served, run after run.

Responsible for reading the configuration, for making the parts of a run (API client, dispatcher, supervisor,
forwarder), for starting and stopping it, and for what has to outlive one run: the session manager, the ids of events,
the webhook handler. Collaborators: `run` (one run while it lasts), `bot` (the face of both), `handler_table`. It
registers no handler.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from msgspec import Struct

from ..aio.clock import Clock
from ..aio.loops import check_loop
from ..aio.serving_task import ServingTask
from ..api.client import Api, ApiOptions
from ..api.pacing.quotas import PacingStore
from ..api.token import TokenStore
from ..config import ClusterConfig, Credentials, Endpoints, GatewayConfig, ShardSelection, unknown_variables, variable
from ..dispatcher import Dispatcher, KnownEvents, ShardSource
from ..dispatcher.dedupe import SeenIds
from ..dispatcher.delivery import Settled
from ..dispatcher.dispatcher import HandlerListener
from ..errors import ConfigError, GatewayHalted
from ..gateway.shard import ShardEvent
from ..ingest import Forwarder
from ..ingest.forwarder import EnvelopeHook, EventSink, PublishListener
from ..models.events import Event
from ..models.frames import Frame
from ..models.intents import PRIVATE_ONLY, Intents
from ..models.outcome import Outcome
from ..sessions.base import SessionManager
from ..sessions.local import LocalSessionManager
from .context import Context, Delivered, Owner, check_expected
from .cooldowns import CooldownStore
from .handler_table import Failed, HandlerTable
from .run import BotRun
from .shards import ShardSupervisor

if TYPE_CHECKING:  # most bots serve no HTTP
    from ..webhook.handler import WebhookHandler

log = logging.getLogger(__name__)

ShardFunction = Callable[[ShardEvent], object]


class SharedStores(Protocol):
    """What the processes of one bot share besides its shards; None for what they do not share."""

    @property
    def tokens(self) -> TokenStore | None:
        """The store of the access token that they share."""
        ...

    @property
    def seen(self) -> SeenIds | None:
        """The ids of finished events that they share."""
        ...

    @property
    def cooldowns(self) -> CooldownStore | None:
        """The uses of commands that they share."""
        ...

    @property
    def pacing(self) -> PacingStore | None:
        """The active messages that they share."""
        ...


@runtime_checkable
class Sharing(Protocol):
    """A session manager through which the processes of a bot share more than its shards."""

    def sharing(self, credentials: Credentials) -> AbstractAsyncContextManager[SharedStores]:
        """Open what is shared, for as long as the bot is served."""
        ...


class BotSettings(Struct, frozen=True, kw_only=True):
    """The options of `Bot`; None: from the environment, or as the platform recommends.

    `drain` and `handler_timeout` in seconds.
    """

    credentials: Credentials | None
    endpoints: Endpoints | None
    shards: ShardSelection | None
    intents: Intents | None
    sessions: SessionManager | None
    gateway: GatewayConfig
    lifespan: Callable[[], AbstractAsyncContextManager[object]]
    max_inflight: int
    max_queued: int
    max_queued_bytes: int
    drain: float
    handler_timeout: float | None
    hold_sends: bool
    sink: EventSink | None
    api: ApiOptions


class BotRuntime:
    """One bot, from its construction on: how it is served, and the run that serves it now."""

    def __init__(self, bot: Owner, handlers: HandlerTable, settings: BotSettings) -> None:
        self.settings = settings
        self.run: BotRun | None = None  # what serves the bot now
        self.served_with: Credentials | None = None  # those of that run; an attribute, since each webhook call reads it
        self.settled: list[Settled] = []  # called with the end of each event
        self.listeners: list[HandlerListener] = []  # called after each run of a handler
        self.envelope_hooks: list[EnvelopeHook] = []  # add headers to what goes to the sink
        self.publish_listeners: list[PublishListener] = []  # called after each call of the sink
        self.failed: list[Failed] = handlers.failed  # called with what each handler raises
        self.shard_functions: list[ShardFunction] = []  # called with what happens to the shards
        self._bot = bot
        self._handlers = handlers
        # Kept from run to run, with its platform: it counts the session starts there.
        self._local: tuple[tuple[str, Endpoints], LocalSessionManager] | None = None
        self._serving_task: ServingTask | None = None  # what `start` began
        self._failure: BaseException | None = None  # ended the last run; /livez reports it until the next one
        self._events: KnownEvents | None = None  # kept from run to run: a webhook call may come again after a restart
        self._webhook_handler: WebhookHandler | None = None  # made once events may come by webhook

    @property
    def current(self) -> BotRun:
        """The run that serves the bot now.  Raises: ConfigError while it is not served."""
        if self.run is None:
            raise ConfigError("the bot is not running: use `async with bot:`, `await bot.start()` or `bot.run()`")
        return self.run

    @property
    def here(self) -> BotRun:
        """The run, for a caller in its event loop.  Raises: ConfigError while there is none, and from another loop."""
        run = self.current
        check_loop(run.loop, "the bot")
        return run

    @property
    def handlers(self) -> HandlerTable:
        """The handlers of the bot."""
        return self._handlers

    @property
    def intents(self) -> Intents:
        """The intents that the bot asks for."""
        return self._handlers.intents if self.settings.intents is None else self.settings.intents

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
    ) -> AsyncGenerator[None]:
        """Serve events while the body runs; arguments and errors as in `Bot.serve`."""
        self._check_free()
        settings = self.settings
        credentials = credentials or self.own_credentials()
        endpoints = endpoints or settings.endpoints or Endpoints.from_env()
        selection = settings.shards or ShardSelection.parse(variable("QQBOT_SHARDS"))
        for sentence in unknown_variables():
            log.warning("%s", sentence)
        if settings.sink is None:
            for sentence in self._handlers.doubts():
                log.warning("%s", sentence)
        sessions = sessions or settings.sessions or _sessions_from_env()
        sessions = sessions or self._local_sessions(credentials.app_id, endpoints)
        async with AsyncExitStack() as stack:
            shared = await stack.enter_async_context(_sharing(sessions, credentials))
            options = self._api_options(shared)
            api = Api(credentials, endpoints=endpoints, clock=clock or time.monotonic, **options)
            await stack.enter_async_context(api)
            self._check_free()  # another task may have been faster
            run = self.run = self._make_run(
                api,
                shared,
                credentials.app_id,
                selection,
                sessions=sessions if connect else None,
                gateway=gateway or settings.gateway,
            )
            self.served_with = credentials
            if self._owned:
                run.enter()  # what the lifespan begins cannot wait for the end of `stop` either
            try:
                if self._webhook_handler is not None:
                    self._webhook_handler.prepare()
                async with settings.lifespan():
                    try:
                        async with run.run():
                            yield
                    finally:
                        await run.end_background()
            finally:
                try:
                    await run.end_background()  # what a lifespan that failed had spawned
                finally:
                    self._handlers.clicks.close()
                    self._failure = run.failure
                    self.run = self.served_with = None

    async def start(self, *, connect: bool) -> None:
        """Start serving in a task of its own.  Raises: ConfigError, also when `stop` comes before it has started."""
        self._check_free()
        serving_task = self._serving_task = ServingTask(self, connect=connect)
        try:
            await serving_task.entered()
        except asyncio.CancelledError:
            await serving_task.end()
            raise

    async def stop(self) -> None:
        """Drain and stop what `start` began; only ask for it if another task owns the run, or if it would deadlock.

        Raises: the error that ended the shards; ConfigError from another event loop.
        """
        run, serving_task = self.run, self._serving_task
        if run is not None:
            check_loop(run.loop, "the bot")
            run.ask_to_stop()
        elif serving_task is not None and not serving_task.over:
            check_loop(serving_task.loop, "the bot")
        if serving_task is None or serving_task.over or (run is not None and run.inside):
            return
        serving_task.leave()
        await serving_task.left()

    def ask_to_stop(self) -> None:
        """Let the run drain and end, if there is one; return at once."""
        log.info("stopping: what has begun has %g s to finish", self.settings.drain)
        if self.run is not None:
            self.run.ask_to_stop()

    def _check_free(self) -> None:
        started = self._serving_task is not None and not self._serving_task.over
        if self.run is not None or (started and not self._owned):
            raise ConfigError("this bot is being served already: make a second Bot to serve it twice")

    @property
    def _owned(self) -> bool:
        """True if the current task is the one that `start` began."""
        return self._serving_task is not None and self._serving_task.owner is asyncio.current_task()

    # Making a run

    def own_credentials(self) -> Credentials:
        """Return the AppID and AppSecret of the bot, else of the environment.  Raises: ConfigError."""
        return self.settings.credentials or Credentials.from_env()

    def _local_sessions(self, app_id: str, endpoints: Endpoints) -> LocalSessionManager:
        """Return the manager for one platform: it remembers, from run to run, when sessions were created there."""
        platform = app_id, endpoints
        if self._local is None or self._local[0] != platform:
            self._local = platform, LocalSessionManager(window=self.settings.gateway.identify_window)
        return self._local[1]

    def _api_options(self, shared: SharedStores | None) -> ApiOptions:
        options = self.settings.api.copy()
        if shared is None:
            return options
        if shared.tokens is not None and options.get("token") is None:
            options.setdefault("token_store", shared.tokens)
        if options.get("pacing"):
            options.setdefault("pacing_store", shared.pacing)
        return options

    def _make_run(
        self,
        api: Api,
        shared: SharedStores | None,
        app_id: str,
        selection: ShardSelection,
        *,
        sessions: SessionManager | None,
        gateway: GatewayConfig,
    ) -> BotRun:
        """Wire the parts of one run; `sessions` None: without a gateway connection."""
        settings, intents = self.settings, self.intents
        dispatcher = self._dispatcher(api, shared, asked=None if sessions is None else intents)
        forwarder = None
        if settings.sink is not None:
            forwarder = Forwarder(
                settings.sink,
                app_id=app_id,
                max_inflight=settings.max_inflight,
                hooks=self.envelope_hooks,
                listeners=self.publish_listeners,
            )
        if sessions is None:
            return BotRun(api, dispatcher, None, forwarder, drain=settings.drain)
        supervisor = ShardSupervisor(
            sessions,
            api,
            partial(ShardSource, dispatcher) if forwarder is None else forwarder.feed,
            app_id=app_id,
            selection=selection,
            intents=intents,
            config=gateway,
            drain=settings.drain,
            listener=self._call_shard_functions,
            explain=self._explained,
        )
        if settings.hold_sends:
            api.hold_sends(supervisor.connected)
        return BotRun(api, dispatcher, supervisor, forwarder, drain=settings.drain)

    def _dispatcher(self, api: Api, shared: SharedStores | None, *, asked: Intents | None) -> Dispatcher:
        # partial, and not a function of ours: it is called for each event, and msgspec makes the Context in C.
        self._handlers.context = cast(
            "Callable[[Delivered, Event], Context[Event]]",
            partial(Context, self._bot, api, partial(check_expected, asked)),
        )
        self._handlers.cooldowns.shared = None if shared is None else shared.cooldowns
        dispatcher = Dispatcher(
            self._handlers,
            api.clock,
            max_inflight=self.settings.max_inflight,
            max_queued=self.settings.max_queued,
            max_queued_bytes=self.settings.max_queued_bytes,
            handler_timeout=self.settings.handler_timeout,
            listeners=self.listeners,
            seen=None if shared is None else shared.seen,
        )
        dispatcher.settled = self.settled
        if self._events is not None:
            dispatcher.remember_events(self._events)
        return dispatcher

    def _explained(self, halted: GatewayHalted) -> GatewayHalted:
        """Return `halted` with the names of the handlers that need the refused intents."""
        if halted.code not in (4013, 4014):
            return halted
        refused = self.intents & PRIVATE_ONLY or self.intents
        names = ", ".join(self._handlers.handlers_for(refused)) or "Bot(intents=...)"
        return GatewayHalted(halted.code, f"{halted.reason}; {refused!r} is asked for by {names}", halted.hint)

    def _call_shard_functions(self, event: ShardEvent) -> None:
        for function in self.shard_functions:
            try:
                answer = function(event)
                if inspect.iscoroutine(answer):
                    self.current.spawn(answer, "qqbot on_shard_event")
            except Exception:
                log.exception("an on_shard_event function failed")

    # A simulator

    def on_failed(self, callback: Failed) -> Callable[[], None]:
        """Call `callback(event_id, handler, error)` for each exception of a handler; return what ends that."""
        self.failed.append(callback)
        return lambda: self.failed.remove(callback)

    def advance_timeouts(self, seconds: float) -> list[str]:
        """Let the timeouts of `wait_for` end `seconds` earlier; return the ids of the events whose handlers go on."""
        if self.run is None:
            return []
        self.run.api.clock_moved()
        return self.run.dispatcher.waiters.advance(seconds)

    # Health

    @property
    def serving(self) -> bool:
        """True if a run serves the bot."""
        return self.run is not None

    def ended(self) -> list[str]:
        """Return why the bot has ended by itself; nothing if it has not."""
        failure = self._failure if self.run is None else self.run.failure
        return [] if failure is None else [str(failure) or type(failure).__name__]

    def not_ready(self) -> list[str]:
        """Return why no events are handled now; nothing if they are."""
        reasons, run = self.ended(), self.run
        if run is None:
            return reasons or ["the bot is not served"]
        if run.stopping and not reasons:
            return ["the bot is stopping"]
        return reasons + run.not_ready()

    # Webhook

    def webhook_handler(self) -> "WebhookHandler":
        """Return what answers the webhook calls; from now on, events are known by their ids: they may come again."""
        from ..webhook.handler import WebhookHandler  # noqa: PLC0415 - most bots serve no HTTP

        if self._webhook_handler is None:
            self._events = KnownEvents(time.monotonic())
            if self.run is not None:
                self.run.dispatcher.remember_events(self._events)
            self._webhook_handler = WebhookHandler(self)
        return self._webhook_handler

    async def receive(self, frame: Frame, raw: bytes, *, awaited: bool) -> Outcome | None:
        """Take one event that came by webhook; arguments and errors as in `BotRun.receive`."""
        return await self.current.receive(frame, raw, awaited=awaited)


def _sessions_from_env() -> SessionManager | None:
    """Return the session manager that the environment names, if it names any.  Raises: ConfigError."""
    config = ClusterConfig.from_env()
    if config is None:
        return None
    from ..sessions.cluster.manager import manager_of  # noqa: PLC0415 - most bots run in one process

    return manager_of(config)


def _sharing(sessions: SessionManager, credentials: Credentials) -> AbstractAsyncContextManager[SharedStores | None]:
    """Open what this process shares with others, if its session manager knows of any."""
    return sessions.sharing(credentials) if isinstance(sessions, Sharing) else nullcontext()
