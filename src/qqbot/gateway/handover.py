"""`BufferedSource`: keeps the last events of a shard that is not to be heard yet, and hands them over when it is.

Owns the ring. While the number of shards changes, both generations of shards deliver every event: the old one is
heard until the new one is complete. What has left the ring by then was handled by the old one long ago.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from ..aio.clock import Clock, steady
from ..lease import StandbyLease
from ..models.frames import Frame
from ..models.watermark import Watermark
from .shard import FrameConsumer


class ShardConsumer(FrameConsumer, Protocol):
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


MOST_KEPT = 65_536


class BufferedSource:
    """A feed in front of `consumer`; keeps what came in the last `seconds` until `activate`."""

    def __init__(self, consumer: ShardConsumer, seconds: float, *, clock: Clock = steady) -> None:
        self._consumer = consumer
        self._seconds = seconds
        self._clock = clock
        self._ring: deque[tuple[float, Frame, bytes]] | None = deque()

    @property
    def full(self) -> bool:
        """Whether reading has to wait."""
        return self._ring is None and self._consumer.full

    async def room(self) -> None:
        """Return when there is room again."""
        await self._consumer.room()

    def begin(
        self, session_id: str, seq: int, done: Sequence[tuple[int, int]] = (), *, taken_over: bool = False
    ) -> None:
        """Start counting a session; what was kept is of another one."""
        if self._ring is not None:
            self._ring.clear()
        # What is kept has been handled by the other generation, as far as that got.
        self._consumer.begin(session_id, seq, done, taken_over=taken_over or self._ring is not None)

    def caught_up(self, seq: int) -> None:
        """Note that all is repeated up to `seq`; what is kept is a repeat until it is handed over."""
        if self._ring is None:
            self._consumer.caught_up(seq)

    def publish(self, frame: Frame, raw: bytes) -> bool:
        """Keep the event, or pass it on; return whether there is room for another one."""
        if self._ring is None:
            return self._consumer.publish(frame, raw)
        now = self._clock()
        self._ring.append((now, frame, raw))
        while self._ring[0][0] < now - self._seconds or len(self._ring) > MOST_KEPT:
            self._pass_over(self._ring.popleft()[1])
        return True

    def _pass_over(self, frame: Frame) -> None:
        """Count an event as finished that the other generation has handled."""
        if frame.s is not None and self.watermark.accept(frame.s):
            self.watermark.finish(frame.s)

    def activate(self) -> None:
        """Hand over what was kept, oldest first, and pass on what comes."""
        ring, self._ring = self._ring, None
        for _, frame, raw in ring or ():
            self._consumer.publish(frame, raw)
        if ring:
            self._consumer.caught_up(ring[-1][1].s or 0)

    @property
    def watermark(self) -> Watermark:
        """What of the current session is finished."""
        return self._consumer.watermark

    @property
    def repeats(self) -> int:
        """How many events were dropped because the session had delivered them before."""
        return self._consumer.repeats

    async def drain(self, seconds: float) -> int:
        """Wait until every event is finished, at most `seconds`; return how many are not."""
        return await self._consumer.drain(seconds)


@asynccontextmanager
async def buffered(consumer: ShardConsumer, lease: StandbyLease) -> AsyncGenerator[BufferedSource]:
    """A muted feed that is heard as soon as `lease` says so."""
    quiet = BufferedSource(consumer, lease.kept)
    waiting = asyncio.create_task(_activate(quiet, lease), name=f"qqbot muted {lease.shard}")
    try:
        yield quiet
    finally:
        waiting.cancel()
        await asyncio.wait([waiting])


async def _activate(consumer: BufferedSource, lease: StandbyLease) -> None:
    await lease.wait_active()
    consumer.activate()
