"""Who receives the events: `python -m bench.receivers KIND ADDRESS` connects, says so, and reports what it handled.

All call the same handler, which reads the content and the author. KIND is one of

- `floor`: aiohttp with bytes frames, msgspec into the package's own event, `await handler(event)`; no guarantees.
- `tasks`: text frames, dicts made into an object with attributes, a task for each event; no guarantees.
- `qqbot`: a bot, with all of its guarantees.
"""

import argparse
import asyncio
import json
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import WSMsgType
from msgspec import Raw, Struct

from bench import lifeline
from bench.memory import resident, settled
from bench.payloads import HANDLED
from qqbot import Bot, Context, Credentials, Endpoints, GroupAtMessageCreate
from qqbot.models.events import EVENTS

IDENTIFY = b'{"op":2,"d":{"token":"QQBot benchmark","intents":33554432,"shard":[0,1]}}'
SAMPLE_SECONDS = 0.01


class Connected(Struct, frozen=True):
    """All connections are READY: the seconds that this took, and the bytes of memory then."""

    seconds: float
    memory: int


class Handled(Struct, frozen=True):
    """One burst: the processor seconds since the last report, the moment of its last event, each event's delay."""

    cpu: float
    at: float
    delays: tuple[float, ...] = ()


class Flooded(Struct, frozen=True):
    """What a flood did: bytes of memory before it and at the most, and how many tasks it left more than before."""

    before: int
    peak: int
    tasks: int


def tell(report: Struct) -> None:
    """Print a report."""
    print(msgspec.json.encode(report).decode(), flush=True)


class Tally:
    """Counts the events and reports every `burst` of them."""

    stuck = False

    def __init__(self, burst: int) -> None:
        self._burst = burst
        self._count = 0
        self._started = time.perf_counter()
        self._cpu = time.process_time()

    def connected(self) -> None:
        """Note that all connections are READY."""
        tell(Connected(time.perf_counter() - self._started, settled()))

    def take(self, content: str, author: str) -> None:
        """Note one event, of which these were read."""
        self._count += 1
        if self._count == self._burst:
            assert content
            assert author
            self._count = 0
            self._report()

    async def wait(self) -> None:
        """Return when a handler may that is `stuck`."""

    def _report(self, delays: tuple[float, ...] = ()) -> None:
        tell(Handled(time.process_time() - self._cpu, time.perf_counter(), delays))
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

    def _report(self, delays: tuple[float, ...] = ()) -> None:
        delays, self._delays = tuple(self._delays), []
        super()._report(delays)


class Swamp(Tally):
    """Lets no handler end, and reports once what the first `seconds` of that did."""

    stuck = True

    def __init__(self, seconds: float) -> None:
        super().__init__(0)
        self._seconds = seconds
        self._before = self._tasks = 0
        self._never = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    def connected(self) -> None:
        """Note that the bot is idle now."""
        self._before = settled()
        self._tasks = len(asyncio.all_tasks())
        super().connected()

    async def wait(self) -> None:
        """Never return."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._look())
        await self._never.wait()

    async def _look(self) -> None:
        peak, until = 0, time.perf_counter() + self._seconds
        while time.perf_counter() < until:
            peak = max(peak, resident())
            await asyncio.sleep(SAMPLE_SECONDS)
        tell(Flooded(self._before, peak, len(asyncio.all_tasks()) - self._tasks - 1))


class Envelope(Struct, frozen=True, gc=False):
    """A frame, its payload undecoded."""

    op: int
    d: Raw = Raw(b"null")
    s: int | None = None
    t: str | None = None
    id: str | None = None


async def floor(options: argparse.Namespace, tally: Tally) -> None:
    """Receive, decode, await the handler: nothing else."""
    decode_frame = msgspec.json.Decoder(Envelope).decode
    decoders = {HANDLED: msgspec.json.Decoder(GroupAtMessageCreate).decode}

    stuck = tally.stuck

    async def handle(event: GroupAtMessageCreate) -> None:
        tally.take(event.content, event.author.username)
        if stuck:
            await tally.wait()

    async def converse(session: aiohttp.ClientSession, ready: Callable[[], None]) -> None:
        url = f"{options.address}/ws"
        async with session.ws_connect(url, decode_text=False, compress=0, ssl=options.ca or True) as websocket:
            await websocket.receive()
            await websocket.send_frame(IDENTIFY, WSMsgType.TEXT)
            await websocket.receive()
            ready()
            receive = websocket.receive
            while True:
                message = await receive()
                if message.type is not WSMsgType.TEXT:
                    return
                frame = decode_frame(message.data)
                if frame.op == 0 and (decode := decoders.get(frame.t or "")) is not None:
                    await handle(decode(frame.d))

    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        asyncio.TaskGroup() as group,
    ):
        missing = set(range(options.shards))

        def ready() -> None:
            missing.pop()
            if not missing:
                tally.connected()

        for _ in range(options.shards):
            group.create_task(converse(session, ready))


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


async def tasks(options: argparse.Namespace, tally: Tally) -> None:
    """Receive text, make a dict, an object and a task of it."""
    stuck = tally.stuck

    async def handle(message: Message) -> None:
        tally.take(message.content, message.author.username)
        if stuck:
            await tally.wait()

    running: set[asyncio.Task[None]] = set()
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{options.address}/ws") as websocket:
        await websocket.receive()
        await websocket.send_str(IDENTIFY.decode())
        await websocket.receive()
        tally.connected()
        async for received in websocket:
            frame = json.loads(received.data)
            if frame["op"] == 0 and frame["t"] == HANDLED:
                task = asyncio.create_task(handle(Message(frame["d"])))
                running.add(task)
                task.add_done_callback(running.discard)


async def qqbot(options: argparse.Namespace, tally: Tally) -> None:
    """Serve a bot with one handler for the event, and the rest of `options.handlers` for others."""
    bot = Bot(
        Credentials("102000000", "secret"),
        endpoints=Endpoints(options.address),
        shards=options.shards,
        ssl_context=options.ca,
    )
    stuck = tally.stuck

    @bot.on(GroupAtMessageCreate)
    async def handle(ctx: Context[GroupAtMessageCreate]) -> None:
        event = ctx.event
        tally.take(event.content, event.author.username)
        if stuck:
            await tally.wait()

    _register_others(bot, options.handlers - 1)
    async with bot:
        await bot.ready()
        tally.connected()
        await bot.wait()


def _register_others(bot: Bot, count: int) -> None:
    others = [name for name in EVENTS if not name.startswith("GROUP_")]
    for number in range(count):

        async def other(ctx: Context[GroupAtMessageCreate]) -> None:
            """Never called."""

        bot.on(others[number % len(others)])(other)


KINDS: dict[str, Callable[[argparse.Namespace, Tally], Awaitable[None]]] = {
    "floor": floor,
    "tasks": tasks,
    "qqbot": qqbot,
}


def main() -> None:
    """Run the kind that the arguments name."""
    parser = argparse.ArgumentParser(prog="bench.receivers")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("address")
    parser.add_argument("--burst", type=int, default=1, help="events of one report")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--handlers", type=int, default=1)
    parser.add_argument("--ca", type=_context, help="the authority that signed the server's certificate")
    parser.add_argument("--delays", action="store_true", help="report the delay of each event")
    parser.add_argument("--stuck", type=float, help="let no handler end, and report after so many seconds")
    options = parser.parse_args()
    lifeline.hold()
    logging.getLogger("qqbot").setLevel(logging.ERROR)  # on a busy machine it warns of the time that others take
    asyncio.run(_run(options))


def _context(path: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=Path(path).read_text("ascii"))


async def _run(options: argparse.Namespace) -> None:
    if options.stuck is not None:
        tally: Tally = Swamp(options.stuck)
    else:
        tally = (Stopwatch if options.delays else Tally)(options.burst)
    await KINDS[options.kind](options, tally)


if __name__ == "__main__":
    main()
