"""What a type checker sees of sinks and sources."""

from collections.abc import Sequence
from typing import assert_type

from qqbot import Bot, C2CMessageCreate, Context, Envelope, EventSink, EventSource, Fence
from qqbot.ingest import NatsSink, NatsSource, Published, RedisStreamSink, RedisStreamSource, sink_of, source_of
from qqbot.models.gateway import ShardKey
from qqbot.models.outcome import Outcome


class Stores:
    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        assert_type(fence.shard, ShardKey | None)
        assert_type(batch[0].headers, dict[str, str])


class Forgets:
    async def publish(self, batch: Sequence[str]) -> None: ...


sink: EventSink = RedisStreamSink("redis://localhost")
source: EventSource = RedisStreamSource("redis://localhost")
sink = NatsSink("nats://localhost")
source = NatsSource("nats://localhost")
assert_type(sink_of("redis://localhost"), EventSink)
assert_type(source_of("redis://localhost"), EventSource)
Bot(sink=Stores())
Bot(sink=Forgets())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
bot = Bot(sink=sink)


@bot.on
async def see(ctx: Context[C2CMessageCreate]) -> None:
    ctx.headers["traceparent"].upper()


@bot.on_published
def count(published: Published) -> None:
    assert_type(published.seconds, float)


@bot.on_envelope
def add(name: str, event_id: str, headers: dict[str, str]) -> None:
    headers["id"] = event_id


async def main(envelope: Envelope) -> None:
    assert_type(await bot.handle(envelope, again=True, retry=True), Outcome)
    await bot.work(source, concurrency=8, max_age=60.0, dead_letters=sink)
    await bot.work(sink)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
