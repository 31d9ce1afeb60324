"""Who receives the events: `python -m bench.receivers KIND ADDRESS` connects and reports every burst that it handled.

All call the same handler, which reads the content and the author. KIND is one of

- `floor`: aiohttp with bytes frames, msgspec into the package's own event, `await handler(event)`; no guarantees.
- `tasks`: text frames, dicts made into an object with attributes, a task for each event; no guarantees.
- `qqbot`: a bot, with all of its guarantees.
"""

import argparse
import asyncio
import json
import time
from typing import Any

import aiohttp
import msgspec
from aiohttp import WSMsgType
from msgspec import Raw, Struct

from bench.payloads import HANDLED
from qqbot import Bot, Context, Credentials, Endpoints, GroupAtMessageCreate
from qqbot.models.events import EVENTS

IDENTIFY = b'{"op":2,"d":{"token":"QQBot benchmark","intents":33554432,"shard":[0,1]}}'


class Handled(Struct, frozen=True):
    """One burst: the processor seconds since the last report, the moment of its last event, each event's delay."""

    cpu: float
    at: float
    delays: tuple[float, ...] = ()


class Tally:
    """Counts the events and reports every `burst` of them."""

    def __init__(self, burst: int) -> None:
        self._burst = burst
        self._count = 0
        self._cpu = time.process_time()

    def take(self, content: str, author: str) -> None:
        """Note one event, of which these were read."""
        self._count += 1
        if self._count == self._burst:
            assert content
            assert author
            self._count = 0
            self._report()

    def _report(self) -> None:
        cpu, at = time.process_time(), time.perf_counter()
        print(msgspec.json.encode(Handled(cpu - self._cpu, at)).decode(), flush=True)
        self._cpu = time.process_time()


class Stopwatch(Tally):
    """Measures as well how long each event was on its way."""

    def __init__(self, burst: int) -> None:
        super().__init__(burst)
        self._delays: list[float] = []

    def take(self, content: str, author: str) -> None:
        """Note one event; its content begins with the moment at which it was sent."""
        self._delays.append(time.perf_counter() - float(content.partition(" ")[0]))
        super().take(content, author)

    def _report(self) -> None:
        cpu, delays = time.process_time() - self._cpu, tuple(self._delays)
        print(msgspec.json.encode(Handled(cpu, time.perf_counter(), delays)).decode(), flush=True)
        self._delays.clear()
        self._cpu = time.process_time()


class Envelope(Struct, frozen=True, gc=False):
    """A frame, its payload undecoded."""

    op: int
    d: Raw = Raw(b"null")
    s: int | None = None
    t: str | None = None
    id: str | None = None


async def floor(address: str, tally: Tally) -> None:
    """Receive, decode, await the handler: nothing else."""
    decode_frame = msgspec.json.Decoder(Envelope).decode
    decoders = {HANDLED: msgspec.json.Decoder(GroupAtMessageCreate).decode}

    async def handle(event: GroupAtMessageCreate) -> None:
        tally.take(event.content, event.author.username)

    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{address}/ws", decode_text=False, compress=0) as websocket,
    ):
        await websocket.receive()
        await websocket.send_frame(IDENTIFY, WSMsgType.TEXT)
        await websocket.receive()
        _say_ready()
        receive = websocket.receive
        while True:
            message = await receive()
            if message.type is not WSMsgType.TEXT:
                return
            frame = decode_frame(message.data)
            if frame.op == 0 and (decode := decoders.get(frame.t or "")) is not None:
                await handle(decode(frame.d))


class Author:
    """Who wrote it."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.member_openid = data.get("member_openid", "")
        self.username = data.get("username", "")


class Message:
    """A message with attributes, made of its dict."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.id = data.get("id")
        self.content = data.get("content", "")
        self.timestamp = data.get("timestamp")
        self.group_openid = data.get("group_openid")
        self.author = Author(data.get("author", {}))


async def tasks(address: str, tally: Tally) -> None:
    """Receive text, make a dict, an object and a task of it."""

    async def handle(message: Message) -> None:
        tally.take(message.content, message.author.username)

    running: set[asyncio.Task[None]] = set()
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{address}/ws") as websocket:
        await websocket.receive()
        await websocket.send_str(IDENTIFY.decode())
        await websocket.receive()
        _say_ready()
        async for received in websocket:
            frame = json.loads(received.data)
            if frame["op"] == 0 and frame["t"] == HANDLED:
                task = asyncio.create_task(handle(Message(frame["d"])))
                running.add(task)
                task.add_done_callback(running.discard)


async def qqbot(address: str, tally: Tally, shards: int, handlers: int) -> None:
    """Serve a bot with one handler for the event, and the rest of `handlers` for others."""
    bot = Bot(Credentials("102000000", "secret"), endpoints=Endpoints(address), shards=shards)

    @bot.on(GroupAtMessageCreate)
    async def handle(ctx: Context[GroupAtMessageCreate]) -> None:
        event = ctx.event
        tally.take(event.content, event.author.username)

    _register_others(bot, handlers - 1)
    async with bot:
        await bot.ready()
        _say_ready()
        await bot.wait()


def _say_ready() -> None:
    print("ready", flush=True)


def _register_others(bot: Bot, count: int) -> None:
    others = [name for name in EVENTS if not name.startswith("GROUP_")]
    for number in range(count):

        async def other(ctx: Context[GroupAtMessageCreate]) -> None:
            """Never called."""

        bot.on(others[number % len(others)])(other)


def main() -> None:
    """Run the kind that the arguments name."""
    parser = argparse.ArgumentParser(prog="bench.receivers")
    parser.add_argument("kind", choices=["floor", "tasks", "qqbot"])
    parser.add_argument("address")
    parser.add_argument("--burst", type=int, default=1)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--handlers", type=int, default=1)
    parser.add_argument("--delays", action="store_true")
    arguments = parser.parse_args()
    tally = (Stopwatch if arguments.delays else Tally)(arguments.burst)
    if arguments.kind == "qqbot":
        asyncio.run(qqbot(arguments.address, tally, arguments.shards, arguments.handlers))
    else:
        asyncio.run({"floor": floor, "tasks": tasks}[arguments.kind](arguments.address, tally))


if __name__ == "__main__":
    main()
