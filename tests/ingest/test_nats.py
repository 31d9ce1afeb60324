"""NATS JetStream as a broker, on a real server: both contracts, and what only a server can do to them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from qqbot import Envelope, Fence
from qqbot.ingest.nats import NatsSink, NatsSource, decode_envelope
from qqbot.testing import EventSinkContract, EventSourceContract
from qqbot.testing.event_contracts import APP_ID, MakeSink, MakeSource, Publish, ReadStored
from tests.ingest.nats_server import NatsServer, needs_nats, started

PARTITIONS = 4
STREAM = f"qqbot_{APP_ID}_events"

pytestmark = needs_nats


async def stored(server: NatsServer) -> list[Envelope]:
    return [decode_envelope(data) for subject, data in await server.messages(STREAM) if ".event." in subject]


class TestNatsSink(EventSinkContract):
    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSink, ReadStored]]:
        async with started() as server:

            async def read() -> Sequence[Envelope]:
                return await stored(server)

            yield lambda: NatsSink(server.url, partitions=PARTITIONS), read


class TestNatsSource(EventSourceContract):
    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSource, Publish]]:
        async with started() as server, NatsSink(server.url, partitions=PARTITIONS) as sink:

            async def publish(batch: Sequence[Envelope]) -> None:
                await sink.publish(batch, Fence(None, 0))

            yield lambda: NatsSource(server.url, partitions=PARTITIONS, ttl=2), publish
