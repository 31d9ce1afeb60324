"""The test kit around a real bot: people, files, events, dialogs, silence."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from qqbot import Bot, C2CMessageCreate, Context, GroupAtMessageCreate, GuildMemberAdd, Text
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
        assert (await alice.say("fail")).outcome == "failed"
        assert (await qq.event("FRIEND_DEL", {"openid": "X", "timestamp": 1})).outcome == "unwanted"


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
