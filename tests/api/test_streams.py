"""Answers written bit by bit, and the typing notice."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from qqbot import Api, Bot, C2CMessageCreate, ConfigError, Context, GroupAtMessageCreate, MessageEvent
from qqbot.models.streams import StreamMessageBody, StreamState
from qqbot.models.targets import ReplyTo
from qqbot.testing import Simulator


def fragments(sim: Simulator) -> list[dict[str, object]]:
    return [json.loads(call["request"]) for call in sim.calls if call["path"].endswith("/stream_messages")]


async def test_a_stream_in_c2c() -> None:
    bot = Bot()
    results: list[object] = []

    @bot.on(C2CMessageCreate)
    async def tell(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.typing(5)
        async with ctx.stream() as answer:
            for word in ("one", " two", " three"):
                await answer.write(word)
        results.append(answer.result)
        await ctx.reply("done")

    async with Simulator() as sim, sim.run(bot):
        await sim.user("Alice").say("hi")
        first, last = fragments(sim)
        shown = [m for m in sim.state()["messages"] if m["from"] == "bot"]
        notice, after = [json.loads(c["request"]) for c in sim.calls if c["path"].endswith("/messages")]
    assert (first["index"], first["input_state"], first["content_raw"]) == (0, 1, "one")
    assert (last["index"], last["input_state"], last["content_raw"]) == (1, 10, "one two three")
    assert "stream_msg_id" not in first
    assert last["stream_msg_id"] == getattr(results[0], "id", None)
    assert [notice["msg_seq"], first["msg_seq"], last["msg_seq"], after["msg_seq"]] == [1, 2, 2, 3]
    assert notice["input_notify"] == {"input_type": 1, "input_second": 5}
    assert [message["markdown"] or message["text"] for message in shown] == ["one two three", "done"]


async def test_elsewhere_it_is_one_message_at_the_end() -> None:
    bot = Bot()

    @bot.on(GroupAtMessageCreate)
    async def tell(ctx: Context[GroupAtMessageCreate]) -> None:
        await ctx.typing()
        async with ctx.stream(markdown=False) as answer:
            await answer.write("one")
            await answer.write(" two")
        assert answer.result is not None

    async with Simulator() as sim, sim.run(bot):
        reply = await sim.group("test").member("Alice").say("@bot hi")
        assert len([c for c in sim.calls if c["path"].endswith("messages")]) == 1
    assert reply.text == "one two"


@pytest.mark.parametrize("scene", ["c2c", "group"])
async def test_what_an_exception_leaves(scene: str) -> None:
    bot = Bot()

    @bot.on(MessageEvent)
    async def fail(ctx: Context[MessageEvent]) -> None:
        async with ctx.stream() as empty:
            pass
        assert empty.result is None
        async with ctx.stream() as answer:
            await answer.write("half")
            raise RuntimeError("the model broke")

    async with Simulator() as sim, sim.run(bot):
        person = sim.user("Alice") if scene == "c2c" else sim.group("test").member("Alice")
        async with asyncio.timeout(5):
            await person.say("@bot hi")
        states = [fragment["input_state"] for fragment in fragments(sim)]
        shown = [m for m in sim.state()["messages"] if m["from"] == "bot"]
    assert states == ([1, 10] if scene == "c2c" else [])
    assert len(shown) == (1 if scene == "c2c" else 0)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with Simulator() as sim, Api(sim.credentials, endpoints=sim.endpoints) as api:
        yield api


async def test_the_typing_notice_is_checked(api: Api) -> None:
    with pytest.raises(ConfigError, match="1 to 60"):
        await api.c2c.typing("U", ReplyTo(msg_id="m"), seconds=61)


async def test_one_fragment_by_hand() -> None:
    async with Simulator() as sim, Api(sim.credentials, endpoints=sim.endpoints) as api:
        user = sim.user("Alice").openid
        body = StreamMessageBody(
            input_state=StreamState.FINISHED, index=0, content_raw="all", content_type="text", is_wakeup=True
        )
        answer = await api.c2c.send_stream_message(user, body)
        assert answer.id
        assert answer.remain_msg_len == 4997
        assert fragments(sim) == [
            {"input_state": 10, "index": 0, "content_type": "text", "content_raw": "all", "is_wakeup": True}
        ]
