"""Kafka as a broker, on a server that speaks its protocol: both contracts, and what only a broker can do to them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from qqbot import Envelope, Fence
from qqbot.testing import EventSinkContract, EventSourceContract
from qqbot.testing.event_contracts import MakeSink, MakeSource, Publish, ReadStored
from tests.ingest.kafka_server import KafkaServer, kafka, needs_kafka

pytest.importorskip("aiokafka", reason="the extra kafka is not installed")

from aiokafka import AIOKafkaConsumer, TopicPartition

from qqbot.ingest.kafka import KafkaSink, KafkaSource, decode_envelope

PARTITIONS = 4

pytestmark = needs_kafka


def new_topic() -> str:
    return f"events-{uuid.uuid4().hex[:8]}"


async def stored(server: KafkaServer, topic: str) -> list[Envelope]:
    """All events of a topic, in the order of their keys."""
    consumer = AIOKafkaConsumer(bootstrap_servers=f"127.0.0.1:{server.port}", auto_offset_reset="earliest")
    await consumer.start()
    found: list[Envelope] = []
    try:
        for index in range(PARTITIONS):
            place = TopicPartition(topic, index)
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            while await consumer.position(place) < end:
                for records in (await consumer.getmany(place, timeout_ms=1000)).values():
                    found += [decode_envelope(record.value) for record in records]
    finally:
        await consumer.stop()
    return found


class TestKafkaSink(EventSinkContract):
    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSink, ReadStored]]:
        async with kafka() as server:
            topic = new_topic()

            async def read() -> Sequence[Envelope]:
                return await stored(server, topic)

            yield lambda: KafkaSink.from_url(server.url(topic)), read


class SourceContract(EventSourceContract):
    def __init__(self, server: KafkaServer) -> None:
        self.server = server

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSource, Publish]]:
        url = self.server.url(new_topic())
        async with KafkaSink.from_url(url) as sink:

            async def publish(batch: Sequence[Envelope]) -> None:
                await sink.publish(batch, Fence(None, 0))

            yield lambda: KafkaSource.from_url(url), publish


async def test_the_contract_of_a_source_holds() -> None:
    """All at a time, because a group waits 3 s for its members."""
    async with kafka() as server:
        names = [name for name in dir(SourceContract) if name.startswith("test_")]
        ends = await asyncio.gather(
            *(getattr(SourceContract(server), name)() for name in names), return_exceptions=True
        )
    failures = [(name, end) for name, end in zip(names, ends, strict=True) if end is not None]
    for name, failure in failures:
        failure.add_note(f"in {name}")
    if failures:
        raise BaseExceptionGroup("the contract is broken", [failure for _, failure in failures])
    assert len(names) > 5
