"""The inlets: `ShardSource` takes the events of one shard, `DirectSource` those that no shard of this process received.

Owns dropping what a session repeats, and what callers of `DirectSource` wait for. Handlers are run by `dispatcher`.
"""

import asyncio
import logging
from collections.abc import Sequence

from ..lease import Lease
from ..models.frames import Frame
from ..models.gateway import MAX_SEQ
from ..models.outcome import Outcome
from ..models.watermark import Watermark
from .delivery import Delivery, DeliverySource
from .dispatcher import Dispatcher
from .waits import Wanted

log = logging.getLogger(__name__)


class _DispatcherSource(DeliverySource):
    """An inlet of a dispatcher."""

    def __init__(self, dispatcher: Dispatcher, lease: Lease | None) -> None:
        super().__init__(lease)
        self._dispatcher = dispatcher

    async def wait_for(self, waiter: Delivery, wanted: Wanted, timeout: float | None) -> Delivery:
        """Suspend the handler of `waiter`.  Raises: TimeoutError, ConfigError."""
        return await self._dispatcher.dialogs.wait_for(waiter, wanted, timeout)


class ShardSource(_DispatcherSource):
    """The inlet for one lease; counts what of its session is finished."""

    def __init__(self, dispatcher: Dispatcher, lease: Lease) -> None:
        super().__init__(dispatcher, lease)
        self.watermark = Watermark()
        self.repeats = 0
        self._sessions = [self.watermark]
        self._accept = dispatcher.accept
        self._again_to = -1

    @property
    def full(self) -> bool:
        """Whether reading has to wait."""
        return self._dispatcher.full or self.watermark.crowded

    async def room(self) -> None:
        """Return when there is room for another event."""
        while self.full:
            await self._dispatcher.room()
            if self.watermark.crowded:
                await self.changed()

    def begin(
        self, session_id: str, seq: int, done: Sequence[tuple[int, int]] = (), *, taken_over: bool = False
    ) -> None:
        """Start counting the session: everything up to `seq`, and the ranges `done`, is finished.

        `taken_over`: from an earlier process, which may have begun to handle what is repeated until `caught_up`.
        """
        self._again_to = MAX_SEQ if taken_over else -1
        log.debug("counting session %s from seq %d", session_id, seq)
        self.watermark = Watermark(seq, done)
        self._sessions = [*(session for session in self._sessions if session.unfinished), self.watermark]

    def caught_up(self, seq: int) -> None:
        """Note that all is repeated up to `seq`; what follows is new."""
        self._again_to = min(self._again_to, seq)

    def is_again(self, seq: int | None) -> bool:
        """Whether an earlier process may have begun to handle this event."""
        return seq is not None and seq <= self._again_to

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
        return self._accept(frame, raw, self, watermark)


class DirectSource(_DispatcherSource):
    """The inlet for webhook calls and for events that another process received."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__(dispatcher, None)
        self._pending = 0
        self._turns = asyncio.Lock()  # who came first goes in first
        dispatcher.remember_events()

    @property
    def pending(self) -> int:
        """How many events are unfinished."""
        return self._pending

    async def deliver(self, frame: Frame, raw: bytes, *, age: float = 0.0, retry: bool = False) -> Outcome | None:
        """Take one event and return how it ended; None when it was given up, so that it has to come again.

        `age`: how many seconds ago it was received. A repeat of an event that is not finished waits for that one's
        end. `retry`: its sender delivers it once more where it failed, and then it runs once more. Being cancelled
        does not end the handlers.
        """
        async with self._turns:
            await self._dispatcher.room()
            if self._dispatcher.closed:
                return None
            self._pending += 1
            done: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
            self._dispatcher.accept(frame, raw, self, done=done, age=age, retry=retry)
        return await done

    async def take(self, frame: Frame, raw: bytes) -> bool:
        """Take one event and return before it is handled; a repeat is dropped. False: it has to come again."""
        async with self._turns:
            await self._dispatcher.room()
            if self._dispatcher.closed:
                return False
            self._pending += 1
            self._dispatcher.accept(frame, raw, self, claimed=False)
        return True

    def finish(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """Note the end of `delivery`, and tell who waits for it."""
        self._pending -= 1
        super().finish(delivery, outcome)
        if delivery.done is not None and not delivery.done.done():
            delivery.done.set_result(outcome)
