"""`BufferedSource`: events of a shard on standby."""

import asyncio
import math
from collections.abc import Sequence

import pytest

from qqbot.gateway import handover
from qqbot.gateway.handover import BufferedSource, buffered
from qqbot.models.frames import Frame
from qqbot.models.gateway import ShardKey
from qqbot.models.watermark import Watermark


class FakeConsumer:
    def __init__(self) -> None:
        self.watermark = Watermark()
        self.repeats = 0
        self.full = False
        self.taken: list[int] = []

    async def room(self) -> None:
        raise AssertionError

    def begin(
        self, session_id: str, seq: int, done: Sequence[tuple[int, int]] = (), *, taken_over: bool = False
    ) -> None:
        self.watermark = Watermark(seq, done)
        self.again_to = 1 << 53 if taken_over else -1

    def caught_up(self, seq: int) -> None:
        self.again_to = seq

    def publish(self, frame: Frame, raw: bytes) -> bool:
        assert frame.s is not None
        if self.watermark.accept(frame.s):
            self.taken.append(frame.s)
        return not self.full

    async def drain(self, seconds: float) -> int:
        return 0

    def end(self) -> None:
        raise AssertionError


class Hand:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def publish(consumer: BufferedSource, *seqs: int) -> None:
    for seq in seqs:
        assert consumer.publish(Frame(op=0, s=seq, t="X"), b"")


def test_it_delivers_the_last_seconds_and_counts_the_rest_as_finished() -> None:
    consumer, clock = FakeConsumer(), Hand()
    source = BufferedSource(consumer, lambda: 10.0, clock=clock)
    source.begin("s", 0)
    publish(source, 1, 2)
    clock.now += 6
    publish(source, 3)
    clock.now += 6
    publish(source, 4)
    assert consumer.taken == [] and source.watermark.low == 2  # a RESUME would repeat 3 and 4
    source.caught_up(2)
    assert consumer.again_to > 4  # each of them may have been handled by the other generation
    source.activate()
    assert consumer.taken == [3, 4] and consumer.again_to == 4
    publish(source, 5)
    assert consumer.taken == [3, 4, 5]


def test_it_keeps_for_longer_as_soon_as_the_lease_demands_it() -> None:
    consumer, clock, kept = FakeConsumer(), Hand(), [10.0]
    source = BufferedSource(consumer, lambda: kept[0], clock=clock)
    source.begin("s", 0)
    publish(source, 1)
    kept[0] = math.inf
    clock.now += 1000
    publish(source, 2)
    source.activate()
    assert consumer.taken == [1, 2]


def test_it_never_stops_the_reading_while_on_standby() -> None:
    consumer = FakeConsumer()
    consumer.full = True
    source = BufferedSource(consumer, lambda: 10.0)
    publish(source, 1)
    assert not source.full
    source.activate()
    assert source.full and not source.publish(Frame(op=0, s=2, t="X"), b"")


def test_a_new_session_starts_with_an_empty_ring() -> None:
    consumer = FakeConsumer()
    source = BufferedSource(consumer, lambda: 10.0)
    source.begin("one", 0)
    publish(source, 1, 2)
    source.begin("two", 0)
    publish(source, 1)
    source.activate()
    assert consumer.taken == [1]


async def test_the_lease_activates_it() -> None:
    class Lease:
        shard, token, kept = ShardKey(2, 0, 4), 1, 10.0

        def __init__(self) -> None:
            self.activated = asyncio.Event()

        async def wait_active(self) -> None:
            await self.activated.wait()

    consumer, lease = FakeConsumer(), Lease()
    async with buffered(consumer, lease) as source:  # type: ignore[arg-type]
        publish(source, 1)
        await asyncio.sleep(0)
        assert consumer.taken == []
        lease.activated.set()
        async with asyncio.timeout(5):
            while not consumer.taken:
                await asyncio.sleep(0)


def test_it_keeps_no_more_bytes_than_its_bound_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(handover, "MOST_KEPT_BYTES", 10_000)
    consumer = FakeConsumer()
    source = BufferedSource(consumer, lambda: 10.0, clock=Hand())
    source.begin("s", 0)
    for seq in range(1, 101):
        assert source.publish(Frame(op=0, s=seq, t="X"), bytes(1000))
    assert consumer.watermark.low == 90, "what left the ring is not finished"
    [record] = caplog.records
    assert "more than can be kept" in record.getMessage()
    source.publish(Frame(op=0, s=101, t="X"), bytes(50_000))
    source.activate()
    assert consumer.taken[-1] == 101, "one that is larger than the bound is kept all the same"
