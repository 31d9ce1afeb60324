"""Kafka as a broker on the mock cluster of librdkafka, which has idempotent producers, and three servers."""

import asyncio
import functools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from qqbot import Envelope, Fence
from qqbot.testing import EventSinkContract, EventSourceContract
from qqbot.testing.event_contracts import MakeSink, MakeSource, Publish, ReadStored
from tests.ingest.test_kafka import KafkaServer, KafkaSink, KafkaSource, check_at_a_time, new_topic, stored

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


class SourceContract(EventSourceContract):
    shares = False  # the mock refuses a second member of any aiokafka consumer group, with InvalidRequestError

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSource, Publish]]:
        async with mock_cluster() as (server, topic), KafkaSink.from_url(url_of(server, topic)) as sink:

            async def publish(batch: Sequence[Envelope]) -> None:
                await sink.publish(batch, Fence(None, 0))

            yield lambda: KafkaSource.from_url(url_of(server, topic)), publish


async def test_the_contract_of_a_source_holds_on_three_servers() -> None:
    await check_at_a_time(SourceContract)
