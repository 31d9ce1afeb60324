"""The same calls through every server and framework: each gets the same answer, and the same handlers run."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from aiohttp import web

from qqbot import Bot, C2CMessageCreate, Context
from qqbot.webhook import sign
from tests.served import is_served
from tests.webhook.hosts import FRAMEWORKS, PATHS, SERVERS, by_aiohttp
from tests.webhook.signed import ACK, AGAIN, CREDENTIALS, SECRET, Caller, event, signed

HOSTS = [f"{server}-{framework}" for server in SERVERS for framework in FRAMEWORKS]
HOSTS += ["aiohttp-alone", "aiohttp-sub"]
MAX_BYTES = 100_000


class Hosted(NamedTuple):
    caller: Caller
    bot: Bot
    handled: list[str]
    texts: "asyncio.Queue[str]"


@asynccontextmanager
async def hosted(host: str, bot: Bot, *, awaited: bool) -> AsyncIterator[str]:
    server, _, framework = host.partition("-")
    if server == "aiohttp":
        app = bot.webhook(awaited=awaited, max_bytes=MAX_BYTES)
        if framework == "sub":
            parent = web.Application()
            parent.add_subapp("/qq", app)
            app = parent
        async with by_aiohttp(app) as url:
            yield f"{url}/qq"
        return
    mounted = bot.asgi(awaited=awaited, max_bytes=MAX_BYTES)
    async with SERVERS[server](FRAMEWORKS[framework](bot, mounted)) as url:
        yield f"{url}{PATHS[framework]}"


@asynccontextmanager
async def answering(host: str, *, awaited: bool = False) -> AsyncIterator[Hosted]:
    handled: list[str] = []
    texts: asyncio.Queue[str] = asyncio.Queue()
    bot = Bot(CREDENTIALS)

    @bot.on
    async def note(ctx: Context[C2CMessageCreate]) -> None:
        handled.append(ctx.event_id or "")
        texts.put_nowait(ctx.text)
        if ctx.text == "fail":
            raise ValueError("as the message asked")

    async with hosted(host, bot, awaited=awaited) as url, Caller(url) as caller:
        yield Hosted(caller, bot, handled, texts)
    assert not is_served(bot)


@pytest.fixture(params=HOSTS)
async def host(request: pytest.FixtureRequest) -> AsyncIterator[Hosted]:
    async with answering(request.param) as found:
        yield found


async def test_calls(host: Hosted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caller, bot, handled, texts = host
    assert is_served(bot)
    # an event, and the same again
    assert await caller.send(event(1, text="嗨 words of the message")) == (200, ACK)
    async with asyncio.timeout(10):
        assert await texts.get() == "嗨 words of the message"
    assert await caller.send(event(1, text="嗨 words of the message")) == (200, ACK)
    # the challenge
    challenge = {"op": 13, "d": {"plain_token": "Arq0D5A61EgUu4OxUvOp", "event_ts": "1725442341"}}
    status, answer = await caller.send(json.dumps(challenge).encode(), {"Content-Type": "application/json"})
    expected = sign(SECRET, "1725442341", b"Arq0D5A61EgUu4OxUvOp")
    assert (status, answer) == (200, {"plain_token": "Arq0D5A61EgUu4OxUvOp", "signature": expected})
    # a heartbeat
    assert await caller.send(b'{"op":1,"d":5}') == (200, {"op": 11, "d": 5})
    # what is not the platform's
    assert (await caller.send(event(2), signed(event(2), secret="somebody else's")))[0] == 401
    assert (await caller.send(event(2), signed(event(3))))[0] == 401
    assert (await caller.send(event(2), signed(event(2), age=3600)))[0] == 401
    assert (await caller.send(event(2), signed(event(2), app_id="1")))[0] == 401
    assert (await caller.send(event(2), {"Content-Type": "application/json"}))[0] == 401
    assert (await caller.send(b"", {"Content-Type": "application/json"}))[0] == 401
    # what is no call
    assert (await caller.send(b"", signed(b"")))[0] == 400
    assert (await caller.send(b"[]", signed(b"[]")))[0] == 400
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        assert (await caller.send(event(2), method=method))[0] == 405
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert (await caller.send(event(2), signed(event(2), Content_Type=kind)))[0] == 415
    large = event(2, text="x" * MAX_BYTES)
    assert (await caller.send(large))[0] == 413
    assert (await caller.send(_in_pieces(large), signed(large)))[0] == 413
    # another event, in pieces and without a content type
    assert await caller.send(_in_pieces(event(4, text="in pieces")), signed(event(4, text="in pieces"))) == (200, ACK)
    assert await caller.send(event(5, text="untyped"), signed(event(5, text="untyped"), Content_Type=None)) == (
        200,
        ACK,
    )
    async with asyncio.timeout(10):
        assert {await texts.get(), await texts.get()} == {"in pieces", "untyped"}
    assert handled == ["C2C_MESSAGE_CREATE:1", "C2C_MESSAGE_CREATE:4", "C2C_MESSAGE_CREATE:5"]
    shown = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records if _ours(record))
    assert not [record for record in caplog.records if _ours(record) and record.levelno >= logging.WARNING]
    for private in (SECRET, "words of the message", signed(event(1))["X-Signature-Ed25519"]):
        assert private not in shown


def _ours(record: logging.LogRecord) -> bool:
    return record.name.startswith("qqbot")


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    """As aiohttp sends it: chunked, since its length is not known."""
    for start in range(0, len(body), 7000):
        yield body[start : start + 7000]


@pytest.mark.parametrize("host", ["uvicorn-alone", "hypercorn-alone", "granian-alone", "aiohttp-sub"])
async def test_a_body_in_fragments_and_one_that_ends_early(host: str, caplog: pytest.LogCaptureFixture) -> None:
    async with answering(host) as (caller, _, handled, texts):
        port = int(caller.url.split(":")[2].partition("/")[0])
        body = event(1, text="slowly")
        for length in (len(body), len(body) + 10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            fields = signed(body) | {"Content-Length": str(length), "Host": "x", "Connection": "close"}
            head = "POST /qq HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            data = head.encode() + b"\r\n" + body
            for start in range(0, len(data), 41):
                writer.write(data[start : start + 41])
                await writer.drain()
                await asyncio.sleep(0)
            if length == len(body):
                async with asyncio.timeout(10):
                    assert b'{"op":12,"d":0}' in await reader.read()
                    assert await texts.get() == "slowly"
            writer.close()
            await writer.wait_closed()
        assert await caller.send(event(2)) == (200, ACK)
        async with asyncio.timeout(10):
            await texts.get()
    assert handled == ["C2C_MESSAGE_CREATE:1", "C2C_MESSAGE_CREATE:2"]
    assert not [record for record in caplog.records if _ours(record) and record.levelno >= logging.WARNING]


@pytest.mark.parametrize("host", ["uvicorn-fastapi", "hypercorn-alone", "granian-starlette", "aiohttp-sub"])
async def test_the_awaited_mode(host: str) -> None:
    async with answering(host, awaited=True) as (caller, _, handled, _):
        assert await caller.send(event(1)) == (200, ACK)
        assert len(handled) == 1, "the answer came after the handler"
        assert await caller.send(event(2, text="fail")) == (200, AGAIN)
        assert await caller.send(event(2, text="fail")) == (200, AGAIN)
        assert await caller.send(event(1)) == (200, ACK)
    assert [each.rpartition(":")[2] for each in handled] == ["1", "2", "2"]


@pytest.mark.parametrize("server", ["hypercorn", "granian"])
async def test_an_application_mounted_without_a_lifespan_serves_the_bot_for_each_call(server: str) -> None:
    bot = Bot(CREDENTIALS)
    handled: list[bool] = []

    @bot.on
    async def note(ctx: Context[C2CMessageCreate]) -> None:
        handled.append(is_served(bot))

    mounted = bot.asgi()

    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError("this framework has none")
        await mounted(scope, receive, send)  # type: ignore[arg-type]

    async with SERVERS[server](app) as url, Caller(url) as caller:
        answers = await asyncio.gather(*(caller.send(event(number, user=str(number))) for number in range(5)))
    assert answers == [(200, ACK)] * 5
    assert handled == [True] * 5
    assert not is_served(bot)
