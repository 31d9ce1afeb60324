"""`PartitionShares`: those of a broker's partitions that this process owns, its share among the workers.

Responsible for claiming what is missing, for giving up what is too much, and for one task for each owned partition.
Collaborators: the `Divider` of the broker (the workers, and the owners). It reads no event, and keeps no lease alive.
"""

import asyncio
import math
from collections.abc import Collection
from contextlib import suppress
from typing import Generic, Protocol, TypeVar, cast


class OwnedPartition(Protocol):
    """A partition while this process owns it."""

    given_up: asyncio.Event
    """Set when no more events are wanted: it is drained, and then released."""

    def give_up(self) -> None:
        """Set `given_up`."""
        ...


P = TypeVar("P", bound=OwnedPartition)


class Divider(Protocol[P]):
    """What a broker knows of the workers of one topic."""

    failures: tuple[type[Exception], ...]
    """What its methods raise while the broker is away, or refuses us."""

    async def beat(self) -> int:
        """Report that this worker is alive; return how many are, this one included."""
        ...

    async def claim(self, index: int) -> P | None:
        """Return the partition if no other worker owns it."""
        ...

    async def handle(self, partition: P) -> None:
        """Let the events of a partition be handled until it is given up; then release it."""
        ...

    async def look(self, owned: Collection[P]) -> None:
        """Read how many events are stored there."""
        ...

    async def leave(self) -> None:
        """Report that this worker ends."""
        ...

    async def outage(self, error: Exception) -> None:
        """Log one of `failures`.  Raises: ConfigError for what a person has to correct."""
        ...


class PartitionShares(Generic[P]):
    """The partitions that `worker` owns, out of `count`. `pause`: seconds between two beats."""

    def __init__(self, divider: Divider[P], count: int, worker: str, pause: float) -> None:
        self.owned: dict[int, P] = {}
        self._divider = divider
        self._count = count
        self._first = hash(worker)  # so that workers which begin together try different partitions first
        self._pause = pause
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Give up all partitions."""
        self._stopping.set()
        for partition in self.owned.values():
            partition.give_up()

    async def run(self) -> None:
        """Own partitions until `stop`, and until all work has ended.  Raises: ConfigError, what the work raises."""
        try:
            async with asyncio.TaskGroup() as group:
                while not self._stopping.is_set():
                    await self._balance(group)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._pause):
                            await self._stopping.wait()
                with suppress(*self._divider.failures):  # the others need not wait until it counts as dead
                    await self._divider.leave()
        except BaseExceptionGroup as errors:
            raise _first(errors) from None

    async def _balance(self, group: asyncio.TaskGroup) -> None:
        """Own as many partitions as there are for each worker, no more and no less."""
        try:
            workers = await self._divider.beat()
            await self._take_share(group, math.ceil(self._count / workers))
            await self._divider.look(list(self.owned.values()))
        except self._divider.failures as error:
            await self._divider.outage(error)

    async def _take_share(self, group: asyncio.TaskGroup, share: int) -> None:
        kept = [partition for partition in self.owned.values() if not partition.given_up.is_set()]
        for partition in kept[share:]:
            partition.give_up()
        missing = share - len(kept)
        for step in range(self._count):
            index = (self._first + step) % self._count
            if missing <= 0 or self._stopping.is_set():
                return
            if index in self.owned:
                continue
            if (claimed := await self._divider.claim(index)) is not None:
                self.owned[index] = claimed
                group.create_task(self._work(index, claimed), name=f"qqbot partition {index}/{self._count}")
                missing -= 1

    async def _work(self, index: int, partition: P) -> None:
        if self._stopping.is_set():
            partition.give_up()
        try:
            await self._divider.handle(partition)
        finally:
            self.owned.pop(index, None)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error in a group of errors."""
    first = errors.exceptions[0]
    return _first(cast("BaseExceptionGroup[BaseException]", first)) if isinstance(first, BaseExceptionGroup) else first
