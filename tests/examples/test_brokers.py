"""The examples with other brokers keep what they promise, on a real server."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from qqbot import Envelope, Fence, FencedOut
from qqbot.models.gateway import ShardKey
from qqbot.models.ingest import Received
from qqbot.testing import EventSinkContract, EventSourceContract, Simulator
from qqbot.testing.event_contracts import APP_ID, MakeSink, MakeSource, Publish, ReadStored, sample
from tests.cli.control import Control
from tests.cli.program import environment, python
from tests.examples.loading import EXAMPLES, example_module
from tests.ingest.rabbit_server import RabbitServer, rabbit

RABBITMQ = EXAMPLES / "intake" / "rabbitmq.py"
FASTSTREAM = EXAMPLES / "intake" / "faststream_logic.py"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    with rabbit(tmp_path_factory.mktemp("rabbit")) as server:
        yield server


@pytest.fixture(autouse=True)
async def example(server: RabbitServer) -> Any:
    """The example, after all that is stored was deleted."""
    example = example_module("intake/rabbitmq.py")
    async with await aio_pika.connect(server.url) as connection:
        channel = await connection.channel()
        for index in range(example.PARTITIONS):
            await channel.queue_delete(f"qqbot-{APP_ID}-{index}")
    return example


class OnRabbit:
    server: RabbitServer
    example: Any

    @pytest.fixture(autouse=True)
    def _place(self, server: RabbitServer, example: Any) -> None:
        self.server, self.example = server, example


class TestRabbitSink(OnRabbit, EventSinkContract):
    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSink, ReadStored]]:
        yield lambda: self.example.RabbitSink(self.server.url), self._stored

    async def _stored(self) -> Sequence[Envelope]:
        """Return all that waits; it goes back to its queue with the connection."""
        found: asyncio.Queue[Envelope] = asyncio.Queue()

        async def read(message: AbstractIncomingMessage) -> None:
            found.put_nowait(self.example.decode(message.body))

        async with await aio_pika.connect(self.server.url) as connection:
            channel, waiting = await connection.channel(), 0
            for index in range(self.example.PARTITIONS):
                name = await self.example.declare(channel, APP_ID, index)
                queue = await channel.declare_queue(name, passive=True)
                waiting += queue.declaration_result.message_count or 0
                await queue.consume(read)
            return [await found.get() for _ in range(waiting)]

    async def test_an_earlier_owner_is_fenced_out(self) -> None:
        """Within one process only: RabbitMQ compares nothing, which the example says."""
        shard = ShardKey(1, 0, 2)
        async with self.example.RabbitSink(self.server.url) as sink:
            await sink.publish([sample(1)], Fence(shard, 6))
            with pytest.raises(FencedOut):
                await sink.publish([sample(2)], Fence(shard, 5))


class TestRabbitSource(OnRabbit, EventSourceContract):
    shares = False  # the first worker has all queues

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSource, Publish]]:
        async with self.example.RabbitSink(self.server.url) as sink:

            async def publish(batch: Sequence[Envelope]) -> None:
                await sink.publish(batch, Fence(None, 0))

            yield lambda: self.example.RabbitSource(self.server.url), publish

    async def test_what_is_confirmed_outlives_the_server(self) -> None:
        """What a worker had open comes again after the restart, first and marked."""
        received: list[Received] = []
        source = self.example.RabbitSource(self.server.url)

        async def work(partition: Any) -> None:
            while batch := await partition.receive():
                received.extend(batch)

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            async with self.example.RabbitSink(self.server.url) as sink:
                await sink.publish([sample(number) for number in range(20)], Fence(None, 0))
            group.create_task(source.run(APP_ID, work))
            while len(received) < 20:
                await asyncio.sleep(0.05)
            await asyncio.to_thread(self.server.stop)
            await asyncio.to_thread(self.server.start)
            while len(received) < 40:
                await asyncio.sleep(0.05)
            await source.stop()
        assert [each.envelope.id for each in received[20:]] == [f"event-{number}" for number in range(20)]
        assert all(each.deliveries > 1 for each in received[20:])


async def test_rabbitmq(sim: Simulator, control: Control, server: RabbitServer) -> None:
    variables = environment(sim, QQBOT_BROKER_URL=server.url)
    async with python(RABBITMQ, "intake", env=variables) as intake, python(RABBITMQ, "logic", env=variables) as logic:
        await intake.line("err", "identified")
        assert [reply["text"] for reply in await control.say("c2c", "hello", timeout=20)] == ["You said: hello"]
        assert [reply["text"] for reply in await control.say("group", "hello", timeout=20)] == ["You said: hello"]
        logic.signal(signal.SIGKILL)
        assert (await intake.stopped()).code == 0


async def test_faststream(sim: Simulator, control: Control, server: RabbitServer) -> None:
    variables = environment(sim, QQBOT_BROKER_URL=server.url)
    async with python(RABBITMQ, "intake", env=variables) as intake:
        await intake.line("err", "identified")
        (command,) = re.findall(r"faststream (run .+)", FASTSTREAM.read_text("utf-8"))
        async with python("-m", "faststream", *command.split(), env=variables, cwd=EXAMPLES.parent) as logic:
            assert [reply["text"] for reply in await control.say("c2c", "hello", timeout=20)] == ["What is your name?"]
            assert [reply["text"] for reply in await control.say("c2c", "Alice", timeout=20)] == ["Hello Alice!"]
            assert (await logic.stopped()).code == 0
        assert (await intake.stopped()).code == 0
