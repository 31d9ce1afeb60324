"""The handlers inside a FastStream application, which reads the queues that rabbitmq.py fills.

Both need `pip install aioqqbot aio-pika 'faststream[cli,rabbit]'`.

QQBOT_BROKER_URL=amqp://guest:guest@localhost python examples/intake/rabbitmq.py intake
QQBOT_BROKER_URL=amqp://guest:guest@localhost faststream run examples/intake/faststream_logic:app

For an application that is built on FastStream already; `bot.work(source)` does more. Here:
- An event that fails goes back to its queue at once, without end if the queue has no delivery limit.
- There is no lease: a process whose connection is lost goes on sending replies while the next one begins.
- Nothing is dropped because of its age, and there are no dead letters.
- With FastStream on Kafka or Redis the messages of a subscriber are handled one by one: a handler in `wait_for`
  never gets the answer behind it, one slow conversation holds up all others, and a Redis group loses what a dead
  process had open.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitMessage, RabbitQueue
from faststream.rabbit.schemas.queue import QuorumQueueArgs

from qqbot import Bot, C2CMessageCreate, Context, Envelope, GroupMessageEvent, Interrupted, meant_for_me

APP_ID = os.environ["QQBOT_APP_ID"]
PARTITIONS = 8  # this and QUEUE as in rabbitmq.py
QUEUE: QuorumQueueArgs = {
    "x-single-active-consumer": True,
    "x-max-length": 100_000,
    "x-overflow": "reject-publish",
}

bot = Bot()
broker = RabbitBroker(os.environ["QQBOT_BROKER_URL"], default_channel=Channel(prefetch_count=100))
decode = msgspec.msgpack.Decoder(Envelope).decode


@bot.on(GroupMessageEvent, C2CMessageCreate, when=meant_for_me)
async def remember(ctx: Context[GroupMessageEvent | C2CMessageCreate]) -> None:
    name = await ctx.ask("What is your name?")
    await ctx.reply(f"Hello {name}!")


async def handle(message: RabbitMessage) -> None:
    again = message.raw_message.redelivered or False
    try:
        outcome = await bot.handle(decode(message.body), again=again, retry=True)
    except Interrupted:
        outcome = "failed"
    if outcome == "failed":
        await message.nack()
    else:
        await message.ack()


for index in range(PARTITIONS):
    queue = RabbitQueue(f"qqbot-{APP_ID}-{index}", queue_type=QueueType.QUORUM, arguments=QUEUE)
    broker.subscriber(queue, ack_policy=AckPolicy.MANUAL)(handle)


@asynccontextmanager
async def served() -> AsyncGenerator[None]:
    async with bot.serve(connect=False):
        yield


app = FastStream(broker, lifespan=served)
