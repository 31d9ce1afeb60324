"""The Protocols by which the columns of one layer meet: what each needs of another, and no more.

Owns no implementation. `current_lease` names the lease under which the running handler works.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Literal, NamedTuple, Protocol, TypedDict, runtime_checkable

from msgspec import Raw, Struct

from .config import Credentials, ShardPlan
from .models.events import Event
from .models.frames import Frame
from .models.gateway import GatewayBot, ResumeState, ShardExit, ShardKey
from .models.ingest import Envelope, Fence
from .models.watermark import Watermark

Clock = Callable[[], float]
"""Seconds that only go forward."""

LostReason = Literal["taken", "expired", "fenced", "stopped"]


class ConnectOptions(TypedDict, total=False):
    """How sockets reach the platform. `proxy_for` names the HTTP proxy for a URL; None leaves it to the session."""

    proxy_for: Callable[[str], str | None]
    ssl_context: SSLContext | None


class TokenSource(Protocol):
    """Hands out access tokens."""

    async def get(self) -> str:
        """Return a token that is good for the next call."""
        ...

    def invalidate(self, token: str) -> None:
        """Forget `token` if it is still the current one: the platform refused it."""
        ...


@dataclass(frozen=True, slots=True)
class SharedToken:
    """An access token that another process fetched, and for how many `seconds` it is still good."""

    value: str = field(repr=False)
    seconds: float


class TokenStore(Protocol):
    """Where processes share one access token. A store that fails has none and lets everybody fetch: it never raises."""

    async def load(self) -> SharedToken | None:
        """Return what is there now."""
        ...

    async def save(self, token: SharedToken) -> None:
        """Put a token there for the others."""
        ...

    def refreshing(self) -> AbstractAsyncContextManager[bool]:
        """Hold the right to fetch a token; False: another process has it, and saves what it gets."""
        ...


class Permit(Protocol):
    """The right to send one IDENTIFY, for a short time."""

    def usable(self) -> bool:
        """Whether it may still be used now."""
        ...


class Lease(Protocol):
    """The right to run one shard, handed out by a session manager."""

    @property
    def shard(self) -> ShardKey:
        """Which shard."""
        ...

    @property
    def token(self) -> int:
        """Fencing token: a later owner of the same shard has a larger one."""
        ...

    def valid(self) -> bool:
        """Whether this process may act for the shard now; cheap, ask before each dispatch."""
        ...

    async def wait_lost(self) -> LostReason:
        """Return when the lease is no longer ours."""
        ...

    def checkpoint(self, state: ResumeState) -> None:
        """Note the state; it is written with the next synchronisation."""
        ...

    async def save(self, state: ResumeState | None) -> None:
        """Write the state now; None forgets the session. What merely fails is raised as it is, and only logged.

        Raises: LeaseLost.
        """
        ...

    def fenced(self, token: int) -> None:
        """Give the shard up: its events were published under `token` (0: unknown), which is larger than ours.

        Whoever has the shard next, has it under a larger one.
        """
        ...

    async def may_renew(self) -> bool:
        """Whether the budget allows to replace a session that still works by a new one."""
        ...

    def identify_turn(self) -> AbstractAsyncContextManager[None]:
        """Hold this process's turn to connect for an IDENTIFY: from before the socket opens until it was sent."""
        ...

    async def identify_permit(self) -> Permit:
        """Wait until an IDENTIFY may be sent; the turn is held."""
        ...


@runtime_checkable
class MutedLease(Lease, Protocol):
    """A lease whose shard connects but is not heard yet: another generation of shards delivers the same events."""

    @property
    def kept(self) -> float:
        """For how many seconds events are kept, to be handled when the shard is heard."""
        ...

    async def wait_heard(self) -> None:
        """Return when the events are to be handled."""
        ...


class GatewaySource(Protocol):
    """What a session manager asks of the platform, and how many shards the user wants."""

    @property
    def app_id(self) -> str:
        """The bot's AppID."""
        ...

    @property
    def plan(self) -> ShardPlan:
        """Which shards the user wants."""
        ...

    async def fetch(self) -> GatewayBot:
        """Ask /gateway/bot; waits out an unreachable platform."""
        ...


ShardFactory = Callable[[Lease, GatewayBot, ResumeState | None], Awaitable[ShardExit]]
"""Runs one shard until it ends by itself; cancelling it drains, saves the state and closes."""


class Intake(Protocol):
    """Where a shard leaves its events."""

    @property
    def full(self) -> bool:
        """Whether reading has to wait."""
        ...

    async def room(self) -> None:
        """Return when there is room again."""
        ...

    def begin(
        self, session_id: str, seq: int, done: Sequence[tuple[int, int]] = (), *, taken_over: bool = False
    ) -> None:
        """Start counting a session: everything up to `seq`, and the ranges `done`, is finished.

        `taken_over`: from an earlier process, which may have begun to handle what is repeated until `caught_up`.
        """
        ...

    def caught_up(self, seq: int) -> None:
        """Note that all is repeated up to `seq`; what follows is new."""
        ...

    def publish(self, frame: Frame, raw: bytes) -> bool:
        """Take one dispatch frame; `raw` is what arrived. False: let handlers run before another one."""
        ...


class ShardFeed(Intake, Protocol):
    """An intake for one shard, as the fleet sees it."""

    @property
    def watermark(self) -> Watermark:
        """What of the current session is finished."""
        ...

    @property
    def repeats(self) -> int:
        """How many events were dropped because the session had delivered them before."""
        ...

    async def drain(self, seconds: float) -> int:
        """Wait until every event is finished, at most `seconds`; return how many are not."""
        ...


class EventSink(Protocol):
    """Where events go that are handled in another process."""

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        """Store the events, in order; returning means that they are safe.

        Raises: FencedOut, with the later owner's token, when one has published; anything else means "try again".
        """
        ...


class SeenIds(Protocol):
    """Ids of events that are finished, shared by processes. A store that fails makes them unknown, never raises."""

    async def add(self, event_id: str) -> bool:
        """Note it; False when it was there already."""
        ...

    async def contains(self, event_id: str) -> bool:
        """Whether it is there."""
        ...

    async def discard(self, event_id: str) -> None:
        """Forget it."""
        ...


class Shared(NamedTuple):
    """What the processes of one bot share besides its shards; None where they do not."""

    tokens: TokenStore | None = None
    seen: SeenIds | None = None


@runtime_checkable
class Sharing(Protocol):
    """A session manager that knows where the processes of a bot meet."""

    def sharing(self, credentials: Credentials) -> AbstractAsyncContextManager[Shared]:
        """Open what is shared, for as long as the bot is served."""
        ...


class ShardEvent(Struct, frozen=True):
    """Something that happened to a shard, for logs and metrics.

    `code` is the close code of `closed` and `halted`, `cause` says why in words.
    """

    kind: Literal["connected", "identified", "resumed", "closed", "halted", "lease_lost"]
    shard: ShardKey
    code: int | None = None
    cause: str = ""


Outcome = Literal["handled", "failed", "unwanted", "waiting", "consumed"]
"""How the bot is done with an event.

`waiting`: its handler is suspended in `wait_for`; `consumed`: the handler that took it in `wait_for` waits again, or
has ended.
"""

Settled = Callable[[str, Outcome], None]
"""Called with the event id and the outcome when the bot is done with an event."""


class Handler(Protocol):
    """One registered handler; hashable by identity."""

    @property
    def name(self) -> str:
        """How logs call it."""
        ...

    @property
    def when(self) -> Callable[[Any], bool] | None:
        """Whether the handler takes an event of its kind; None: every one."""
        ...

    @property
    def function(self) -> Callable[[Any], Awaitable[object]]:
        """What is awaited with the context."""
        ...


class Plan(Struct, frozen=True, eq=False):
    """What is done with events of one wire name: how they are decoded, and by whom they are handled.

    `decode` returns an `Event`, and a `MessageEvent` where `is_message`.
    """

    decode: Callable[[Raw], Any]
    handlers: tuple[Handler, ...]
    is_message: bool


class HandlerRun(Struct, frozen=True):
    """One run of a handler, for metrics: `event` by its wire name, `seconds` that it took, what it raised."""

    event: str
    handler: str
    seconds: float
    error: Exception | None = None


HandlerListener = Callable[[HandlerRun], None]


class Wanted(Struct, frozen=True):
    """What a handler waits for: an event of `kinds` for which `when` holds, in its conversation or `anywhere`."""

    kinds: tuple[type[Event], ...]
    when: Callable[[Any], bool] | None = None
    anywhere: bool = False


class Delivered(Protocol):
    """An event on its way through the handlers, as their context sees it.

    `received` is a moment of the API's clock; `lease` None: no shard of this process received it.
    """

    @property
    def event(self) -> Event:
        """The event itself."""
        ...

    @property
    def frame(self) -> Frame:
        """The envelope."""
        ...

    @property
    def raw(self) -> bytes:
        """The frame as it arrived."""
        ...

    @property
    def received(self) -> float:
        """When it was accepted."""
        ...

    @property
    def lease(self) -> Lease | None:
        """Under which it is handled."""
        ...

    @property
    def again(self) -> bool:
        """Whether an earlier process may have begun to handle it."""
        ...

    async def wait_for(self, wanted: Wanted, timeout: float | None) -> "Delivered":
        """Suspend the handler until what is wanted comes; `timeout` in seconds.  Raises: TimeoutError, ConfigError."""
        ...


class Handlers(Protocol):
    """What the dispatcher asks of the router."""

    @property
    def plans(self) -> Mapping[str, Plan]:
        """The plans that were asked for, by wire name; emptied when handlers come or go."""
        ...

    def plan(self, name: str) -> Plan:
        """Return what is done with events of this wire name."""
        ...

    def expected(self, name: str) -> bool:
        """Whether handlers may wait for an event of this wire name, so that it is no surprise."""
        ...

    def match(self, event: Event) -> Sequence[Handler]:
        """Return the handlers for events of this kind, in order of registration."""
        ...

    @property
    def context(self) -> Callable[[Delivered], object]:
        """Makes what the handlers are called with."""
        ...

    async def report(self, context: object, error: Exception, handler: str) -> None:
        """Tell the user that a handler failed. Must not raise."""
        ...


ShardListener = Callable[[ShardEvent], None]

current_lease: ContextVar[Lease | None] = ContextVar("qqbot_current_lease", default=None)
