"""Pulsar as a broker, on pulsar-lite: both contracts, and what only a broker can do to them."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from qqbot import Envelope, Fence
from qqbot.testing import EventSinkContract, EventSourceContract
from qqbot.testing.event_contracts import MakeSink, MakeSource, Publish, ReadStored
from tests.ingest.pulsar_server import PARTITIONS, PulsarServer, pulsar_server

pytest.importorskip("pulsar", reason="pulsar-client is not installed", exc_type=ImportError)

import pulsar as library
from pulsar.asyncio import Client

from qqbot.ingest.pulsar import PulsarSink, PulsarSource, decode_envelope

__all__ = ["pulsar_server"]


@asynccontextmanager
async def connected(server: PulsarServer) -> AsyncIterator[Any]:
    """The library's own client."""
    logger = library.FileLogger(library.LoggerLevel.Error, os.devnull)
    client = Client(f"pulsar://127.0.0.1:{server.port}", logger=logger, operation_timeout_seconds=5)
    try:
        yield client
    finally:
        await client.close()


def topic_of(name: str, index: int) -> str:
    return f"persistent://public/default/{name}-partition-{index}"


async def stored(server: PulsarServer, name: str) -> list[Envelope]:
    """All events of a topic, partition by partition."""
    found = []
    async with connected(server) as client:
        for index in range(PARTITIONS):
            producer = await client.create_producer(topic_of(name, index))
            await producer.send(b"", properties={"qqbot": "end"})
            reader = await client.create_reader(topic_of(name, index), library.MessageId.earliest)
            while await reader.has_message_available():
                message = await reader.read_next()
                if "qqbot" not in message.properties():
                    found.append(decode_envelope(message.data()))
    return found


class TestPulsarSink(EventSinkContract):
    @pytest.fixture(autouse=True)
    def _server(self, pulsar_server: PulsarServer) -> None:
        self.server = pulsar_server

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSink, ReadStored]]:
        name = self.server.new_topic()

        async def read() -> Sequence[Envelope]:
            return await stored(self.server, name)

        yield lambda: PulsarSink(self.server.url(name)), read


class TestPulsarSource(EventSourceContract):
    @pytest.fixture(autouse=True)
    def _server(self, pulsar_server: PulsarServer) -> None:
        self.server = pulsar_server

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSource, Publish]]:
        url = self.server.url(self.server.new_topic())
        async with PulsarSink(url) as sink:

            async def publish(batch: Sequence[Envelope]) -> None:
                await sink.publish(batch, Fence(None, 0))

            yield lambda: PulsarSource(url), publish
