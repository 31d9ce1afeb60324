"""`PartitionShares`: those of a broker's partitions that this process owns, its share among the workers.

Responsible for how many that are, for claiming what is missing, for giving up what is too much, and for one task for
each owned partition. Collaborators: the `Divider` of the broker (the workers, and the owners). It reads no event, and
keeps no lease alive.
"""

import asyncio
import os
import re
import socket
import uuid
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

    async def release(self) -> None:
        """Let another worker have it at once."""
        ...


P = TypeVar("P", bound=OwnedPartition)


class Divider(Protocol[P]):
    """What a broker knows of the workers of one topic."""

    failures: tuple[type[Exception], ...]
    """What its methods raise while the broker is away, or refuses us."""

    async def beat(self) -> tuple[int, int]:
        """Report that this worker is alive; return how many are, this one included, and how many of them began before.

        All workers have to see the same order.
        """
        ...

    async def claim(self, index: int) -> P | None:
        """Return the partition if no other worker owns it."""
        ...

    async def handle(self, partition: P) -> None:
        """Let the events of a partition be handled until it is given up."""
        ...

    async def look(self, owned: Collection[P]) -> None:
        """Read how many events are stored there."""
        ...

    async def leave(self) -> None:
        """Report that this worker ends; in place of each beat while its work ends, and once more after that."""
        ...

    async def outage(self, error: Exception) -> None:
        """Log one of `failures`.  Raises: ConfigError for what a person has to correct."""
        ...


def share_of(partitions: int, workers: int, earlier: int) -> int:
    """Return how many partitions a worker has to own if `earlier` of the `workers` began before it.

    All own equally many, or the earlier ones 1 more. So a worker that begins makes the others give up no more than its
    own share, and one that ends makes none give up any.
    """
    return (partitions + workers - 1 - earlier) // workers


def new_worker_name() -> str:
    """Return a name that no other worker has, of ASCII letters, digits, '_' and '-': brokers make it part of a key."""
    return f"{re.sub('[^A-Za-z0-9_-]', '_', socket.gethostname()[:64])}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


class PartitionShares(Generic[P]):
    """The partitions that `worker` owns, out of `count`. `pause`: seconds between two beats."""

    def __init__(self, count: int, worker: str, pause: float) -> None:
        self.owned: dict[int, P] = {}
        self._count = count
        self._first = hash(worker)  # so that workers which begin together try different partitions first
        self._pause = pause
        self._stopping = False
        self._hurried = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()  # one for each owned partition

    def stop(self) -> None:
        """Give up all partitions."""
        self._stopping = True
        self.hurry()
        for partition in self.owned.values():
            partition.give_up()

    def hurry(self) -> None:
        """Let the next beat be now."""
        self._hurried.set()

    async def run(self, divider: Divider[P]) -> None:
        """Own partitions until `stop`, and until all work has ended.  Raises: ConfigError, what the work raises."""
        try:
            async with asyncio.TaskGroup() as group:
                while not self._stopping:
                    self._hurried.clear()
                    await self._balance(divider, group)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._pause):
                            await self._hurried.wait()
                await self._leave(divider)
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        finally:
            for partition in self.owned.values():  # a task that is cancelled before its first step releases nothing
                await partition.release()

    async def _balance(self, divider: Divider[P], group: asyncio.TaskGroup) -> None:
        """Own as many partitions as `share_of` says, no more and no less."""
        try:
            workers, earlier = await divider.beat()
            await self._take_share(divider, group, share_of(self._count, workers, earlier))
            await divider.look(list(self.owned.values()))
        except divider.failures as error:
            await divider.outage(error)

    async def _take_share(self, divider: Divider[P], group: asyncio.TaskGroup, share: int) -> None:
        kept = [partition for partition in self.owned.values() if not partition.given_up.is_set()]
        for partition in kept[share:]:
            partition.give_up()
        missing = share - len(kept)
        for step in range(self._count):
            index = (self._first + step) % self._count
            if missing <= 0 or self._stopping:
                return
            if index in self.owned:
                continue
            if (claimed := await divider.claim(index)) is not None:
                self.owned[index] = claimed
                task = group.create_task(
                    self._work(divider, index, claimed), name=f"qqbot partition {index}/{self._count}"
                )
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                missing -= 1

    async def _work(self, divider: Divider[P], index: int, partition: P) -> None:
        if self._stopping:
            partition.give_up()
        try:
            await divider.handle(partition)
        finally:
            try:
                await partition.release()
            finally:
                del self.owned[index]

    async def _leave(self, divider: Divider[P]) -> None:
        """Report the end until all work has ended: the others need not wait until this worker counts as dead."""
        working = True
        while working:
            working = bool(self._tasks)
            with suppress(*divider.failures):
                await divider.leave()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._pause)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error in a group of errors."""
    first = errors.exceptions[0]
    return _first(cast("BaseExceptionGroup[BaseException]", first)) if isinstance(first, BaseExceptionGroup) else first
