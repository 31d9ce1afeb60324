"""`Deduplicator`: what came before, so that no event is handled twice.

Responsible for three memories behind one door: which handlers had a message (the platform may deliver one twice, also
under two names), which events are unfinished or how they ended (by their ids, if they may come by more than one way),
and the ids that all processes of the bot share (`SeenIds`). Collaborators: the watermark of each source drops what a
session repeats, before it comes here. `now` is seconds of a clock that only goes forward.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from ..aio.clock import Clock
from ..errors import Interrupted
from ..models.frames import Frame
from ..models.outcome import Outcome
from .delivery import Delivery, Handler

REMEMBERED_MESSAGES = 4096
REMEMBERED_SECONDS = 600.0  # a webhook call may be accepted for so long: twice the window of its timestamp
REMEMBERED_EVENTS = 131_072
MAX_ATTACHED = 64  # callers that wait for the end of one event


class SeenIds(Protocol):
    """Ids of events that are finished, shared by processes. A store that fails makes them unknown, never raises."""

    async def add(self, event_id: str) -> bool:
        """Add it; return False if it was there already."""
        ...

    async def contains(self, event_id: str) -> bool:
        """Return whether it is there."""
        ...

    async def discard(self, event_id: str) -> None:
        """Forget it."""
        ...


class KnownEvents:
    """How each event ended, by its id: for at least `REMEMBERED_SECONDS`, or of the last `REMEMBERED_EVENTS`.

    It may outlive a dispatcher, so that a bot that is served again knows what it has handled.
    """

    def __init__(self, now: float) -> None:
        self._known: dict[str, Outcome] = {}
        self._older: dict[str, Outcome] = {}
        self._turned = now  # when `_known` became `_older`: both are dropped as a whole

    def get(self, event_id: str) -> Outcome | None:
        """Return how this event ended."""
        found = self._known.get(event_id)
        return self._older.get(event_id) if found is None else found

    def put(self, event_id: str, outcome: Outcome, now: float) -> None:
        """Remember how this event ended."""
        if now - self._turned >= REMEMBERED_SECONDS or len(self._known) >= REMEMBERED_EVENTS:
            self._older, self._known, self._turned = self._known, {}, now
        self._known[event_id] = outcome

    def forget(self, event_id: str) -> None:
        """Know nothing of this event."""
        self._known.pop(event_id, None)
        self._older.pop(event_id, None)


class New(Struct, frozen=True):
    """The event did not come before: it is to be handled."""


class EndedBefore(Struct, frozen=True):
    """The event came before and ended with `outcome`."""

    outcome: Outcome


class Attached(Struct, frozen=True):
    """The event came before and has not ended: this delivery ends with the first one."""


NEW, ATTACHED = New(), Attached()


class _Unfinished(Struct, eq=False):
    """The first delivery of an event that has not ended, and those that came since."""

    first: Delivery
    duplicates: list[Delivery]  # those whose end matters to a session or to a caller, without their payloads
    retry: bool  # one of the senders delivers it again after a failure


class Deduplicator:
    """The memory of one dispatcher; events are known by their ids only if `seen` is given, or after `track`."""

    __slots__ = (
        "_clock",
        "_events",
        "_seen",
        "_unfinished",
        "_withdrawn",
        "messages",
        "order",
        "remembered",
        "tracking",
    )

    def __init__(self, clock: Clock, seen: SeenIds | None = None) -> None:
        self._clock = clock
        self._seen = seen
        self.messages: dict[str, Sequence[Handler] | None] = {}  # who had it; None: no handler gets it any more
        self.order: deque[str] = deque()  # of the messages: one is dropped at a time, so their memory stays warm
        self.remembered = REMEMBERED_MESSAGES
        self._events = KnownEvents(clock())
        self._unfinished: dict[str, _Unfinished] = {}
        self._withdrawn: list[str] = []  # claims of ours that other processes have to learn of
        self.tracking = seen is not None  # events are known by their ids: they may come by more than one way

    def track(self, events: KnownEvents | None) -> None:
        """From now on, know events by their ids; `events` is a memory that outlives this one."""
        if not self.tracking:
            self.tracking = True
            self._events = events or self._events

    # Events, by their ids

    def admit(self, delivery: Delivery) -> New | EndedBefore | Attached:
        """Return whether the event came before; New: `settled` has to follow."""
        event_id = delivery.frame.id
        if not self.tracking or not event_id:
            return NEW
        retry = delivery.direct is not None and delivery.direct.retry
        unfinished = self._unfinished.get(event_id)
        if unfinished is not None:
            unfinished.retry = unfinished.retry or retry
            if self._has_own_turn(delivery, unfinished.first):
                unfinished.first = delivery
                return NEW
            return self._attach(delivery, unfinished.duplicates)
        outcome = self._events.get(event_id)
        if outcome == "failed" and retry:
            self._let_come_again(delivery)
            outcome = None
        if outcome is not None:
            return EndedBefore(outcome)
        self._unfinished[event_id] = _Unfinished(delivery, [], retry)
        return NEW

    def _has_own_turn(self, delivery: Delivery, first: Delivery) -> bool:
        """Return whether a session repeats an event that began under an earlier lease: it may be given up there.

        The repeat waits behind the first one; if that ends after all, the repeat finds that out at its turn.
        """
        if delivery.direct is not None or first.lease is None or first.lease.valid():
            return False
        return delivery.key != "" and (delivery.message is not None or self.sharing)

    def _attach(self, delivery: Delivery, duplicates: list[Delivery]) -> EndedBefore | Attached:
        """Let a duplicate end with the first delivery; it keeps no payload, since repeats may come in any number."""
        direct, frame = delivery.direct, delivery.frame
        if direct is not None:
            if direct.done is None:
                return EndedBefore("consumed")  # no caller waits for its end
            if len(duplicates) >= MAX_ATTACHED:
                duplicates[:] = [each for each in duplicates if not _abandoned(each)]
            if len(duplicates) >= MAX_ATTACHED and not direct.done.done():
                direct.done.set_exception(
                    Interrupted(f"{frame.id} has not ended, and {MAX_ATTACHED} repeats wait for that: deliver it again")
                )
                return EndedBefore("consumed")
        bare = Frame(op=frame.op, s=frame.s, t=frame.t, id=frame.id)
        duplicates.append(
            Delivery(bare, b"", delivery.source, delivery.received, watermark=delivery.watermark, direct=direct)
        )
        return ATTACHED

    def settled(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """Remember how the event ended, and end its duplicates with it; None: it was given up, and comes again."""
        message = delivery.message
        if outcome is None and message is not None:
            self.forget(message)
        event_id = delivery.frame.id
        if not self.tracking or not event_id:
            return
        unfinished = self._unfinished.get(event_id)
        if unfinished is not None and unfinished.first is not delivery:
            return  # it began before events were known by their ids
        again = self.comes_again(delivery, outcome)
        self._unfinished.pop(event_id, None)
        if again:
            self._let_come_again(delivery)
        elif outcome is not None:
            self._events.put(event_id, outcome, self._clock())
        for duplicate in () if unfinished is None else unfinished.duplicates:
            duplicate.source.finish(duplicate, outcome)

    def comes_again(self, delivery: Delivery, outcome: Outcome | None) -> bool:
        """Return whether the next delivery of this event is to run, after this one has ended so."""
        unfinished = self._unfinished.get(delivery.frame.id or "")
        return outcome is None or (outcome == "failed" and unfinished is not None and unfinished.retry)

    @property
    def unfinished(self) -> int:
        """How many events are known that have not ended."""
        return len(self._unfinished)

    def _let_come_again(self, delivery: Delivery) -> None:
        """Forget an event, so that its next delivery runs like a first one."""
        event_id = delivery.frame.id or ""
        self._events.forget(event_id)
        if delivery.message is not None:
            self.forget(delivery.message)
        if self._seen is not None and delivery.direct is not None and delivery.direct.claimed:
            self._withdrawn.append(event_id)

    # Messages, by the handlers that had them

    def __contains__(self, message: str | None) -> bool:
        return message in self.messages

    def take(self, message: str, handlers: Sequence[Handler]) -> Sequence[Handler]:
        """Return those of `handlers` that have not had this message, and remember that they get it now."""
        messages = self.messages
        if message in messages:
            earlier = messages[message]
            if earlier is None:
                return ()
            fresh = tuple(handler for handler in handlers if handler not in earlier)
            messages[message] = (*earlier, *fresh)
            return fresh
        messages[message] = handlers
        order = self.order
        order.append(message)
        if len(order) > self.remembered:
            del messages[order.popleft()]
        return handlers

    def close(self, message: str) -> None:
        """Remember that no handler is to get this message any more."""
        self.take(message, ())
        self.messages[message] = None

    def forget(self, message: str) -> None:
        """Let the next delivery of this message run again."""
        if message in self.messages:
            del self.messages[message]
            self.order.remove(message)  # slow, but rare: an event was given up

    # What all processes of the bot share

    @property
    def sharing(self) -> bool:
        """True if ids are shared with other processes."""
        return self._seen is not None

    async def is_new(self, delivery: Delivery) -> bool:
        """Return whether no other process has finished the event; if it is to be claimed, whether this one did."""
        event_id = delivery.frame.id
        if self._seen is None or not event_id:
            return True
        direct = delivery.direct
        if direct is None or direct.claimed is None:
            return not await self._seen.contains(event_id)
        direct.claimed = True  # also if this is cut short: the store may have it by then
        direct.claimed = await self._seen.add(event_id)
        return direct.claimed

    async def share(self, delivery: Delivery) -> None:
        """Let all processes know that the event, and what its handler took, is finished."""
        if self._seen is None:
            return
        taken = [] if delivery.dialog is None else [delivery.dialog.held, *delivery.dialog.taken]
        for each in (delivery, *taken):
            if each is not None and each.frame.id:
                await self._seen.add(each.frame.id)

    async def discard(self) -> None:
        """Let any process run the events whose claims were withdrawn."""
        while self._seen is not None and self._withdrawn:
            await self._seen.discard(self._withdrawn.pop())


def _abandoned(duplicate: Delivery) -> bool:
    """True if the caller that delivered it waits no longer."""
    direct = duplicate.direct
    return direct is not None and direct.done is not None and direct.done.done()
