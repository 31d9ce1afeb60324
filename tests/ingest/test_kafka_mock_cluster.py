"""Kafka as a broker on the mock cluster of librdkafka, which has idempotent producers, and three servers."""

import asyncio
import ctypes
import functools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from qqbot import Envelope, Fence, QQBotError
from qqbot.testing import EventSinkContract, EventSourceContract
from qqbot.testing.event_contracts import FIRST, MakeSink, MakeSource, Publish, ReadStored, sample
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


@contextmanager
def refusing_cluster(error: int) -> Iterator[int]:
    """Run one server that answers the next request to store events with an error; yield its port."""
    (path,) = (Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs").glob("librdkafka*")
    library = ctypes.CDLL(str(path))
    for name in ("rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    client = ctypes.c_void_p(library.rd_kafka_new(0, None, None, ctypes.c_size_t(0)))
    cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(client, 1))
    try:
        library.rd_kafka_mock_push_request_errors(cluster, ctypes.c_int16(0), ctypes.c_size_t(1), ctypes.c_int(error))
        yield int(library.rd_kafka_mock_cluster_bootstraps(cluster).decode().rpartition(":")[2])
    finally:
        library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(client)


@pytest.mark.parametrize("error", [10, 18])
async def test_an_event_that_is_too_large_says_what_to_do(error: int, caplog: pytest.LogCaptureFixture) -> None:
    topic = new_topic()
    with refusing_cluster(error) as port:
        client = confluent_kafka.Producer({"bootstrap.servers": f"127.0.0.1:{port}"})
        for name in (topic, f"{topic}-owners"):
            await asyncio.to_thread(functools.partial(client.list_topics, name, timeout=10))
        async with KafkaSink.from_url(url_of(KafkaServer(port, port), topic)) as sink:
            batch = [sample(1), sample(2, raw=b"x" * 2_000_000)]
            with pytest.raises(QQBotError, match=r"'event-2' of 20\d{5} bytes .* max.message.bytes"):
                await sink.publish(batch, Fence(None, 0))
            await sink.publish(batch, Fence(FIRST, 1))
    assert "does not answer" not in caplog.text
