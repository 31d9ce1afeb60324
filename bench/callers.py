"""Who makes the calls: `python -m bench.callers KIND ADDRESS` makes so many of them for each line that it reads.

A line holds the number of calls and how many are under way at a time; the answer is what they took. All calls send
one text message to a group and decode what comes back. KIND is one of

- `floor`: aiohttp on one session, msgspec's bytes out and in, headers made once; nothing is repeated or judged.
- `qqbot`: `api.groups.send_message`.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from msgspec import Struct
from yarl import URL

from bench.payloads import GROUP, TEXT
from qqbot import Api, Credentials, Endpoints
from qqbot.models.messages import MessageSendResult

Call = Callable[[], Awaitable[MessageSendResult]]


class Called(Struct, frozen=True):
    """All calls of one round: seconds of the clock and of the processor."""

    wall: float
    cpu: float


class Body(Struct, frozen=True):
    """A text message."""

    content: str
    msg_type: int = 0


@asynccontextmanager
async def floor(address: str) -> AsyncGenerator[Call]:
    """Call with aiohttp and msgspec alone."""
    encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(MessageSendResult).decode
    url = URL(f"{address}/v2/groups/{GROUP}/messages")
    headers = {"Authorization": "QQBot benchmark", "Content-Type": "application/json", "User-Agent": "benchmark"}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def call() -> MessageSendResult:
            async with session.post(url, data=encode(Body(TEXT)), headers=headers) as response:
                return decode(await response.read())

        yield call


@asynccontextmanager
async def qqbot(address: str) -> AsyncGenerator[Call]:
    """Call with the package."""
    async with Api(Credentials("102000000", "secret"), endpoints=Endpoints(address)) as api:

        async def call() -> MessageSendResult:
            return await api.groups.send_message(GROUP, TEXT)

        yield call


async def measure(call: Call, calls: int, concurrency: int) -> Called:
    """Make `calls` calls, `concurrency` at a time."""
    turns = iter(range(calls))
    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(_repeat(call, turns))
    return Called(time.perf_counter() - wall, time.process_time() - cpu)


async def _repeat(call: Call, turns: Iterator[int]) -> None:
    for _ in turns:
        sent = await call()
        assert sent.id


async def serve(kind: str, address: str) -> None:
    """Do what the lines say until there are no more."""
    async with {"floor": floor, "qqbot": qqbot}[kind](address) as call:
        while line := await asyncio.to_thread(sys.stdin.readline):
            calls, concurrency = map(int, line.split())
            called = await measure(call, calls, concurrency)
            print(msgspec.json.encode(called).decode(), flush=True)


def main() -> None:
    """Run the kind that the arguments name."""
    parser = argparse.ArgumentParser(prog="bench.callers")
    parser.add_argument("kind", choices=["floor", "qqbot"])
    parser.add_argument("address")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.kind, arguments.address))


if __name__ == "__main__":
    main()
