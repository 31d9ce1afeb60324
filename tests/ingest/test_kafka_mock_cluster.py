"""Kafka as a broker on the mock cluster of librdkafka, which has idempotent producers, and three servers."""

import asyncio
import functools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from qqbot import Envelope, Fence
from qqbot.testing import EventSinkContract
from qqbot.testing.event_contracts import APP_ID, MakeSink, ReadStored, sample
from tests.ingest.test_kafka import KafkaServer, KafkaSink, KafkaSource, Reader, new_topic, stored, until

confluent_kafka = pytest.importorskip("confluent_kafka", reason="no mock cluster: install confluent-kafka from PyPI")


@asynccontextmanager
async def mock_cluster() -> AsyncIterator[tuple[KafkaServer, str]]:
    """Run three servers inside of this process; yield the first one, and a topic: they make one if it is asked for."""
    owner = confluent_kafka.Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "unused", "log_level": 0})
    topic = new_topic()
    for name in (topic, f"{topic}-owners"):
        found = await asyncio.to_thread(functools.partial(owner.list_topics, name, timeout=10))
    port = next(iter(found.brokers.values())).port
    yield KafkaServer(port, port), topic


def url_of(server: KafkaServer, topic: str) -> str:
    return server.url(topic).replace("&idempotence=false", "")


class TestKafkaSinkOnThreeServers(EventSinkContract):
    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSink, ReadStored]]:
        async with mock_cluster() as (server, topic):

            async def read() -> Sequence[Envelope]:
                return await stored(server, topic)

            yield lambda: KafkaSink.from_url(url_of(server, topic)), read


async def test_a_source_reads_from_three_servers() -> None:
    async with mock_cluster() as (server, topic), KafkaSink.from_url(url_of(server, topic)) as sink:
        batch = [sample(number, f"key-{number % 7}") for number in range(100)]
        await sink.publish(batch, Fence(None, 0))
        reader, source = Reader(), KafkaSource.from_url(url_of(server, topic))
        run = asyncio.create_task(source.run(APP_ID, reader))
        await until(lambda: len(reader.ids) == 100)
        await source.stop()
        await run
        assert all(reader.order(f"key-{key}") == [n for n in range(100) if n % 7 == key] for key in range(7))
