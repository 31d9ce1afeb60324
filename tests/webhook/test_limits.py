"""What a stranger can make a webhook address hold: bodies that are large, encoded, slow or many, silent connections."""

import asyncio
import contextlib
import gzip
import json
import resource
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from qqbot import Bot
from qqbot.testing import Simulator
from qqbot.webhook import WebhookClient, intake
from qqbot.webhook import aiohttp as by_hand
from qqbot.webhook.aiohttp import listening
from qqbot.webhook.client import ANSWER_BYTES
from qqbot.webhook.intake import BODIES, Intake
from qqbot.webhook.protocol import WebhookReply, unread
from tests.webhook.hosts import SERVERS, by_aiohttp
from tests.webhook.signed import ACK, CREDENTIALS, Caller, event, signed

HOSTS = ["uvicorn", "hypercorn", "granian", "aiohttp", "aiohttp-sub", "listening"]
BOMB_BYTES = 1 << 30
PATIENCE = 20.0
MANY = 60


@asynccontextmanager
async def hosted(host: str, bot: Bot) -> AsyncIterator[str]:
    """Serve the bot's webhook; the URL of its root."""
    async with AsyncExitStack() as stack:
        if host == "listening":
            await stack.enter_async_context(bot.serve(connect=False))
            port = await stack.enter_async_context(listening(bot.webhook(), "127.0.0.1:0", 1.0))
            yield f"http://127.0.0.1:{port}/qq"
            return
        if host in SERVERS:
            yield await stack.enter_async_context(SERVERS[host](bot.asgi())) + "/qq"
            return
        app = bot.webhook()
        if host == "aiohttp-sub":
            app = web.Application()
            app.add_subapp("/qq", bot.webhook())
        yield await stack.enter_async_context(by_aiohttp(app)) + "/qq"


@pytest.fixture(params=HOSTS)
async def caller(request: pytest.FixtureRequest) -> AsyncIterator[Caller]:
    async with hosted(request.param, Bot(CREDENTIALS)) as url, Caller(url) as found:
        yield found


def port_of(caller: Caller) -> int:
    return int(caller.url.split(":")[2].partition("/")[0])


def head(length: int, **fields: str) -> bytes:
    """The head of an unsigned call."""
    lines = {"Host": "x", "Content-Type": "application/json", "Content-Length": str(length), **fields}
    return (
        "POST /qq HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    ).encode() + b"\r\n"


def bomb() -> bytes:
    """One MiB that becomes a GiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(BOMB_BYTES >> 20)), packer.flush()])


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "br", "zstd", "x-gzip", "identity, gzip"])
async def test_an_encoded_body_is_refused(caller: Caller, encoding: str) -> None:
    body = gzip.compress(event(1))
    async with aiohttp.ClientSession() as session:
        headers = signed(body, Content_Encoding=encoding)
        async with session.post(caller.url, data=body, headers=headers) as response:
            words = await response.text()
    if encoding in ("br", "zstd") and response.status == 400:
        assert "decode" in words, "aiohttp refuses what it cannot inflate, in an application that is not ours"
        return
    assert response.status == 415
    assert "Content-Encoding" in words
    assert await caller.send(event(1)) == (200, ACK)


async def test_a_bomb_is_refused_before_it_is_inflated(caller: Caller) -> None:
    body = bomb()
    before, grown = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (await caller.send(body, signed(body, Content_Encoding="gzip")))[0] == 415
    async with Caller(caller.url) as another:  # a server may close a connection with an unread body
        assert await another.send(event(1)) == (200, ACK)
    assert time.process_time() - before < 0.3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown < 64 * 1024  # kB


async def test_a_declared_length_past_the_limit_is_refused_at_once(caller: Caller) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(caller))
    writer.write(head(intake.BODIES * (1 << 20)))
    async with asyncio.timeout(2):
        assert b" 413 " in await reader.readline()
    writer.close()


async def test_a_body_has_to_be_complete_in_time(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "BODY_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(caller))
    writer.write(head(1000) + b"{")
    async with asyncio.timeout(PATIENCE):
        assert b" 408 " in await reader.readline()
    writer.close()
    assert await caller.send(event(1)) == (200, ACK)


async def test_many_bodies_that_never_end_hold_little_and_stop_no_call(caller: Caller) -> None:
    answers: list[bytes] = []

    async def hold() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(caller))
        try:
            writer.write(head(1_000_000) + bytes(900_000))
            answers.append(await reader.readline())
        finally:
            writer.transport.abort()

    held = [asyncio.create_task(hold()) for _ in range(MANY)]
    async with asyncio.timeout(intake.BODY_SECONDS - 1):
        while len(answers) < MANY - 2 * BODIES:
            await asyncio.sleep(0.05)
        assert await caller.send(event(1)) == (200, ACK)
    assert all(b" 503 " in answer for answer in answers)
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)


async def test_the_oldest_body_is_given_up_for_a_newer_one() -> None:
    reader = Intake(max_bytes=1000)
    stop = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield bytes(900)
        await stop.wait()

    async def whole() -> AsyncIterator[bytes]:
        yield bytes(1000)

    held = [asyncio.create_task(reader.read(endless())) for _ in range(BODIES + 1)]
    await asyncio.sleep(0.05)
    assert reader.bytes <= BODIES * 1000
    assert await reader.read(whole()) == bytes(1000)
    await asyncio.sleep(0.05)
    given_up = [task for task in held if task.done()]
    assert given_up == held[: len(given_up)]
    assert given_up
    for task in given_up:
        answer = task.result()
        assert isinstance(answer, WebhookReply)
        assert answer.status == 503
    stop.set()
    assert [await task for task in held[len(given_up) :]] == [bytes(900)] * (len(held) - len(given_up))
    assert reader.bytes == 0


async def test_a_cancelled_reading_holds_nothing() -> None:
    reader = Intake(max_bytes=1000)

    async def endless() -> AsyncIterator[bytes]:
        yield bytes(900)
        await asyncio.Event().wait()

    task = asyncio.create_task(reader.read(endless()))
    await asyncio.sleep(0)
    assert reader.bytes == 900
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reader.bytes == 0


@pytest.mark.parametrize("sent", [b"", b"POST /qq HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_connection_without_a_call_is_closed(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(by_hand, "HEADERS_SECONDS", 0.3)
    async with hosted("listening", Bot(CREDENTIALS)) as url, Caller(url) as caller:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(caller))
        writer.write(sent)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()
        assert await caller.send(event(1)) == (200, ACK)
        await asyncio.sleep(0.5)
        assert await caller.send(event(2)) == (200, ACK), "a connection that has made a call is kept"


async def test_headers_that_never_end_are_ended_in_an_application_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_hand, "IDLE_SECONDS", 0.3)
    async with hosted("aiohttp", Bot(CREDENTIALS)) as url, Caller(url) as caller:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(caller))
        writer.write(b"POST /qq HTTP/1.1\r\nHost: x\r\n")
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Content-Length", "100", None),
        ("content-length", "101", 413),
        ("Content-Length", "9" * 5000, 413),
        ("Content-Length", "0100", None),
        ("Content-Length", "x", None),
        ("CONTENT-ENCODING", "gzip", 415),
        ("Content-Encoding", "identity", None),
        ("Content-Encoding", " ", None),
    ],
)
def test_bodies_that_are_not_read(name: str, value: str, status: int | None) -> None:
    reply = unread([("X", "1"), (name, value)], 100)
    assert (None if reply is None else reply.status) == status
    if reply is not None:
        assert json.loads(reply.body)["error"]


def test_the_second_of_two_encodings_counts_too() -> None:
    reply = unread([("Content-Encoding", "identity"), ("Content-Encoding", "gzip")], 100)
    assert reply is not None
    assert reply.status == 415


async def test_only_the_start_of_a_long_answer_to_a_push_is_read() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                await response.write(b"x" * (1 << 20))
        return response

    app = web.Application()
    app.router.add_post("/", answer)
    async with by_aiohttp(app) as url:
        async with WebhookClient(url, CREDENTIALS) as client:
            assert len((await client.post(b"{}", {})).text) == ANSWER_BYTES
        async with Simulator(webhook=url) as sim:
            sim.push_message("c2c", user="Alice", text="hello")
            await sim.webhook.delivered()
            assert {len(each.answer) for each in sim.webhook.deliveries} == {ANSWER_BYTES}
