"""`BufferedSource`: keeps the last events of a shard on standby, and delivers them when it is activated.

Responsible for the ring of kept events. While the number of shards changes, both generations of shards receive every
event: the old one handles them until the new one is complete. Events that have left the ring by then were handled by
the old one long ago. Collaborators: the `ShardConsumer` behind it, `lease.StandbyLease` (when to activate). It does
not decide when a generation is complete.
"""

import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from ..aio.background import background
from ..aio.clock import Clock, steady
from ..lease import StandbyLease
from ..models.frames import Frame
from ..models.watermark import Watermark
from .shard import FrameConsumer


class ShardConsumer(FrameConsumer, Protocol):
    """Receives the events of one shard, and counts which of them are finished."""

    @property
    def watermark(self) -> Watermark:
        """Which events of the current session are finished."""
        ...

    @property
    def repeats(self) -> int:
        """How many duplicates were dropped: events that the session had delivered before."""
        ...

    async def drain(self, seconds: float) -> int:
        """Wait until every event is finished, at most `seconds`; return how many are not."""
        ...

    def end(self) -> None:
        """End the dialogs of handlers: the next owner of the lease gets them again."""
        ...


log = logging.getLogger(__name__)

MOST_KEPT = 65_536
MOST_KEPT_BYTES = 48 * 1024 * 1024  # of raw frames


class BufferedSource:
    """A source in front of `consumer`; keeps the events of the last `kept()` seconds until `activate`."""

    def __init__(self, consumer: ShardConsumer, kept: Callable[[], float], *, clock: Clock = steady) -> None:
        self._consumer = consumer
        self._kept = kept
        self._clock = clock
        # When each event came, its frame and its bytes; None since `activate`, when events pass through.
        self._ring: deque[tuple[float, Frame, bytes]] | None = deque()
        self._bytes = 0  # of the frames in the ring
        self._overflowed = False  # it was logged that events left the ring too early

    @property
    def full(self) -> bool:
        """True if reading has to wait; never on standby, because the ring drops its oldest events."""
        return self._ring is None and self._consumer.full

    async def room(self) -> None:
        """Return when there is room again."""
        await self._consumer.room()

    def begin(
        self, session_id: str, seq: int, done: Sequence[tuple[int, int]] = (), *, taken_over: bool = False
    ) -> None:
        """Start counting a session; drop what was kept, which belongs to an earlier one."""
        if self._ring is not None:
            self._ring.clear()
            self._bytes = 0
        # The other generation handles the same events, so what is delivered from the ring may be a duplicate.
        self._consumer.begin(session_id, seq, done, taken_over=taken_over or self._ring is not None)

    def caught_up(self, seq: int) -> None:
        """Mark the replay as complete up to `seq`; on standby only `activate` does: kept events may be duplicates."""
        if self._ring is None:
            self._consumer.caught_up(seq)

    def publish(self, frame: Frame, raw: bytes) -> bool:
        """Keep the event, or pass it on; return False to let handlers run before the next."""
        if self._ring is None:
            return self._consumer.publish(frame, raw)
        now = self._clock()
        self._ring.append((now, frame, raw))
        self._bytes += len(raw)
        while self._ring[0][0] < now - self._kept() or self._too_much(self._ring):
            _, oldest, dropped = self._ring.popleft()
            self._bytes -= len(dropped)
            self._mark_finished(oldest)
        return True

    def _too_much(self, ring: deque[tuple[float, Frame, bytes]]) -> bool:
        """True if the oldest event must go although it is young; the newest one stays."""
        if len(ring) <= MOST_KEPT and (self._bytes <= MOST_KEPT_BYTES or len(ring) == 1):
            return False
        if not self._overflowed:
            self._overflowed = True
            log.warning(
                "a shard on standby receives more than can be kept (%d events, %d bytes): the oldest are dropped, and "
                "handled only if the earlier generation of shards still does so",
                len(ring),
                self._bytes,
            )
        return True

    def _mark_finished(self, frame: Frame) -> None:
        """Mark an event as finished that the other generation has handled: a RESUME need not replay it."""
        if frame.s is not None and self.watermark.accept(frame.s):
            self.watermark.finish(frame.s)

    def activate(self) -> None:
        """Deliver what was kept, oldest first, and pass on what comes from here on."""
        ring, self._ring, self._bytes = self._ring, None, 0
        for _, frame, raw in ring or ():
            self._consumer.publish(frame, raw)
        if ring:
            self._consumer.caught_up(ring[-1][1].s or 0)

    @property
    def watermark(self) -> Watermark:
        """Which events of the current session are finished."""
        return self._consumer.watermark

    @property
    def repeats(self) -> int:
        """How many duplicates were dropped: events that the session had delivered before."""
        return self._consumer.repeats

    async def drain(self, seconds: float) -> int:
        """Wait until every event is finished, at most `seconds`; return how many are not."""
        return await self._consumer.drain(seconds)

    def end(self) -> None:
        """End the dialogs of handlers: the next owner of the lease gets them again."""
        self._consumer.end()


@asynccontextmanager
async def buffered(consumer: ShardConsumer, lease: StandbyLease) -> AsyncGenerator[BufferedSource]:
    """Run a source on standby that is activated as soon as `lease` is."""
    source = BufferedSource(consumer, lambda: lease.kept)
    async with background(_activate(source, lease), name=f"qqbot standby {lease.shard}"):
        yield source


async def _activate(source: BufferedSource, lease: StandbyLease) -> None:
    await lease.wait_active()
    source.activate()
