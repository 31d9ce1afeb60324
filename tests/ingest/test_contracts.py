"""The contracts of sinks and sources hold for a broker in memory, and are broken by what breaks a promise."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from qqbot.models.ingest import Envelope, Fence
from qqbot.testing import EventSinkContract, EventSourceContract
from qqbot.testing.event_contracts import MakeSink, MakeSource, Publish, ReadStored
from tests.ingest.memory import MemoryBroker, MemorySink, MemorySource


class TestMemorySink(EventSinkContract):
    kind = MemorySink

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSink, ReadStored]]:
        broker = MemoryBroker()

        async def read() -> Sequence[Envelope]:
            return broker.published

        yield lambda: self.kind(broker), read


class TestMemorySource(EventSourceContract):
    shares = False  # what one has, it keeps until it ends
    kind = MemorySource

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSource, Publish]]:
        broker = MemoryBroker()
        yield lambda: self.kind(broker), broker.store


class Unfenced(MemorySink):
    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        await self.broker.store(batch)


class Reversing(MemorySink):
    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        await super().publish(batch[::-1], fence)


class Forgetting(MemorySink):
    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        await super().publish(batch[:-1] or batch, fence)


@pytest.mark.parametrize("kind", [Unfenced, Reversing, Forgetting])
async def test_a_sink_that_breaks_its_promise_fails(kind: type[MemorySink]) -> None:
    class Broken(TestMemorySink):
        pass

    Broken.kind = kind
    with pytest.raises(AssertionError):
        await Broken().check()


async def test_a_source_that_forgets_what_was_open_fails() -> None:
    class Forgets(MemorySource):
        async def stop(self) -> None:
            for stored in self.broker.partitions:
                for place in [place for place, received in stored.items() if received.deliveries]:
                    del stored[place]
            await super().stop()

    class Broken(TestMemorySource):
        kind = Forgets
        patience = 1.0

    with pytest.raises(AssertionError):
        await Broken().check()
