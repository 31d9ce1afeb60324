"""The test kit around a real bot: people, files, events, dialogs, silence."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from qqbot import (
    Bot,
    Button,
    C2CMessageCreate,
    Context,
    GroupAtMessageCreate,
    GuildMemberAdd,
    InteractionCreate,
    Keyboard,
    Markdown,
    Text,
)
from qqbot.testing import Simulator
from tests.simulator.bare import BareBot, Echo

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def bot() -> Bot:
    bot = Bot()

    @bot.on
    async def answer(ctx: Context[GroupAtMessageCreate | C2CMessageCreate]) -> None:
        if (card := ctx.event.ark_data) is not None:
            await ctx.reply(f"{card.ark_type} {card.ark_name} {card.prompt} {card.fields['title']}")
            return
        match ctx.text:
            case "hush":
                pass
            case "fail":
                raise ValueError("no")
            case "":
                for attachment in ctx.event.attachments:
                    await ctx.reply(f"{attachment.content_type} {attachment.filename} {attachment.address}")
            case text:
                await ctx.reply(Text(text))

    return bot


async def test_run_starts_and_stops_the_simulator(qq: Simulator, bot: Bot) -> None:
    for _ in range(2):
        async with qq.run(bot):
            assert (await qq.group("test").member("Alice").say("hello")).text == "hello"
        with pytest.raises(aiohttp.ClientConnectorError):
            async with aiohttp.ClientSession() as http:
                await http.get(qq.api_base)


async def test_bots_come_and_go_in_any_order(qq: Simulator) -> None:
    bots = [Bot(), Bot()]
    for each in bots:
        each.on(C2CMessageCreate, when=lambda _: False)(hear)
    first, second = map(qq.run, bots)
    await asyncio.gather(first.__aenter__(), second.__aenter__())
    base = qq.api_base
    await first.__aexit__(None, None, None)
    assert (await qq.user("Alice").say("anybody?")).outcome == "unwanted"
    assert qq.api_base == base
    await second.__aexit__(None, None, None)


async def hear(ctx: Context[C2CMessageCreate]) -> None:
    """Only here to ask for the intent."""


async def test_outcomes(qq: Simulator, bot: Bot) -> None:
    async with qq.run(bot):
        alice = qq.user("Alice")
        assert (await alice.say("hello")).outcome == "handled"
        with qq.expect_error(ValueError):
            assert (await alice.say("fail")).outcome == "failed"
        assert (await qq.event("FRIEND_DEL", {"openid": "X", "timestamp": 1})).outcome == "unwanted"


async def test_an_expected_error(qq: Simulator, bot: Bot) -> None:
    async with qq.run(bot):
        alice = qq.user("Alice")
        missing = pytest.raises(AssertionError, match="should have raised KeyError")
        with missing, qq.expect_error(KeyError), qq.expect_error() as inner:
            await alice.say("fail")
        with qq.expect_error(ValueError) as outer, missing, qq.expect_error(KeyError):
            await alice.say("fail")
    assert [str(error) for error in (*inner, *outer)] == ["no", "no"]
    assert qq.unexpected_errors == []


async def test_speaking_without_a_bot(qq: Simulator, bot: Bot) -> None:
    start = time.monotonic()
    alice = qq.user("Alice")
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"async with qq\.run"):
            await alice.say("hello")
        with pytest.raises(RuntimeError, match=r"async with qq\.run"):
            await qq.event("FRIEND_DEL", {"openid": "X", "timestamp": 1})
        with pytest.raises(RuntimeError, match=r"async with qq\.run"):
            await qq.guild().join("Bob")
        async with qq.run(bot):
            assert (await alice.say("hello")).text == "hello"
    assert time.monotonic() - start < 4
    async with Simulator() as sim:
        with pytest.raises(RuntimeError, match=r"within 0\.05 s"):
            await sim.user("Bob").say("hello", timeout=0.05)


async def test_a_click_that_is_not_acknowledged_is_a_violation(qq: Simulator) -> None:
    bot = Bot()
    keyboard = Keyboard([[Button.callback("Yes", "yes"), Button.callback("No", "no")]])

    @bot.on
    async def ask(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply(Markdown("Tea?", keyboard=keyboard))

    @bot.on
    async def chosen(ctx: Context[InteractionCreate]) -> None:
        if ctx.event.button_data == "yes":
            await ctx.ack()

    async with qq.run(bot):
        question = await qq.user("Alice").say("hello")
        assert (await question.click("Yes")).ack == 0
        assert qq.violations == []
        assert (await question.click("No")).ack is None
        for _ in range(2):
            assert qq.violations == ["not acknowledged: Alice pressed “No”"]
        assert "not acknowledged" in qq.report()["violations"]
        assert qq.state()["violations"] == qq.violations


async def test_timeouts_of_wait_for_follow_the_clock(qq: Simulator) -> None:
    bot = Bot()

    @bot.on(C2CMessageCreate)
    async def ask(ctx: Context[C2CMessageCreate]) -> None:
        for _ in range(2):
            try:
                answer = await ctx.wait_for(C2CMessageCreate, timeout=60)
            except TimeoutError:
                await asyncio.sleep(0.01)
                await ctx.reply("Still there?")
            else:
                await answer.reply(f"You said {answer.text}")
                return
        await ctx.reply("Good bye")

    async with qq.run(bot):
        alice = qq.user("Alice")

        def said() -> list[str | None]:
            return [message.text for message in alice.messages]

        assert (await alice.say("hello")).outcome == "waiting"
        await qq.clock.advance(seconds=40)
        assert said() == []
        start = time.monotonic()
        await qq.clock.advance(seconds=21)
        assert said() == ["Still there?"]
        await qq.clock.advance(minutes=2)
        assert said() == ["Still there?", "Still there?", "Good bye"]
        assert time.monotonic() - start < 4
        assert (await alice.say("again")).outcome == "waiting"
        await qq.clock.advance(seconds=59)
        assert (await alice.say("yes")).text == "You said yes"
        await qq.clock.advance(minutes=2)
        assert said()[3:] == ["You said yes"]


async def test_an_asgi_application_with_its_lifespan(qq: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    fastapi = pytest.importorskip("fastapi")
    monkeypatch.setenv("QQBOT_APP_ID", "mine")
    bot = Bot()
    steps: list[str] = []

    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        if ctx.text == "fail":
            raise ValueError("no")
        await ctx.reply(f"{ctx.text} {steps}")

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncGenerator[None]:
        steps.append("startup")
        async with bot.serve(connect=False):
            yield
        steps.append("shutdown")

    app = fastapi.FastAPI(lifespan=lifespan)
    app.mount("/qq", bot.asgi())

    @app.get("/hello/{name}")
    async def hello(name: str, times: int) -> dict[str, object]:
        return {"hello": name, "times": times}

    async with qq.run_asgi(app, bot, path="/qq/") as base:
        assert (await qq.user("Alice").say("hello")).text == "hello ['startup']"
        with qq.expect_error(ValueError):
            assert (await qq.user("Alice").say("fail")).outcome == "failed"
        async with aiohttp.ClientSession() as http, http.get(f"{base}/hello/a%20b?times=2") as response:
            assert (response.status, await response.json()) == (200, {"hello": "a b", "times": 2})
    assert steps == ["startup", "shutdown"]
    assert (os.environ["QQBOT_APP_ID"], "QQBOT_SECRET" in os.environ, qq.webhook.url) == ("mine", False, None)


async def test_the_bots_own_asgi_application(qq: Simulator, bot: Bot) -> None:
    async with qq.run_asgi(bot.asgi(), bot):
        assert (await qq.group("test").member("Alice").say("hello")).text == "hello"


async def test_a_lifespan_that_fails(qq: Simulator, bot: Bot) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def no_lifespan(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"

    with pytest.raises(RuntimeError, match="startup of the application failed: no database"):
        async with qq.run_asgi(app, bot):
            pytest.fail("it has not started")
    with pytest.raises(AssertionError):
        async with qq.run_asgi(no_lifespan, bot):
            pytest.fail("it has not started")


async def test_silence(qq: Simulator, bot: Bot) -> None:
    async with qq.run(bot):
        alice = qq.user("Alice")
        async with qq.expect_silence():
            assert not await alice.say("hush")
        with pytest.raises(AssertionError, match="hello"):
            async with qq.expect_silence():
                await alice.say("hello")


@pytest.mark.parametrize(
    ("name", "kind"), [("cat.png", "image/png"), ("cat.mp4", "video/mp4"), ("cat.mp3", "voice"), ("cat.txt", "file")]
)
async def test_upload(qq: Simulator, bot: Bot, name: str, kind: str) -> None:
    qq.registered_domains.add("127.0.0.1")  # the bot says the address
    async with qq.run(bot), aiohttp.ClientSession() as http:
        reply = await qq.user("Alice").upload(PNG, name=name)
        assert reply.text is not None
        shown, address = reply.text.rsplit(" ", 1)
        assert shown == f"{kind} {name}"
        async with http.get(address) as response:
            assert await response.read() == PNG


async def test_upload_from_a_path(qq: Simulator, bot: Bot, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    qq.registered_domains.add("127.0.0.1")
    async with qq.run(bot):
        reply = await qq.group("test").member("Alice").upload(tmp_path / "notes.txt")
        assert reply.text is not None and reply.text.startswith("file notes.txt http://127.0.0.1")
        assert [message.text for message in qq.group("test").messages] == [reply.text]


async def test_share(qq: Simulator, bot: Bot) -> None:
    async with qq.run(bot):
        for person in (qq.user("Alice"), qq.group("test").member("Alice")):
            reply = await person.share({"ark_type": "tuwen", "fields": {"title": "Tea"}})
            assert (reply.text, reply.outcome) == ("tuwen 图文H5 [分享]Tea Tea", "handled")
        with pytest.raises(ValueError, match="ark_type of a card"):
            await qq.user("Alice").share({"ark_type": "link", "fields": {"title": "Tea"}})


async def test_who_joins_and_leaves_a_guild(qq: Simulator) -> None:
    bot = Bot()
    general = qq.channel("general").id

    @bot.on
    async def welcome(ctx: Context[GuildMemberAdd]) -> None:
        assert ctx.event.user is not None
        await ctx.api.channels.send_message(general, f"Welcome, {ctx.event.user.username}!")

    async with qq.run(bot):
        reply = await qq.guild().join("Carol")
        assert reply.text == "Welcome, Carol!"
        assert (await qq.guild().leave("Carol")).outcome == "unwanted"
        with pytest.raises(ValueError, match="Carol is no member"):
            await qq.guild().leave("Carol")
        with pytest.raises(ValueError, match="pass the member who clicks"):
            await (await qq.guild().join("Dave")).click("x")


async def test_a_quote_reaches_the_bot(qq: Simulator, bot: Bot) -> None:
    async with qq.run(bot):
        alice = qq.user("Alice")
        first = await alice.say("hello")
        await alice.say("what?", quote=first.id)
        assert '"message_type":103' in qq.frames[-1]["json"]


# A bot that says itself when it is done: dialogs as they reach the kit, whatever the bot is made of


class Dialog(BareBot):
    """Tells the outcome of each event in turn; answers each message before."""

    def __init__(self, sim: Simulator, outcomes: list[str]) -> None:
        super().__init__(sim)
        self._outcomes = outcomes
        self._callbacks: list[Callable[[str, str], None]] = []

    @asynccontextmanager
    async def serve(self, **_: object) -> AsyncGenerator[None]:
        async with self:
            socket = await self.connect_ready()
            async with Echo(self, socket) as echo:
                echo.answered = self._settle
                yield

    async def ready(self) -> None:
        """It is, once `serve` is entered."""

    def on_settled(self, callback: Callable[[str, str], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def _settle(self, frame: dict[str, Any]) -> None:
        for callback in self._callbacks:
            callback(frame["id"], self._outcomes.pop(0))


async def test_say_returns_when_a_dialog_waits_and_when_it_took_the_answer(qq: Simulator) -> None:
    async with qq.run(Dialog(qq, ["waiting", "consumed"])):
        alice = qq.user("Alice")
        question = await alice.say("order")
        assert (question.text, question.outcome) == ("order", "waiting")
        answer = await alice.say("tea")
        assert (answer.text, answer.outcome) == ("tea", "consumed")


async def test_it_is_fast(bot: Bot) -> None:
    """The best of some, since a busy machine says little of the rest."""
    starts: list[float] = []
    says: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        async with Simulator() as sim, sim.run(bot):
            starts.append(time.perf_counter() - start)
            for _ in range(10):
                start = time.perf_counter()
                assert (await sim.user("Alice").say("hello")).text == "hello"
                says.append(time.perf_counter() - start)
    assert min(starts) < 0.1
    assert min(says) < 0.01
