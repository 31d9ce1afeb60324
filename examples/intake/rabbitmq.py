"""A sink and a source for RabbitMQ, if you have it already, and the two programs that use them.

It needs `pip install aioqqbot aio-pika`.

QQBOT_BROKER_URL=amqp://guest:guest@localhost python examples/intake/rabbitmq.py intake
QQBOT_BROKER_URL=amqp://guest:guest@localhost python examples/intake/rabbitmq.py logic

One quorum queue per partition, each with a single active consumer, so that the order of a conversation is kept and what
a dead worker had open comes first to the next worker. The limits:
- It does not balance: the worker that began first has all queues, the others wait until it ends.
- RabbitMQ cannot compare fencing tokens, so an earlier owner of a shard may store an event twice: let the workers share
  the ids of finished events (QQBOT_REDIS_URL).
- Each event is confirmed by itself, to keep the order when one is refused.
"""

import asyncio
import os
import sys
import zlib
from collections.abc import Sequence
from typing import Self

import aio_pika
import msgspec
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError
from pamqp.common import Arguments

from qqbot import Bot, C2CMessageCreate, Context, Envelope, Fence, FencedOut, GroupMessageEvent, Intents, meant_for_me
from qqbot.ingest.source import PartitionWork
from qqbot.models.gateway import ShardKey
from qqbot.models.ingest import Received

PARTITIONS = 8
PREFETCH = 100
RETRY_SECONDS = 1.0
SETUP_SECONDS = 5.0  # a server that has just started may leave a request without an answer
QUEUE: Arguments = {
    "x-queue-type": "quorum",
    "x-single-active-consumer": True,
    "x-max-length": 100_000,
    "x-overflow": "reject-publish",  # the sink is refused, and nothing that waits is dropped
}

encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Envelope).decode


async def declare(channel: AbstractChannel, app_id: str, index: int) -> str:
    """Declare the queue of one partition, and return its name."""
    name = f"qqbot-{app_id}-{index}"
    await channel.declare_queue(name, durable=True, arguments=QUEUE)
    return name


class RabbitSink:
    """Stores events; each is on the disks of most nodes when `publish` returns."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._queues = dict[tuple[str, int], str]()
        self._largest = dict[ShardKey | None, int]()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        """Store the events, in order.  Raises: FencedOut, what the library raises."""
        if fence.token < (largest := self._largest.get(fence.shard, 0)):
            raise FencedOut("a later owner has published from this process", token=largest)
        self._largest[fence.shard] = fence.token
        parts = dict[tuple[str, int], list[Envelope]]()
        for envelope in batch:
            partition = zlib.crc32(envelope.key.encode()) % PARTITIONS
            parts.setdefault((envelope.app_id, partition), []).append(envelope)
        channel = await self._open()
        async with asyncio.TaskGroup() as group:
            for place, part in parts.items():
                group.create_task(self._store(channel, place, part))

    async def _store(self, channel: AbstractChannel, place: tuple[str, int], part: Sequence[Envelope]) -> None:
        if place not in self._queues:
            self._queues[place] = await declare(channel, *place)
        for envelope in part:
            message = aio_pika.Message(encode(envelope), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, self._queues[place])

    async def _open(self) -> AbstractChannel:
        if self._channel is None or self._channel.is_closed:
            self._queues.clear()
            if self._connection is not None:
                await self._connection.close()
            self._connection = await aio_pika.connect(self._url)
            self._channel = await self._connection.channel()
        return self._channel


class RabbitPartition:
    """One queue as long as a channel is open; its own lease: without the channel the next consumer is active."""

    def __init__(self, channel: AbstractChannel, index: int) -> None:
        self.shard = ShardKey(0, index, PARTITIONS)
        self.acknowledging = set[asyncio.Task[None]]()
        self._channel = channel
        self._arrived = list[Received]()
        self._changed = asyncio.Event()
        self._given_up = False

    @property
    def lease(self) -> Self:
        """The right to handle what came."""
        return self

    def valid(self) -> bool:
        """True while the channel is open, as far as this side knows."""
        return not self._channel.is_closed

    async def arrive(self, message: AbstractIncomingMessage) -> None:
        """Keep a message until it is received; only the active consumer gets any."""
        deliveries = 1 + int(str(message.headers.get("x-delivery-count", 0)))
        self._arrived.append(Received(decode(message.body), message, deliveries))
        self._changed.set()

    def give_up(self) -> None:
        """Let `receive` return nothing; what was not received goes back to the queue with the connection."""
        self._given_up = True
        self._changed.set()

    async def receive(self) -> Sequence[Received]:
        """Wait for events; nothing: the partition is given up."""
        await self._changed.wait()
        if self._given_up:
            return ()
        self._changed.clear()
        received, self._arrived = self._arrived, []
        return received

    def done(self, received: Received) -> None:
        """Acknowledge an event."""
        assert isinstance(received.place, AbstractIncomingMessage)
        task = asyncio.create_task(self._acknowledge(received.place))
        self.acknowledging.add(task)
        task.add_done_callback(self.acknowledging.discard)

    async def _acknowledge(self, message: AbstractIncomingMessage) -> None:
        if self.valid():  # otherwise it comes again
            await message.ack()


class RabbitSource:
    """Reads what a `RabbitSink` has stored; reconnects when the connection is lost."""

    def __init__(self, url: str) -> None:
        self.lag = 0
        self._url = url
        self._stopping = asyncio.Event()

    async def stop(self) -> None:
        """Give up all queues."""
        self._stopping.set()

    async def run(self, app_id: str, work: PartitionWork) -> None:
        """Work until `stop`."""
        while not self._stopping.is_set():
            try:
                async with await aio_pika.connect(self._url) as connection:
                    await self._connected(connection, app_id, work)
            except (AMQPError, OSError, TimeoutError) as error:
                print(f"RabbitMQ does not answer, trying again: {type(error).__name__}", file=sys.stderr)
            if not self._stopping.is_set():
                await asyncio.sleep(RETRY_SECONDS)

    async def _connected(self, connection: AbstractConnection, app_id: str, work: PartitionWork) -> None:
        async with asyncio.timeout(SETUP_SECONDS):
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=PREFETCH)
            partitions = [RabbitPartition(channel, index) for index in range(PARTITIONS)]
            for index, partition in enumerate(partitions):
                queue = await channel.get_queue(await declare(channel, app_id, index), ensure=False)
                await queue.consume(partition.arrive)
        async with asyncio.TaskGroup() as group:
            for partition in partitions:
                group.create_task(self._work(partition, work))
            lost, stopping = asyncio.ensure_future(channel.closed()), asyncio.ensure_future(self._stopping.wait())
            try:
                await asyncio.wait((lost, stopping), return_when=asyncio.FIRST_COMPLETED)
            finally:
                lost.cancel()
                stopping.cancel()
            for partition in partitions:
                partition.give_up()

    async def _work(self, partition: RabbitPartition, work: PartitionWork) -> None:
        await work(partition)
        await asyncio.gather(*partition.acknowledging)


bot = Bot()


@bot.on(GroupMessageEvent, C2CMessageCreate, when=meant_for_me)
async def echo(ctx: Context[GroupMessageEvent | C2CMessageCreate]) -> None:
    await ctx.reply(f"You said: {ctx.text}")


if __name__ == "__main__":
    url = os.environ["QQBOT_BROKER_URL"]
    if sys.argv[1:] == ["intake"]:
        Bot(sink=RabbitSink(url), intents=Intents.GROUP_AND_C2C_EVENT).run()
    else:
        asyncio.run(bot.work(RabbitSource(url), max_age=300))
