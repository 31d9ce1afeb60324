"""The work of a source, for tests: it keeps what it received, and finishes it when it may."""

import asyncio

from qqbot.ingest.source import Partition
from qqbot.models.ingest import Received


class Reader:
    """Reads partitions; finishes what comes while `open` is set, but not what is in `stuck`."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.partitions: list[Partition] = []
        self.open = asyncio.Event()
        self.open.set()
        self.stuck: set[str] = set()

    async def __call__(self, partition: Partition) -> None:
        self.partitions.append(partition)
        while batch := await partition.receive():
            self.received += batch
            await self.open.wait()
            for received in batch:
                if received.envelope.id not in self.stuck:
                    partition.done(received)

    @property
    def ids(self) -> list[str]:
        return [received.envelope.id for received in self.received]

    def order(self, key: str) -> list[int]:
        """The numbers of the events of a key, each as it came first."""
        numbers = [int(each.envelope.id.rpartition("-")[2]) for each in self.received if each.envelope.key == key]
        return list(dict.fromkeys(numbers))

    async def until(self, count: int, seconds: float = 20.0) -> None:
        """Wait for so many different events."""
        async with asyncio.timeout(seconds):
            while len(set(self.ids)) < count:
                await asyncio.sleep(0.01)
