"""Kafka as a broker on the mock cluster of librdkafka, which has idempotent producers, and three servers."""

import asyncio
import ctypes
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from qqbot import Envelope, Fence, QQBotError
from qqbot.testing import EventSinkContract, EventSourceContract
from qqbot.testing.event_contracts import FIRST, MakeSink, MakeSource, Publish, ReadStored, sample
from tests.ingest.test_kafka import (
    PARTITIONS,
    KafkaServer,
    KafkaSink,
    KafkaSource,
    at_a_time,
    new_topic,
    scenes_of,
    stored,
)
from tests.loops import sitecustomize

confluent_kafka = pytest.importorskip("confluent_kafka", reason="no mock cluster: install confluent-kafka from PyPI")
pytestmark = pytest.mark.skipif(sitecustomize.NAME == "eager", reason="aiokafka has no eager tasks")

PRODUCE = 0  # the kind of request that stores events


@asynccontextmanager
async def mock_cluster(*errors: int) -> AsyncIterator[tuple[KafkaServer, str]]:
    """Run three servers inside of this process; yield the first one, and a topic.

    `errors`: the answers to the first requests to store events.
    """
    (path,) = (Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs").glob("librdkafka*")
    library = ctypes.CDLL(str(path))
    library.rd_kafka_new.restype = library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    client = ctypes.c_void_p(library.rd_kafka_new(0, None, None, ctypes.c_size_t(0)))
    cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(client, 3))
    try:
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 100)
        port = int(library.rd_kafka_mock_cluster_bootstraps(cluster).decode().partition(",")[0].rpartition(":")[2])
        topic = new_topic()
        for name, partitions in ((topic, PARTITIONS), (f"{topic}-owners", 1)):
            library.rd_kafka_mock_topic_create(cluster, name.encode(), partitions, 3)
        for error in errors:
            library.rd_kafka_mock_push_request_errors(cluster, ctypes.c_int16(PRODUCE), ctypes.c_size_t(1), error)
        yield KafkaServer(port, port), topic
    finally:
        await asyncio.to_thread(library.rd_kafka_mock_cluster_destroy, cluster)
        await asyncio.to_thread(library.rd_kafka_destroy, client)


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
    await at_a_time(scenes_of(SourceContract))


@pytest.mark.parametrize("error", [10, 18])
async def test_an_event_that_is_too_large_says_what_to_do(error: int, caplog: pytest.LogCaptureFixture) -> None:
    batch = [sample(1), sample(2, raw=b"x" * 2_000_000)]
    async with mock_cluster(error) as (server, topic), KafkaSink.from_url(url_of(server, topic)) as sink:
        with pytest.raises(QQBotError, match=r"'event-2' of 20\d{5} bytes .* max.message.bytes"):
            await sink.publish(batch, Fence(None, 0))
        await sink.publish(batch, Fence(FIRST, 1))
    assert "does not answer" not in caplog.text
