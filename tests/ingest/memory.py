"""A broker in memory: a sink and a source that keep what they promise, for tests of what uses them."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Self

from qqbot import FencedOut
from qqbot.ingest.source import PartitionWork
from qqbot.models.gateway import ShardKey
from qqbot.models.ingest import Envelope, Fence, Received

PARTITIONS = 3


class MemoryBroker:
    """What is stored: all that was published, and of each partition what is not finished."""

    def __init__(self) -> None:
        self.published: list[Envelope] = []
        self.partitions: list[dict[int, Received]] = [{} for _ in range(PARTITIONS)]
        self.owners: dict[int, MemorySource] = {}
        self.fences: dict[ShardKey, int] = {}
        self.changed = asyncio.Condition()

    async def store(self, batch: Sequence[Envelope]) -> None:
        for envelope in batch:
            place = len(self.published)
            self.published.append(envelope)
            part = zlib.crc32(envelope.key.encode()) % PARTITIONS
            self.partitions[part][place] = Received(envelope, place, 0)
        async with self.changed:
            self.changed.notify_all()

    def finished(self) -> bool:
        return not any(self.partitions)


class MemorySink:
    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker
        self.events: list[str] = []

    async def __aenter__(self) -> Self:
        self.events.append("opened")
        return self

    async def __aexit__(self, *error: object) -> None:
        self.events.append("closed")

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        if fence.shard is not None:
            largest = self.broker.fences.get(fence.shard, 0)
            if fence.token < largest:
                raise FencedOut("a later owner has published", token=largest)
            self.broker.fences[fence.shard] = fence.token
        self.events.append("published")
        await self.broker.store(batch)


class MemoryPartition:
    """One partition while a source owns it; it is its own lease."""

    def __init__(self, source: "MemorySource", index: int) -> None:
        self.shard = ShardKey(0, index, PARTITIONS)
        self.held = True
        self._source = source
        self._seen: set[int] = set()

    @property
    def lease(self) -> "MemoryPartition":
        return self

    def valid(self) -> bool:
        return self.held

    async def receive(self) -> Sequence[Received]:
        broker, stored = self._source.broker, self._source.broker.partitions[self.shard.index]
        async with broker.changed:
            await broker.changed.wait_for(lambda: self._source.stopping or set(stored) - self._seen)
        if self._source.stopping:
            return ()
        fresh = [received for place, received in sorted(stored.items()) if place not in self._seen]
        self._seen |= set(stored)
        for received in fresh:
            received.deliveries += 1
        return fresh

    def done(self, received: Received) -> None:
        assert isinstance(received.place, int)
        self._source.broker.partitions[self.shard.index].pop(received.place, None)


class MemorySource:
    """Owns every partition that no other source owns when it begins, and those that become free."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker
        self.stopping = False
        self.app_id = ""

    @property
    def lag(self) -> int:
        return sum(map(len, self.broker.partitions))

    async def run(self, app_id: str, work: PartitionWork) -> None:
        self.app_id, self.stopping = app_id, False
        async with asyncio.TaskGroup() as group:
            for index in range(PARTITIONS):
                group.create_task(self._own(index, work))

    async def _own(self, index: int, work: PartitionWork) -> None:
        broker = self.broker
        async with broker.changed:
            await broker.changed.wait_for(lambda: self.stopping or index not in broker.owners)
            if self.stopping:
                return
            broker.owners[index] = self
        partition = MemoryPartition(self, index)
        try:
            await work(partition)
        finally:
            partition.held = False
            del broker.owners[index]
            await asyncio.shield(self._tell())

    async def stop(self) -> None:
        self.stopping = True
        await self._tell()

    async def _tell(self) -> None:
        async with self.broker.changed:
            self.broker.changed.notify_all()


@asynccontextmanager
async def reading(source: MemorySource, work: PartitionWork) -> AsyncIterator[None]:
    """Run a source while the body runs."""
    run = asyncio.create_task(source.run("1", work))
    try:
        yield
    finally:
        await source.stop()
        await run
