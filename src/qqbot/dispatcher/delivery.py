"""`Delivery`: one event from its acceptance to the end of its handlers, and `DeliverySource`: what it came through.

Responsible for the values that the parts of the dispatcher share: a delivery, an open `wait_for` (`Wait`), its end
without an event (`Resumption`), and what only some deliveries have (`Dialog`, `Direct`). It decides nothing.
Collaborators: `dispatcher`, `waiters`, `sources`.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from msgspec import Raw, Struct

from ..lease import Ownership
from ..models.events import Event, MessageEvent
from ..models.frames import Frame
from ..models.gateway import ShardKey
from ..models.outcome import Outcome
from ..models.watermark import Watermark

Settled = Callable[[str, Outcome], None]
"""Called with the event id and the outcome when the bot is done with an event."""


class Handler(Protocol):
    """One registered handler; hashable by identity."""

    @property
    def name(self) -> str:
        """Its name in logs."""
        ...

    @property
    def qualified_name(self) -> str:
        """Its module and name, as a label of metrics and a field of log records."""
        ...

    @property
    def when(self) -> Callable[[Any], bool] | None:
        """The predicate of the events that it handles; None: it handles every event of its kind."""
        ...

    @property
    def function(self) -> Callable[[Any], Awaitable[object]]:
        """What is awaited with the context."""
        ...


class Selection(Struct, frozen=True):
    """The handlers of one message. `taken`: no other handler gets it, also if it comes again under another name."""

    handlers: tuple[Handler, ...]
    taken: bool


RunHandler: TypeAlias = Callable[[Any], Awaitable[Exception | None]]
"""Runs one handler, and reports and returns what it raises."""
Around: TypeAlias = Callable[[Any, Sequence[Any], RunHandler], Awaitable[None]]
"""Calls handlers with a context, in their order, with what is to be around them."""


class HandlerMatch(Struct, frozen=True, eq=False):
    """What is done with events of one wire name: how they are decoded, and which handlers could take them.

    `decode` returns an `Event`, and a `MessageEvent` if `is_message`. `select` chooses among the handlers of a message,
    if they are not all to get it; `around` calls them by the function that runs one, if anything is to be around them;
    `order` returns the ordering key of an event, if that is not always its conversation.
    """

    decode: Callable[[Raw], Any]
    handlers: tuple[Handler, ...]
    is_message: bool
    select: Callable[[Any], Selection] | None = None
    order: Callable[[Any], str] | None = None
    around: Around | None = None

    def key_of(self, event: Event) -> str:
        """Return the ordering key of an event: of its conversation, one user there, or '' for none."""
        return event.ordering_key if self.order is None else self.order(event)


class Wanted(Struct, frozen=True):
    """What a handler waits for: an event of `kinds` for which `when` holds, in its conversation or `anywhere`."""

    kinds: tuple[type[Event], ...]
    when: Callable[[Any], bool] | None = None
    anywhere: bool = False


Unseen: TypeAlias = tuple[Frame, bytes, "DeliverySource", float, Watermark | None, "Direct | None"]
"""An event that is accepted and was not looked at: the first fields of its `Delivery`."""


class WaitsForEvents(Protocol):
    """What suspends handlers: `waiters.Waiters`."""

    def wait_for(
        self, waiter: "Delivery", wanted: Wanted, timeout: float | None
    ) -> Coroutine[object, object, "Delivery"]:
        """Suspend the handler of `waiter`.  Raises: TimeoutError, ConfigError, LeaseLost."""
        ...

    def open_interruption(self, waiter: "Delivery", wanted: Wanted) -> "Wait":
        """Begin to look for an event that interrupts the handler of `waiter`.  Raises: ConfigError."""
        ...

    def close_interruption(self, wait: "Wait") -> None:
        """Look for it no longer."""
        ...

    def end_waits(self, source: "DeliverySource") -> None:
        """Let the handlers of events of `source` wait no longer: they go on with LeaseLost."""
        ...


class DeliverySource:
    """One source of events: those that have not begun, and how many are unfinished."""

    def __init__(self, lease: Ownership | None, waiters: WaitsForEvents) -> None:
        self.lease = lease
        self.waiters = waiters
        self.inbox: deque[Unseen] = deque()  # the backlog swaps it for an empty one
        self.given_up = 0  # they count as unfinished, but nothing will finish them here
        self.waiting = 0  # unfinished events of handlers that are suspended in `wait_for`
        self.watched: asyncio.Future[None] | None = None  # one future for all callers of `changed`
        self.ended = False  # its lease ends here: the next owner gets what is unfinished

    @property
    def pending(self) -> int:
        """How many events are unfinished."""
        return 0

    async def drain(self, seconds: float) -> int:
        """Wait until every event is finished, at most `seconds`; return how many are not.

        A handler that is suspended in `wait_for` is not waited for, because no event comes any more that could resume
        it; but after `end` it is, since it goes on.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.pending > (0 if self.ended else self.waiting):
                    await self.changed()
        return self.pending

    async def changed(self) -> None:
        """Return when an event is finished, or its handler is suspended."""
        if self.watched is None:
            self.watched = asyncio.get_running_loop().create_future()
        await asyncio.shield(self.watched)

    def end(self) -> None:
        """End the dialogs of its handlers: the next owner of its lease gets them again.

        Otherwise a handler that still waits would take an event that comes under a later lease.
        """
        if not self.ended:
            self.ended = True
            self.waiters.end_waits(self)

    def finish(self, delivery: "Delivery", outcome: Outcome | None) -> None:
        """Mark `delivery` as ended; `outcome` None: it was given up and stays unfinished."""
        if outcome is None:
            self.given_up += 1
        elif delivery.watermark is not None:
            delivery.watermark.finish(delivery.frame.s or 0)
        if self.watched is not None:
            self.wake()

    def wake(self) -> None:
        """Let the callers of `changed` go on."""
        if self.watched is not None:
            self.watched.set_result(None)
            self.watched = None


class Wait(Struct, eq=False):
    """One open `wait_for`: the handler of `waiter` waits for what is `wanted` in the conversation `place`.

    `owners`: the conversation and the user of whose share it is.
    """

    wanted: Wanted
    place: str
    waiter: "Delivery"
    future: "asyncio.Future[Delivery]"
    owners: tuple[str, ...] = ()
    interrupts: bool = False  # the event is taken at once, and its handler goes on meanwhile


class Resumption(Struct, eq=False):
    """A handler goes on without an event: its `wait` timed out, or its predicate raised. It queues like an event.

    `ordering_key` is set while it holds that key for the handler.
    """

    wait: Wait
    error: Exception
    ordering_key: str | None = None


class Dialog(Struct, eq=False):
    """What a handler has that waits for further events: its open waits, and the event that it took last.

    `taken` are the events that it took before. They stay unfinished until it ends, so that a process that dies repeats
    the whole dialog, with the answers that it had.
    """

    open: int = 0
    held: "Delivery | None" = None  # it holds its ordering key in place of the event that began the dialog
    taken: "list[Delivery]" = []
    reported: bool = False  # to the listeners, that the handler waits; it is repeated after a timeout only
    over: bool = False  # the handler has ended; a task that it left behind may still wait
    limit: asyncio.Timeout | None = None  # of the handler that runs; it stands still during `wait_for`
    left: float | None = None  # seconds that `limit` had left when the handler was suspended


class Direct(Struct, eq=False):
    """What a delivery has that no shard of this process received.

    `claimed`: whether its id was claimed for all processes; None: not to be claimed before its handlers begin.
    """

    done: "asyncio.Future[Outcome | None] | None" = None  # its caller waits for the outcome
    claimed: bool | None = None
    retry: bool = False  # its sender delivers it again after a failure, and then it runs again
    again: bool = False  # its sender delivered it before, to a process that may have begun to handle it
    headers: Mapping[str, str] = {}  # of its envelope


NO_HEADERS: Mapping[str, str] = MappingProxyType({})

UNDECODED = Event()
"""The event of a delivery that ended before it was looked at."""
NO_MATCH = HandlerMatch(lambda _: UNDECODED, (), is_message=False)


class Parked(Event, frozen=True):
    """Stands for an event that was decoded and waits for its turn: only its ordering key is kept."""

    key: str = ""

    @property
    def ordering_key(self) -> str:
        """Names the conversation in which events are handled in order."""
        return self.key


class Delivery(Struct, eq=False):
    """One event on its way. A Struct, since one is made for every event and msgspec makes them in C.

    `received` is a moment of the API's clock. `event` is `Parked` while it waits behind its conversation: what waits
    must be small. A field is set for few events only: msgspec makes that slow, and the constructor fast.
    """

    frame: Frame
    raw: bytes
    source: DeliverySource
    received: float
    watermark: Watermark | None = None
    direct: Direct | None = None
    event: Event = UNDECODED
    match: HandlerMatch = NO_MATCH
    ordering_key: str | None = None  # set while it holds its key, '' if that needs no order
    handler: Handler | None = None  # that is suspended; of one that is in its first step `ordering` knows
    wait: Wait | None = None  # takes it in place of the handlers
    dialog: Dialog | None = None  # its handler has waited, or has a time limit
    answered: bool = False  # its handlers have begun to answer it
    refused: bool = False  # a handler was cut short because the lease had ended

    @property
    def key(self) -> str:
        """The ordering key: of the conversation, of one user there, or ''; see `ordering`."""
        return self.match.key_of(self.event)

    @property
    def message(self) -> str | None:
        """The id of the message that it is; None: it is no message."""
        return self.event.id if isinstance(self.event, MessageEvent) else None

    @property
    def again(self) -> bool:
        """True if an earlier process may have begun to handle it."""
        if self.direct is not None:
            return self.direct.again
        return self.watermark is not None and self.frame.s is not None and self.watermark.is_again(self.frame.s)

    @property
    def lease(self) -> Ownership | None:
        """The lease under which it is handled; None if it is handled without one."""
        return self.source.lease

    @property
    def shard(self) -> ShardKey | None:
        """The shard of this process that received it; None if none did."""
        lease = self.source.lease
        return None if lease is None or self.direct is not None else lease.shard

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the envelope in which a broker delivered it."""
        return NO_HEADERS if self.direct is None else self.direct.headers

    def answer(self, outcome: Outcome | None) -> None:
        """Return the outcome to the caller that waits for it."""
        if self.direct is not None and (done := self.direct.done) is not None and not done.done():
            done.set_result(outcome)

    async def wait_for(self, wanted: Wanted, timeout: float | None) -> "Delivery":
        """Suspend the handler until what is wanted comes; `timeout` in seconds.

        Raises: TimeoutError, ConfigError, LeaseLost.
        """
        return await self.source.waiters.wait_for(self, wanted, timeout)

    def open_interruption(self, wanted: Wanted) -> Wait:
        """Begin to look for an event that interrupts the handler; its future gets it.  Raises: ConfigError."""
        return self.source.waiters.open_interruption(self, wanted)

    def close_interruption(self, wait: Wait) -> None:
        """Look for it no longer."""
        self.source.waiters.close_interruption(wait)
