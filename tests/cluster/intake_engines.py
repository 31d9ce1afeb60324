"""The brokers between intakes and workers: how the server of each is started, and what its restart is.

Collaborators: the servers of tests/redis and tests/ingest. A server that cannot be had raises SkipTest.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from qqbot.ingest import EventSource, RedisStreamSource, source_of
from qqbot.redis.stream_source import TTL
from tests.redis.servers import Server

PARTITIONS = 8
OUTAGE = 1.0  # seconds for which a server is away


@dataclass(frozen=True)
class Broker:
    """A server that runs: its URL for both ends, and the fault that it has to stand."""

    url: str
    restart: Callable[[], Awaitable[None]]


def _source_of(url: str, pace: float) -> EventSource:
    del pace
    return source_of(url)


@dataclass(frozen=True)
class IntakeEngine:
    """`broker`: starts a server beside the store that the intakes share. `fault`: what its `restart` does.

    `source`: makes the source from a URL, with timings that are shorter by a factor if it has any.
    """

    name: str
    fault: str
    broker: Callable[[Server], AbstractAsyncContextManager[Broker]]
    source: Callable[[str, float], EventSource] = _source_of


@asynccontextmanager
async def _redis(store: Server) -> AsyncIterator[Broker]:
    """The same server as for the sessions: both are restarted at once."""

    async def restart() -> None:
        store.kill()
        await asyncio.sleep(OUTAGE)
        await store.start()

    yield Broker(f"{store.url}/0?partitions={PARTITIONS}", restart)


def _redis_source(url: str, pace: float) -> EventSource:
    return RedisStreamSource(url.partition("?")[0], partitions=PARTITIONS, ttl=TTL * pace)


INTAKE_ENGINES = {
    engine.name: engine
    for engine in [
        IntakeEngine("redis", "kill -9 and start, with appendfsync always", _redis, _redis_source),
    ]
}
