import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

import pytest

from qqbot.aio.partition_shares import PartitionShares, share_of
from tests.waiting import until


@pytest.mark.parametrize(
    ("partitions", "workers", "shares"),
    [
        (16, 1, [16]),
        (16, 3, [6, 5, 5]),
        (16, 5, [4, 3, 3, 3, 3]),
        (7, 3, [3, 2, 2]),
        (4, 4, [1, 1, 1, 1]),
        (2, 4, [1, 1, 0, 0]),
        (1, 2, [1, 0]),
    ],
)
def test_all_own_equally_many_or_one_more(partitions: int, workers: int, shares: list[int]) -> None:
    assert [share_of(partitions, workers, earlier) for earlier in range(workers)] == shares


@pytest.mark.parametrize("partitions", range(1, 40))
def test_no_partition_moves_without_need(partitions: int) -> None:
    for workers in range(1, 45):
        shares = [share_of(partitions, workers, earlier) for earlier in range(workers)]
        assert sum(shares) == partitions
        assert {partitions // workers, -(-partitions // workers)} >= set(shares)
        assert all(shares) or workers > partitions
        joined = [share_of(partitions, workers + 1, earlier) for earlier in range(workers + 1)]
        assert all(after <= before for before, after in zip(shares, joined, strict=False)), "only the new one gains"
        assert joined[-1] == partitions // (workers + 1), "and no more than it has to have"
        for dead in range(workers + 1):
            left = joined[:dead] + joined[dead + 1 :]
            assert all(before <= after for before, after in zip(left, shares, strict=True)), "no worker gives any up"


class Part:
    """One partition of a `Hall`."""

    def __init__(self, hall: "Hall", index: int) -> None:
        self.given_up = asyncio.Event()
        self._hall = hall
        self._index = index

    def give_up(self) -> None:
        self.given_up.set()

    async def release(self) -> None:
        self._hall.moves += 1
        del self._hall.owners[self._index]


class Hall:
    """A broker in memory: the workers in the order of their first beat, and the owners."""

    def __init__(self) -> None:
        self.workers: list[str] = []
        self.owners: dict[int, str] = {}
        self.moves = 0  # partitions that were released

    def shares(self) -> list[int]:
        return [list(self.owners.values()).count(worker) for worker in self.workers]


class Place:
    """What one worker knows of the `Hall`."""

    failures: tuple[type[Exception], ...] = (ConnectionError,)

    def __init__(self, hall: Hall, name: str) -> None:
        self.ended_at: list[int] = []  # how many partitions were owned at each report of the end
        self.drained = asyncio.Event()
        self.drained.set()
        self.error: Exception | None = None
        self.seen = 0
        self._hall = hall
        self._name = name

    async def beat(self) -> tuple[int, int]:
        if isinstance(self.error, ConnectionError):
            raise self.error
        if self._name not in self._hall.workers:
            self._hall.workers.append(self._name)
        return len(self._hall.workers), self._hall.workers.index(self._name)

    async def claim(self, index: int) -> Part | None:
        await asyncio.sleep(0)
        if index in self._hall.owners:
            return None
        self._hall.owners[index] = self._name
        return Part(self._hall, index)

    async def handle(self, partition: Part) -> None:
        if self.error is not None and not isinstance(self.error, ConnectionError):
            raise self.error
        await partition.given_up.wait()
        await self.drained.wait()

    async def look(self, owned: Collection[Part]) -> None:
        self.seen = len(owned)

    async def leave(self) -> None:
        if self._name in self._hall.workers:
            self._hall.workers.remove(self._name)
        self.ended_at.append(list(self._hall.owners.values()).count(self._name))

    async def outage(self, error: Exception) -> None:
        self.seen = -1


@asynccontextmanager
async def worker(hall: Hall, name: str, count: int) -> AsyncGenerator[tuple[PartitionShares[Part], Place]]:
    """A worker until the end of the block, or until it was stopped."""
    shares, place = PartitionShares[Part](count, name, 0.01), Place(hall, name)
    running = asyncio.create_task(shares.run(place))
    try:
        yield shares, place
    finally:
        shares.stop()
        await running


async def test_what_joins_and_leaves_moves_as_few_as_possible() -> None:
    hall = Hall()
    async with worker(hall, "z", 16):
        await until(lambda: hall.shares() == [16])
        async with worker(hall, "a", 16):
            await until(lambda: hall.shares() == [8, 8])
            async with worker(hall, "m", 16):
                await until(lambda: hall.shares() == [6, 5, 5])
                assert hall.moves == 8 + 5
                kept = {index for index, name in hall.owners.items() if name != "m"}
                before = dict(hall.owners)
            await until(lambda: hall.shares() == [8, 8])
            assert hall.moves == 8 + 5 + 5
            assert {index: hall.owners[index] for index in kept} == {index: before[index] for index in kept}


async def test_a_worker_that_counts_as_dead_comes_back_as_the_last() -> None:
    hall = Hall()
    async with worker(hall, "a", 5) as (_, first), worker(hall, "b", 5):
        await until(lambda: hall.shares() == [3, 2])
        first.error = ConnectionError("cut off")
        await until(lambda: first.seen == -1)
        hall.workers.remove("a")
        first.error = None
        await until(lambda: hall.workers == ["b", "a"] and hall.shares() == [3, 2])
    assert not hall.owners


async def test_the_end_is_reported_until_the_work_has_ended() -> None:
    hall = Hall()
    async with worker(hall, "a", 4) as (shares, place):
        await until(lambda: hall.shares() == [4])
        place.drained.clear()
        shares.stop()
        await until(lambda: len(place.ended_at) > 2)
        assert set(place.ended_at) == {4}
        place.drained.set()
    assert place.ended_at[-1] == 0
    assert not shares.owned


async def test_an_error_of_the_work_ends_the_run_and_releases_all() -> None:
    hall = Hall()
    shares, place = PartitionShares[Part](4, "a", 60), Place(hall, "a")
    place.error = ValueError("of the work")
    with pytest.raises(ValueError, match="of the work"):
        await shares.run(place)
    assert not hall.owners


@pytest.mark.parametrize("turns", range(1, 12))
async def test_a_cancellation_between_any_two_steps_releases_all(turns: int) -> None:
    hall = Hall()
    running = asyncio.create_task(PartitionShares[Part](4, "a", 60).run(Place(hall, "a")))
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not hall.owners


async def test_a_hurried_beat_does_not_wait() -> None:
    hall = Hall()
    shares, place = PartitionShares[Part](2, "a", 60), Place(hall, "a")
    running = asyncio.create_task(shares.run(place))
    await until(lambda: place.seen == 2)
    hall.workers.insert(0, "earlier")
    shares.hurry()
    await until(lambda: hall.shares() == [0, 1])
    shares.stop()
    await running
