"""Redis Streams as a broker, on real servers: both contracts, and what only a store can do to them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from qqbot import ConfigError, Envelope, Fence, QQBotError
from qqbot.ingest.source import Partition
from qqbot.models.ingest import Received
from qqbot.redis.stream_source import RedisStreamSource
from qqbot.redis.streams import RedisStreamSink, decode
from qqbot.testing import EventSinkContract, EventSourceContract
from qqbot.testing.event_contracts import APP_ID, FIRST, MakeSink, MakeSource, Publish, ReadStored, sample
from tests.redis.servers import ENGINES, Engine, Relay, Server, started, until

PARTITIONS = 4


async def stored(url: str) -> list[Envelope]:
    async with Redis.from_url(url) as client:
        found = []
        for index in range(PARTITIONS):
            entries = await client.xrange(f"qqbot:{{{APP_ID}:events:{index}}}:stream")
            found += [(entry_id, decode(fields[b"e"])) for entry_id, fields in entries]
        return [envelope for _, envelope in sorted(found, key=lambda pair: tuple(map(int, pair[0].split(b"-"))))]


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
class TestRedisStreamSink(EventSinkContract):
    @pytest.fixture(autouse=True)
    def _engine(self, engine: Engine) -> None:
        self.engine = engine

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSink, ReadStored]]:
        async with started(self.engine) as server:

            async def read() -> Sequence[Envelope]:
                return await stored(server.url)

            yield lambda: RedisStreamSink(server.url, partitions=PARTITIONS), read


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
class TestRedisStreamSource(EventSourceContract):
    @pytest.fixture(autouse=True)
    def _engine(self, engine: Engine) -> None:
        self.engine = engine

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSource, Publish]]:
        async with started(self.engine) as server, RedisStreamSink(server.url, partitions=PARTITIONS) as sink:

            async def publish(batch: Sequence[Envelope]) -> None:
                await sink.publish(batch, Fence(None, 0))

            yield lambda: RedisStreamSource(server.url, partitions=PARTITIONS, ttl=4), publish
