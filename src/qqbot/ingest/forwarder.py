"""`Forwarder`: takes the dispatcher's place in a process that only receives events: they go to a sink.

Owns what of each session is stored. An event is finished when the sink has returned: then its seq is saved, and no
later process asks the platform for it again.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, Self

from ..aio.capacity import Capacity
from ..errors import FencedOut
from ..lease import Lease
from ..models.frames import SYSTEM_EVENTS, Frame
from ..models.ingest import Envelope, Fence, key_of
from ..models.watermark import Watermark


class EventSink(Protocol):
    """Where events go that are handled in another process."""

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        """Store the events, in order; returning means that they are safe.

        Raises: FencedOut, with the later owner's token, when one has published; anything else means "try again".
        """
        ...


log = logging.getLogger(__name__)

LARGEST_BATCH = 256
RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.5, 30.0
WARN_EVERY_SECONDS = 60.0


class Forwarder:
    """Hands events to `sink`, inside `within`; at most `max_inflight` wait to be stored."""

    def __init__(self, sink: EventSink, *, max_inflight: int = 256) -> None:
        self.sink = sink
        self.closed = False
        self.capacity = Capacity(max_inflight)
        self._senders: set[asyncio.Task[None]] = set()
        self._changed: asyncio.Future[None] | None = None

    @asynccontextmanager
    async def within(self) -> AsyncGenerator[Self]:
        """Send while the body runs; leaving gives up what the sink has not taken."""
        self._loop = asyncio.get_running_loop()
        self.closed = False
        try:
            yield self
        finally:
            self.closed = True
            senders = list(self._senders)
            for sender in senders:
                sender.cancel()
            await asyncio.gather(*senders, return_exceptions=True)

    def feed(self, lease: Lease) -> "ForwardingFeed":
        """Return a new inlet for the events of `lease`."""
        return ForwardingFeed(self, lease)

    @property
    def inflight(self) -> int:
        """How many events wait to be stored."""
        return self.capacity.count

    @property
    def full(self) -> bool:
        """Whether `max_inflight` events wait to be stored."""
        return self.capacity.full

    @property
    def full_for(self) -> float:
        """For how many seconds there has been no room for another event."""
        return self.capacity.full_for

    async def changed(self) -> None:
        """Return when events were stored, or given up."""
        if self._changed is None:
            self._changed = self._loop.create_future()
        await asyncio.shield(self._changed)

    def count_off(self, events: int) -> None:
        """Count so many events as waiting no longer."""
        self.capacity.remove(count=events)
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None

    def start(self, feed: "ForwardingFeed") -> None:
        """Send what `feed` has, in a task that ends when it has nothing left."""
        sender = self._loop.create_task(feed.send(), name=f"qqbot sink {feed.lease.shard}")
        self._senders.add(sender)
        sender.add_done_callback(self._bury)

    def _bury(self, sender: "asyncio.Task[None]") -> None:
        self._senders.discard(sender)
        if not sender.cancelled() and (error := sender.exception()) is not None:
            log.critical("events can no longer be sent to the sink", exc_info=error)


class ForwardingFeed:
    """The inlet for one lease; counts what of its session is stored."""

    def __init__(self, forwarder: Forwarder, lease: Lease) -> None:
        self.lease = lease
        self.watermark = Watermark()
        self.repeats = 0
        self._forwarder = forwarder
        self._session = ""
        self._waiting: deque[tuple[Envelope, Watermark]] = deque()
        self._sending = False
        self._fenced = False
        self._warned = -WARN_EVERY_SECONDS

    @property
    def full(self) -> bool:
        """Whether reading has to wait."""
        return self._forwarder.full or self.watermark.crowded

    async def room(self) -> None:
        """Return when there is room for another event."""
        await self._forwarder.capacity.room()
        while self.watermark.crowded:
            await self._forwarder.changed()
            await self._forwarder.capacity.room()

    def begin(
        self,
        session_id: str,
        seq: int,
        done: Sequence[tuple[int, int]] = (),
        *,
        taken_over: bool = False,  # noqa: ARG002 - what was stored twice, the workers tell by its id
    ) -> None:
        """Start counting the session: everything up to `seq`, and the ranges `done`, is finished."""
        self._session = session_id
        self.watermark = Watermark(seq, done)

    def publish(self, frame: Frame, raw: bytes) -> bool:
        """Queue one dispatch for the sink, unless the session delivered it before. False: wait before another one."""
        seq, name = frame.s, frame.t or ""
        if self._fenced:  # the later owner gets it too
            return not self._forwarder.full
        if seq is not None and not self.watermark.accept(seq):
            self.repeats += 1
            return True
        if name in SYSTEM_EVENTS:
            self.watermark.finish(seq or 0)
            return True
        event_id = frame.id or f"{self._session}:{seq}"
        envelope = Envelope(
            id=event_id,
            type=name,
            shard=self.lease.shard.index,
            session=self._session,
            seq=seq or 0,
            key=key_of(name, frame.d, event_id),
            ts=round(time.time() * 1000),
            raw=raw,
        )
        self._waiting.append((envelope, self.watermark))
        is_room = self._forwarder.capacity.add()
        if not self._sending:
            self._sending = True
            self._forwarder.start(self)
        return is_room

    def caught_up(self, seq: int) -> None:
        """Note that all is repeated up to `seq`: it makes no difference here."""

    async def drain(self, seconds: float) -> int:
        """Wait until every event is stored, at most `seconds`; return how many are not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._waiting and not self._fenced:
                    await self._forwarder.changed()
        return len(self._waiting)

    async def send(self) -> None:
        """Hand over all that waits, in order, batch by batch."""
        try:
            while self._waiting and not self._forwarder.closed:
                batch = [self._waiting[place] for place in range(min(len(self._waiting), LARGEST_BATCH))]
                if not await self._store([envelope for envelope, _ in batch]):
                    return
                for envelope, watermark in batch:
                    self._waiting.popleft()
                    watermark.finish(envelope.seq)
                self._forwarder.count_off(len(batch))
        finally:
            self._sending = False

    async def _store(self, batch: Sequence[Envelope]) -> bool:
        """Publish `batch` as often as it takes; False when that is left to a later owner of the shard."""
        failures = 0
        fence = Fence(self.lease.shard, self.lease.token)
        while True:
            try:
                await self._forwarder.sink.publish(batch, fence)
            except FencedOut as error:
                log.warning("shard %s: %s; it is given up here", self.lease.shard, error)
                self._give_up()
                self.lease.fenced(error.token)
                return False
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - its events must not be lost
                _raise_if_ours(error)
                self._warn(error)
            else:
                return True
            if self._forwarder.closed:  # the sink has lost our cancellation, or made another error of it
                return False
            delay = min(RETRY_SECONDS * 2.0 ** min(failures, 10), LONGEST_RETRY_SECONDS)
            failures += 1
            await asyncio.sleep(delay * (0.5 + random.random() / 2))

    def _give_up(self) -> None:
        """Leave what was not stored to the shard's next owner."""
        self._fenced = True
        events = len(self._waiting)
        self._waiting.clear()
        self._forwarder.count_off(events)

    def _warn(self, error: BaseException) -> None:
        now = time.monotonic()
        if now - self._warned >= WARN_EVERY_SECONDS:
            self._warned = now
            words = str(error) or type(error).__name__
            log.warning("shard %s: the sink takes no events, trying again until it does: %s", self.lease.shard, words)


def _raise_if_ours(error: BaseException) -> None:
    """Raise a cancellation that was asked for; another one comes out of something that the sink awaited."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error
