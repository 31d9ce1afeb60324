"""Several bots at one address, told apart by their AppID; they come and go while it runs."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from qqbot import Bot, C2CMessageCreate, ConfigError, Context, Credentials
from qqbot.webhook import WebhookApp, application
from tests.cli.program import python
from tests.served import is_served
from tests.sockets import free_port
from tests.webhook.hosts import by_aiohttp, by_uvicorn, reachable
from tests.webhook.signed import ACK, APP_ID, SECRET, Caller, event, signed

PATIENCE = 10


class Shop:
    """A bot that notes what it was sent."""

    def __init__(self, app_id: str, secret: str) -> None:
        self.app_id = app_id
        self.secret = secret
        self.texts: asyncio.Queue[str] = asyncio.Queue()
        self.life: list[str] = []
        self.bot = Bot(Credentials(app_id, secret), lifespan=self.lifespan)

        @self.bot.on
        async def note(ctx: Context[C2CMessageCreate]) -> None:
            self.texts.put_nowait(ctx.text)

    @asynccontextmanager
    async def lifespan(self, _: Bot) -> AsyncIterator[None]:
        self.life.append("in")
        yield
        self.life.append("out")

    def headers(self, body: bytes, *, app_id: str | None = None) -> dict[str, str]:
        return signed(body, secret=self.secret, app_id=app_id or self.app_id)

    async def text(self) -> str:
        return await asyncio.wait_for(self.texts.get(), PATIENCE)


@asynccontextmanager
async def at(app: WebhookApp, kind: str) -> AsyncIterator[Caller]:
    serving = by_uvicorn(app.asgi()) if kind == "asgi" else by_aiohttp(app.webhook())
    async with serving as url, Caller(url + "/") as caller:
        yield caller


@pytest.mark.parametrize("kind", ["asgi", "aiohttp"])
async def test_each_bot_gets_its_own_calls(kind: str) -> None:
    one, two, three = Shop("101", "first secret"), Shop("102", "second secret"), Shop("103", "third secret")
    app = application({"101": one.bot, "102": two.bot})
    body = event(1, text="for one")
    async with at(app, kind) as caller:
        assert (one.life, two.life, three.life) == (["in"], ["in"], [])
        assert await caller.send(body, one.headers(body)) == (200, ACK)
        assert await one.text() == "for one"
        assert await caller.send(body, two.headers(body)) == (200, ACK), "the same id at another bot is another event"
        assert await two.text() == "for one"
        assert (await caller.send(body, one.headers(body, app_id="102")))[0] == 401
        assert (await caller.send(body, three.headers(body)))[0] == 401
        nameless = {name: value for name, value in one.headers(body).items() if name != "X-Bot-Appid"}
        assert (await caller.send(body, nameless))[0] == 401
        # one comes
        await app.add("103", three.bot)
        assert three.life == ["in"]
        assert await caller.send(event(2), three.headers(event(2))) == (200, ACK)
        assert await three.text() == "hi"
        with pytest.raises(ConfigError, match="remove it first"):
            await app.add("103", one.bot)
        # one goes
        await app.remove("101")
        assert one.life == ["in", "out"]
        assert not is_served(one.bot)
        assert (await caller.send(event(3), one.headers(event(3))))[0] == 401
        with pytest.raises(KeyError):
            await app.remove("101")
        assert await caller.send(event(3), two.headers(event(3))) == (200, ACK)
        assert await two.text() == "hi"
    assert two.life == three.life == ["in", "out"]
    assert one.texts.empty()


async def test_who_is_served_already_is_left_alone() -> None:
    one, two = Shop("101", "first secret"), Shop("102", "second secret")
    app = application({"101": one.bot})
    async with one.bot.serve(connect=False), two.bot.serve(connect=False):
        async with at(app, "aiohttp") as caller:
            await app.add("102", two.bot)
            assert await caller.send(event(1), two.headers(event(1))) == (200, ACK)
            await app.remove("102")
        assert is_served(one.bot)
        assert is_served(two.bot)
    assert one.life == two.life == ["in", "out"]


async def test_a_bot_that_cannot_be_served_is_not_added_and_its_error_is_told() -> None:
    @asynccontextmanager
    async def lifespan(_: Bot) -> AsyncIterator[None]:
        raise OSError("no database")
        yield

    good, bad = Shop("101", "first secret"), Bot(Credentials("102", "s"), lifespan=lifespan)
    app = application({"101": good.bot})
    async with at(app, "asgi") as caller:
        with pytest.raises(OSError, match="no database"):
            await app.add("102", bad)
        assert (await caller.send(event(1), signed(event(1), secret="s", app_id="102")))[0] == 401
        assert await caller.send(event(1), good.headers(event(1))) == (200, ACK)
    assert good.life == ["in", "out"]
    with pytest.raises(OSError, match="no database"):
        async with by_aiohttp(application({"101": good.bot, "102": bad}).webhook()):
            pass
    assert good.life == ["in", "out"] * 2
    assert not is_served(good.bot)


async def test_an_asgi_server_is_told_why_it_cannot_start() -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "lifespan.startup"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    with pytest.raises(ConfigError):
        await Bot().asgi()({"type": "lifespan"}, receive, send)  # type: ignore[arg-type]
    (message,) = sent
    assert message["type"] == "lifespan.startup.failed"
    assert "QQBOT_APP_ID" in str(message["message"])


@pytest.mark.parametrize("form", ["asgi", "aiohttp"])
async def test_a_body_without_an_end_is_not_read_to_it(form: str) -> None:
    bot = Bot(Credentials("101", "first secret"))
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000_000:
            sent += 10_000
            yield b"x" * 10_000

    app = application({"101": bot}, max_bytes=50_000)
    async with at(app, form) as caller:
        with contextlib.suppress(aiohttp.ClientConnectionError):  # it may be cut off while it is still sending
            assert (await caller.send(endless(), signed(b"", app_id="101")))[0] == 413
    assert sent < 20_000_000


async def test_one_application_is_served_once() -> None:
    app = application({"101": Shop("101", "first secret").bot})
    async with at(app, "aiohttp"):
        with pytest.raises(ConfigError, match="being served already"):
            async with by_aiohttp(app.webhook()):
                pass


async def test_for_functions_it_picks_the_bot_too() -> None:
    one = Shop("101", "first secret")
    app = application({"101": one.bot})
    status, _, _ = await app.handle_webhook(one.headers(event(1)), event(1))
    assert (status, one.texts.get_nowait(), one.life) == (200, "hi", ["in", "out"])


PROGRAM = """
import sys
from qqbot import Bot, C2CMessageCreate, Context
bot = Bot()
@bot.on
async def note(ctx: Context[C2CMessageCreate]) -> None:
    print("handled", ctx.text, flush=True)
if __name__ == "__main__":
    bot.run(webhook=sys.argv[1])
"""


async def test_run_listens_until_it_is_asked_to_stop() -> None:
    port = free_port()
    environment = {"QQBOT_APP_ID": APP_ID, "QQBOT_SECRET": SECRET}
    async with python("-c", PROGRAM, f"127.0.0.1:{port}", env=environment) as program:
        await program.line("err", "listening on")
        await reachable(port)
        async with Caller(f"http://127.0.0.1:{port}/any/path") as caller:
            assert await caller.send(event(1, text="words")) == (200, ACK)
            assert (await caller.send(event(2), {}))[0] == 401
        await program.line("out", "handled words")
        program.signal(signal.SIGTERM)
        assert (await program.finished()).code == 0


@pytest.mark.parametrize("address", ["8080", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", "203.0.113.1:8080"])
async def test_run_refuses_what_is_no_address(address: str) -> None:
    async with python("-c", PROGRAM, address, env={"QQBOT_APP_ID": APP_ID, "QQBOT_SECRET": SECRET}) as program:
        code, _, err = await program.finished()
    assert code == 3
    assert repr(address) in err


async def test_the_sub_application_serves_a_bot_of_the_parent_only_once() -> None:
    shop = Shop("101", "first secret")

    async def serve(_: web.Application) -> AsyncIterator[None]:
        async with shop.bot.serve(connect=False):
            yield

    parent = web.Application()
    parent.cleanup_ctx.append(serve)
    parent.add_subapp("/qq", shop.bot.webhook())
    async with by_aiohttp(parent) as url, Caller(f"{url}/qq") as caller:
        assert await caller.send(event(1), shop.headers(event(1))) == (200, ACK)
        assert await shop.text() == "hi"
    assert shop.life == ["in", "out"]
