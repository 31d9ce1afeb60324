"""The two ends of a broker: `python -m bench.ends send|work KIND URL APP_ID`, each in a process of its own.

`send` reads lines with a number of events and how many a second, 0 for as fast as it can, publishes so many as an
intake does (what has become due meanwhile is one batch), and prints what that took. `work` calls a handler that only
counts, and prints a report after each `--burst` events. KIND is one of

- `floor`: redis-py alone: a pipeline of XADD; XREADGROUP, msgspec, `await handler(event)`, and a pipeline of XACK and
  XDEL. One stream, no fencing, no order among handlers, no repeats dropped, no bound.
- `qqbot`: the sink and the source of the URL, and `bot.work`, with all guarantees.
"""

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from bench import lifeline
from bench.payloads import HANDLED, TEXT, frame
from bench.receivers import Stopwatch, Tally, tell
from qqbot import Bot, Context, Credentials, Envelope, Fence, GroupAtMessageCreate
from qqbot.ingest import sink_of, source_of
from qqbot.ingest.forwarder import LARGEST_BATCH, opened
from qqbot.models.frames import Frame
from qqbot.models.gateway import ShardKey
from qqbot.models.ingest import key_of

Publish = Callable[[Sequence[Envelope]], Awaitable[None]]

GROUP = "workers"
COUNT = 128
"""Entries that the floor reads at a time, as the package does."""


class Sent(Struct, frozen=True):
    """One round of the sender: when it began, and its processor seconds."""

    at: float
    cpu: float


class Sender:
    """Makes envelopes, as an intake does, and publishes them when they are due."""

    def __init__(self, publish: Publish, app_id: str) -> None:
        self._publish = publish
        self._app_id = app_id
        self._number = time.time_ns() // 1_000_000  # so that no message is one of an earlier run
        self._seq = 0
        self._decode = msgspec.json.Decoder(Frame).decode

    def _envelope(self, stamp: float = 1.0) -> Envelope:
        self._number += 1
        self._seq += 1
        raw = frame(self._seq, self._number, text=f"{stamp!r} {TEXT}")
        parsed = self._decode(raw)
        event_id = parsed.id or ""
        return Envelope(
            id=event_id,
            type=HANDLED,
            shard=0,
            session="benchmark",
            seq=self._seq,
            key=key_of(HANDLED, parsed.d, event_id),
            ts=round(time.time() * 1000),
            raw=raw,
            app_id=self._app_id,
        )

    async def burst(self, events: int) -> Sent:
        """Publish what was made before, as fast as the broker takes it."""
        made = [self._envelope() for _ in range(events)]
        at, cpu = time.perf_counter(), time.process_time()
        for first in range(0, events, LARGEST_BATCH):
            await self._publish(made[first : first + LARGEST_BATCH])
        return Sent(at, time.process_time() - cpu)

    async def steady(self, events: int, rate: float) -> Sent:
        """Publish `rate` events a second, each with the moment of its publication in its content."""
        at, cpu, sent = time.perf_counter(), time.process_time(), 0
        while sent < events:
            now = time.perf_counter()
            due = min(int((now - at) * rate) + 1 - sent, events - sent, LARGEST_BATCH)
            if due < 1:
                await asyncio.sleep(at + sent / rate - now)
                continue
            await self._publish([self._envelope(now) for _ in range(due)])
            sent += due
        return Sent(at, time.process_time() - cpu)


def _floor_stream(options: argparse.Namespace) -> str:
    return f"floor:{options.app_id}"


@asynccontextmanager
async def _floor_sink(options: argparse.Namespace) -> AsyncGenerator[Publish]:
    encode = msgspec.msgpack.Encoder().encode
    stream = _floor_stream(options)
    untyped: Any = Redis  # the library's methods are partly untyped
    async with untyped.from_url(options.url) as client:

        async def publish(batch: Sequence[Envelope]) -> None:
            pipeline = client.pipeline(transaction=False)
            for envelope in batch:
                pipeline.xadd(stream, {"e": encode(envelope)})
            await pipeline.execute()

        yield publish


@asynccontextmanager
async def _sink(options: argparse.Namespace) -> AsyncGenerator[Publish]:
    fence = Fence(ShardKey(1, 0, 1), time.time_ns() // 1000)
    async with opened(sink := sink_of(options.url)):

        async def publish(batch: Sequence[Envelope]) -> None:
            await sink.publish(batch, fence)

        yield publish


SINKS: dict[str, Callable[[argparse.Namespace], AbstractAsyncContextManager[Publish]]] = {
    "floor": _floor_sink,
    "qqbot": _sink,
}


async def send(options: argparse.Namespace) -> None:
    """Do what the lines ask for until there are no more."""
    async with SINKS[options.kind](options) as publish:
        sender = Sender(publish, options.app_id)
        while line := await asyncio.to_thread(sys.stdin.readline):
            events, rate = line.split()
            tell(await (sender.steady(int(events), float(rate)) if float(rate) else sender.burst(int(events))))


async def _floor_work(options: argparse.Namespace, tally: Tally) -> None:
    decode = msgspec.msgpack.Decoder(Envelope).decode
    decode_frame = msgspec.json.Decoder(Frame).decode
    decode_event = msgspec.json.Decoder(GroupAtMessageCreate).decode

    async def handle(event: GroupAtMessageCreate) -> None:
        tally.take(event.content, event.author.username)

    stream = _floor_stream(options)
    untyped: Any = Redis  # the library's methods are partly untyped
    async with untyped.from_url(options.url) as client:
        await client.xgroup_create(stream, GROUP, "0", mkstream=True)
        while True:
            for _, entries in await client.xreadgroup(GROUP, "one", {stream: ">"}, count=COUNT, block=1000):
                for _, fields in entries:
                    await handle(decode_event(decode_frame(decode(fields[b"e"]).raw).d))
                ids = [entry_id for entry_id, _ in entries]
                await client.pipeline(transaction=False).xack(stream, GROUP, *ids).xdel(stream, *ids).execute()


async def _work(options: argparse.Namespace, tally: Tally) -> None:
    bot = Bot(Credentials(options.app_id, "secret"))

    @bot.on(GroupAtMessageCreate)
    async def handle(ctx: Context[GroupAtMessageCreate]) -> None:
        event = ctx.event
        tally.take(event.content, event.author.username)

    await bot.work(source_of(options.url))


WORKERS: dict[str, Callable[[argparse.Namespace, Tally], Awaitable[None]]] = {"floor": _floor_work, "qqbot": _work}


async def work(options: argparse.Namespace) -> None:
    """Handle events until the benchmark ends."""
    lifeline.hold()
    await WORKERS[options.kind](options, (Stopwatch if options.delays else Tally)(options.burst))


def main() -> None:
    """Be the end that the arguments name."""
    parser = argparse.ArgumentParser(prog="bench.ends")
    parser.add_argument("end", choices=["send", "work"])
    parser.add_argument("kind", choices=SINKS)
    parser.add_argument("url")
    parser.add_argument("app_id")
    parser.add_argument("--burst", type=int, default=1, help="events of one report")
    parser.add_argument("--delays", action="store_true", help="report the delay of each event")
    options = parser.parse_args()
    logging.getLogger("qqbot").setLevel(logging.ERROR)
    asyncio.run({"send": send, "work": work}[options.end](options))


if __name__ == "__main__":
    main()
