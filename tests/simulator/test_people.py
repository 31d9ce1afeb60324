import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from qqbot.config import Credentials, Endpoints
from qqbot.testing import Simulator
from tests.simulator.bare import BareBot, Echo, Frame
from tests.simulator.test_messages import button


def keyboard(*buttons: object) -> object:
    return {"content": {"rows": [{"buttons": list(buttons)}]}}


@asynccontextmanager
async def echoing(bot: BareBot, *buttons: object) -> AsyncIterator[Echo]:
    async with Echo(bot, await bot.connect_ready(), keyboard(*buttons) if buttons else None) as echo:
        yield echo


async def test_replies_in_all_scenes(sim: Simulator, bot: BareBot) -> None:
    people = (
        sim.group("test").member("Alice"),
        sim.user("Alice"),
        sim.channel("general").member("Alice"),
        sim.dms("Alice"),
    )
    async with echoing(bot):
        for person in people:
            reply = await person.say("hello", quiet=0.02)
            assert reply.text
            assert reply.text.endswith("hello")


async def test_several_replies(sim: Simulator, bot: BareBot) -> None:
    alice = sim.user("Alice")

    async def twice() -> None:
        socket = await bot.connect_ready()
        message_id = (await socket.next())["d"]["id"]
        for seq in (1, 2):
            body = {"msg_type": 0, "content": str(seq), "msg_id": message_id, "msg_seq": seq}
            await bot.call("POST", f"/v2/users/{alice.openid}/messages", body)

    answering = asyncio.create_task(twice())
    reply = await alice.say("hello", quiet=0.1)
    await answering
    assert [message.text for message in reply.messages] == ["1", "2"]
    assert reply.messages[0].reply_to


async def test_each_gets_the_answer_to_what_was_said(sim: Simulator, bot: BareBot) -> None:
    group = sim.group("test")
    async with echoing(bot):
        said = [group.member(name).say(name, quiet=0.1) for name in ("Alice", "Bob")]
        replies = await asyncio.gather(*said)
    assert [[message.text for message in reply.messages] for reply in replies] == [["Alice"], ["Bob"]]


async def test_an_active_message_is_an_answer_too(sim: Simulator, bot: BareBot) -> None:
    socket = await bot.connect_ready()

    async def answer() -> None:
        await bot.send_to_group((await socket.next())["d"]["group_openid"], content="active")

    answering = asyncio.create_task(answer())
    assert (await sim.group("test").member("Alice").say("x", quiet=0.05)).text == "active"
    await answering


async def test_no_reply(sim: Simulator, bot: BareBot) -> None:
    async with echoing(bot):
        reply = await sim.user("Alice").say("hush", timeout=0.1)
    assert not reply
    assert (reply.text, reply.id, reply.keyboard) == (None, None, None)


async def test_say_waits_until_the_bot_is_there(sim: Simulator, bot: BareBot) -> None:
    saying = asyncio.create_task(sim.user("Alice").say("hello", quiet=0.02))
    await asyncio.sleep(0.05)
    async with echoing(bot):
        assert (await saying).text == "hello"


async def test_click(sim: Simulator, bot: BareBot) -> None:
    async with echoing(bot, button(1), button(2, type=2, data="typed"), button(3, type=0)):
        alice = sim.group("test").member("Alice")
        reply = await alice.say("@bot hello", quiet=0.02)
        assert (reply.text, reply.markdown) == (None, "hello")
        for name in ("1", "label 1"):
            pressed = await reply.click(name)
            assert (pressed.text, pressed.ack) == ("pressed data 1", 0)
        assert (await reply.click("label 2")).markdown == "typed"
        with pytest.raises(ValueError, match="sends no event"):
            await reply.click("3")
        with pytest.raises(ValueError, match="there is no button"):
            await reply.click("4")


async def test_click_rights(sim: Simulator, bot: BareBot) -> None:
    group = sim.group("test")
    alice, bob, admin = group.member("Alice"), group.member("Bob"), group.member("Carol", role="admin")
    named = {"permission": {"type": 0, "specify_user_ids": [alice.openid]}}
    async with echoing(bot, button(1, **named), button(2, permission={"type": 1})):
        reply = await alice.say("x", quiet=0.02)
        assert await reply.click("1")
        assert await reply.click("2", by=admin)
        with pytest.raises(ValueError, match="Bob is not among"):
            await reply.click("1", by=bob)
        with pytest.raises(ValueError, match="only admins"):
            await reply.click("2")


async def test_ack_once(sim: Simulator, bot: BareBot) -> None:
    async with echoing(bot, button(1)):
        reply = await sim.user("Alice").say("x", quiet=0.02)
        await reply.click("1")
    interaction = next(call["path"] for call in sim.calls if call["path"].startswith("/interactions/"))
    assert (await bot.refused("PUT", interaction, {"code": 0}))[1] == 630001
    assert (await bot.refused("PUT", "/interactions/unknown", {"code": 0}))[1] == 630003


async def test_expect_silence(sim: Simulator, bot: BareBot) -> None:
    async with echoing(bot):
        async with sim.expect_silence():
            await sim.user("Alice").say("hush", timeout=0.05)
        with pytest.raises(AssertionError, match="loud"):
            async with sim.expect_silence():
                await sim.user("Alice").say("loud", quiet=0.02)


class SelfReporting:
    """A bot that says itself when it is done with an event."""

    def __init__(self, bot: BareBot, outcome: str = "handled") -> None:
        self._bot = bot
        self._outcome = outcome
        self._callbacks: list[Callable[[str, str], None]] = []
        self.clock: Callable[[], float] = time.monotonic

    @asynccontextmanager
    async def serve(
        self,
        *,
        credentials: Credentials | None = None,
        endpoints: Endpoints | None = None,
        clock: Callable[[], float] | None = None,
    ) -> AsyncIterator[None]:
        assert credentials is not None
        assert endpoints is not None
        assert clock is not None
        self.credentials, self.endpoints, self.clock = credentials, endpoints, clock
        async with Echo(self._bot, await self._bot.connect_ready()) as echo:
            echo.answered = self._report
            yield

    def _report(self, frame: Frame) -> None:
        for callback in self._callbacks:
            callback(frame["id"], self._outcome)

    async def ready(self) -> None:
        await self._bot.sim.ready()

    def on_settled(self, callback: Callable[[str, str], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)


async def test_run(sim: Simulator, bot: BareBot) -> None:
    reporting = SelfReporting(bot)
    async with sim.run(reporting) as served:
        assert served is reporting
        assert (reporting.credentials, reporting.endpoints) == (sim.credentials, sim.endpoints)
        start = reporting.clock()
        await sim.clock.advance(minutes=1)
        assert reporting.clock() - start >= 60
        start = time.monotonic()
        reply = await sim.user("Alice").say("hello", quiet=60)
        assert (reply.text, reply.outcome) == ("hello", "handled")
        assert not await sim.user("Alice").say("hush", timeout=60)
        assert time.monotonic() - start < 30, "the bot's own word was not used"
    assert reporting._callbacks == []


async def test_an_event_that_nobody_asked_for_is_not_waited_for(sim: Simulator, bot: BareBot) -> None:
    socket = await bot.connect_ready(1)
    start = time.monotonic()
    assert not await sim.user("Alice").say("hello")
    assert time.monotonic() - start < 4
    await socket.ws.close()


async def test_the_clock_goes_forward_only(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="forward"):
        await sim.clock.advance(seconds=-1)


async def test_say_waits_for_the_shard_that_it_belongs_to(sim: Simulator, bot: BareBot) -> None:
    people = [sim.user(name) for name in ("Alice", "Bob", "Carol", "Dave", "Erin", "Frank")]
    first = await bot.connect_ready(shard=[0, 2])
    saying = [asyncio.create_task(person.say("hello", quiet=0.05)) for person in people]
    async with Echo(bot, first), Echo(bot, await bot.connect_ready(shard=[1, 2])):
        replies = await asyncio.gather(*saying)
    assert [reply.text for reply in replies] == ["hello"] * 6


async def test_text_that_is_no_json(sim: Simulator, bot: BareBot) -> None:
    await bot.connect_ready()
    with pytest.raises(ValueError, match="surrogates"):
        await sim.user("Alice").say("\ud800")
    with pytest.raises(ValueError, match="JSON"):
        sim.push("X", float("nan"))
