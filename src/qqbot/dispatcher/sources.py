"""The sources: `ShardSource` takes the events of one shard, `DirectSource` those that no shard here received.

Responsible for dropping what a session repeats, and for the outcomes that callers of `DirectSource` wait for.
Collaborators: `dispatcher`, which runs the handlers, and its `backlog`, which holds what has not begun.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from ..lease import Lease, Ownership
from ..models.frames import Frame
from ..models.outcome import Outcome
from ..models.watermark import Watermark
from .delivery import NO_HEADERS, Delivery, DeliverySource, Direct
from .dispatcher import Dispatcher

log = logging.getLogger(__name__)


class ShardSource(DeliverySource):
    """The source for one lease; counts what of its session is finished."""

    def __init__(self, dispatcher: Dispatcher, lease: Lease) -> None:
        super().__init__(lease, dispatcher.waiters)
        self.watermark = Watermark()
        self.repeats = 0
        self._backlog = dispatcher.backlog
        self._capacity = dispatcher.backlog.capacity
        self._turns = dispatcher.backlog.turns
        self._sessions = [self.watermark]  # earlier ones too, while events of theirs are unfinished

    @property
    def full(self) -> bool:
        """True if reading has to wait."""
        return self._capacity.busy or self._turns.busy or self.watermark.crowded

    async def room(self) -> None:
        """Return when there is room for another event."""
        await self._capacity.room()
        await self._turns.room()
        while self.watermark.crowded:
            await self.changed()
            await self._capacity.room()

    def begin(
        self, session_id: str, seq: int, done: Sequence[tuple[int, int]] = (), *, taken_over: bool = False
    ) -> None:
        """Start counting the session: everything up to `seq`, and the ranges `done`, is finished.

        `taken_over`: from an earlier process, which may have begun to handle what is repeated until `caught_up`.
        """
        log.debug("counting session %.100r from seq %d", session_id, seq)
        self.watermark = Watermark(seq, done, taken_over=taken_over)
        self._sessions = [*(session for session in self._sessions if session.unfinished), self.watermark]

    def caught_up(self, seq: int) -> None:
        """Mark everything up to `seq` as repeated; what follows is new."""
        self.watermark.caught_up(seq)

    @property
    def pending(self) -> int:
        """How many events of this and earlier sessions are unfinished."""
        return sum(session.unfinished for session in self._sessions) - self.given_up

    def publish(self, frame: Frame, raw: bytes) -> bool:
        """Take one dispatch, unless this session delivered it before. False: let handlers run before another one."""
        watermark = self.watermark
        if frame.s is not None and not watermark.accept(frame.s):
            self.repeats += 1
            return True
        inbox, backlog, capacity = self.inbox, self._backlog, self._capacity
        # `Backlog.arrival` and `put`, without the calls: this is the hot path.
        if not backlog.waking:
            backlog.wake()
        if not inbox:
            backlog.sources.append(self)
        inbox.append((frame, raw, self, backlog.received, watermark, None))
        size = capacity.bytes = capacity.bytes + len(raw)
        count = capacity.count = capacity.count + 1
        if count < backlog.enough and size < capacity.max_bytes:
            return True
        backlog.stop_reading()
        return False


class DirectSource(DeliverySource):
    """The source for webhook calls and for events that another process received.

    `lease`: the right under which the events are handled, such as that to a partition of a broker.
    """

    def __init__(self, dispatcher: Dispatcher, lease: Ownership | None = None) -> None:
        super().__init__(lease, dispatcher.waiters)
        self._dispatcher = dispatcher
        self._pending = 0
        dispatcher.remember_events()

    @property
    def pending(self) -> int:
        """How many events are unfinished."""
        return self._pending

    async def accept(
        self,
        frame: Frame,
        raw: bytes,
        *,
        age: float = 0.0,
        retry: bool = False,
        again: bool = False,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> "asyncio.Future[Outcome | None]":
        """Take one event as soon as there is room; return the future of its outcome, None: it has to come again.

        A duplicate of an event that is not finished waits for that one's end; its future raises Interrupted when too
        many wait. `age`: how many seconds ago it was received. `retry`: its sender delivers it again after a failure,
        and then it runs again. `again`: another process, or this one, may have begun to handle it. `headers`: of its
        envelope.
        """
        done: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        if not await self._put(frame, raw, Direct(done, retry=retry, again=again, headers=headers), age):
            done.set_result(None)
        return done

    async def take(self, frame: Frame, raw: bytes) -> bool:
        """Take one event and return before it is handled; a duplicate is dropped. False: it has to come again."""
        return await self._put(frame, raw, Direct(claimed=False), 0.0)

    async def _put(self, frame: Frame, raw: bytes, direct: Direct, age: float) -> bool:
        await self._dispatcher.room()
        if self._dispatcher.closed:
            return False
        self._pending += 1
        backlog = self._dispatcher.backlog
        backlog.put((frame, raw, self, backlog.arrival() - age, None, direct))
        return True

    def finish(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """Mark `delivery` as ended, and return the outcome to its caller."""
        self._pending -= 1
        super().finish(delivery, outcome)
        delivery.answer(outcome)
