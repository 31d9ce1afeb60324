"""Answers written bit by bit, and the typing notice."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from qqbot import Api, Bot, C2CMessageCreate, ConfigError, Context, GroupAtMessageCreate, MessageEvent, ServerError
from qqbot.api import streams
from qqbot.api.streams import AnswerStream, C2CStream, GatheredAnswer
from qqbot.models.messages import MessageSendResult
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
    assert len(shown) == 1


async def test_a_cancellation_that_was_caught_before_does_not_break_an_answer_off() -> None:
    bot = Bot()

    @bot.on(C2CMessageCreate)
    async def fail(ctx: Context[C2CMessageCreate]) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        async with ctx.stream() as answer:
            await answer.write("half")
            raise RuntimeError("the model broke")

    async with Simulator() as sim, sim.run(bot):
        await sim.user("Alice").say("hi")
        assert [fragment["input_state"] for fragment in fragments(sim)] == [1, 10]


STREAM = "POST */stream_messages"
BUSY = {"code": 50055001, "message": "busy"}


def stream(sim: Simulator, api: Api) -> C2CStream:
    user = sim.user("Alice").openid
    event = sim.push("C2C_MSG_RECEIVE", {"timestamp": 1, "openid": user})
    return api.c2c.stream(user, ReplyTo(event_id=event), markdown=False)


@asynccontextmanager
async def answering(write: Callable[[AnswerStream, Simulator], Awaitable[None]]) -> AsyncGenerator[Simulator]:
    """A simulator whose C2C user was answered by `write`; a failure of it is raised here."""
    async with Simulator() as sim, Api(sim.credentials, endpoints=sim.endpoints) as api:
        async with stream(sim, api) as answer:
            await write(answer, sim)
        yield sim


def shown(sim: Simulator) -> list[str]:
    """What the bot has written to its end."""
    messages = sim.state()["messages"]
    return [message["text"] for message in messages if message["from"] == "bot" and not message["streaming"]]


def column(sim: Simulator, name: str) -> list[object]:
    return [fragment.get(name) for fragment in fragments(sim)]


@pytest.fixture
async def api(sim: Simulator) -> AsyncIterator[Api]:
    async with Api(sim.credentials, endpoints=sim.endpoints) as api:
        yield api


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "INTERVAL", 0.0)
    monkeypatch.setattr(streams, "REPEATS", (0.0, 0.01))


async def test_concurrent_writes_take_turns() -> None:
    async def write(answer: AnswerStream, sim: Simulator) -> None:
        await asyncio.gather(*(answer.write(word) for word in ("one ", "two ", "three")))

    async with answering(write) as sim:
        assert shown(sim) == ["one two three"]
        assert column(sim, "index") == [0, 1]


@pytest.mark.usefixtures("quick")
async def test_a_lost_answer_is_made_up_for_by_the_next_fragment() -> None:
    async def write(answer: AnswerStream, sim: Simulator) -> None:
        await answer.write("one")
        sim.faults.http(STREAM, sent_but_no_response=True)
        await answer.write(" two")
        sim.faults.http(STREAM, 500, body=BUSY)
        await answer.write(" three")

    async with answering(write) as sim:
        assert shown(sim) == ["one two three"]
        assert column(sim, "index") == [0, 1, 2, 3]
        assert column(sim, "input_state") == [1, 1, 1, 10]


@pytest.mark.usefixtures("quick")
async def test_the_end_is_repeated() -> None:
    async def write(answer: AnswerStream, sim: Simulator) -> None:
        await answer.write("one")
        sim.faults.http(STREAM, 500, body=BUSY)

    async with answering(write) as sim:
        assert column(sim, "index") == [0, 1, 2]
        assert column(sim, "input_state") == [1, 10, 10]


@pytest.mark.usefixtures("quick")
async def test_an_end_whose_answer_was_lost_is_an_end() -> None:
    async def write(answer: AnswerStream, sim: Simulator) -> None:
        await answer.write("one")
        sim.faults.http(STREAM, sent_but_no_response=True)

    async with answering(write) as sim:
        assert shown(sim) == ["one"]
        assert [call["status"] for call in sim.calls if call["path"].endswith("/stream_messages")] == [200, 200, 400]


@pytest.mark.usefixtures("quick")
async def test_an_end_that_keeps_failing_is_raised() -> None:
    async def write(answer: AnswerStream, sim: Simulator) -> None:
        simulators.append(sim)
        await answer.write("one")
        sim.faults.http(STREAM, 500, body=BUSY, times=0)

    simulators: list[Simulator] = []
    with pytest.raises(ServerError, match="busy"):
        async with answering(write):
            pass
    assert column(simulators[0], "index") == [0, 1, 2, 3]


@pytest.mark.usefixtures("quick")
async def test_after_a_lost_first_answer_the_whole_text_is_a_message() -> None:
    async def write(answer: AnswerStream, sim: Simulator) -> None:
        sim.faults.http(STREAM, sent_but_no_response=True)
        for word in ("one", " two", " three"):
            await answer.write(word)

    async with answering(write) as sim:
        assert shown(sim) == ["one two three"]
        assert column(sim, "content_raw") == ["one", "one two"]
        (whole,) = [json.loads(call["request"]) for call in sim.calls if call["path"].endswith("/messages")]
        assert [*column(sim, "msg_seq"), whole["msg_seq"]] == [1, 1, 2]


@pytest.mark.usefixtures("quick")
async def test_a_first_fragment_that_was_refused_is_raised_and_may_be_sent_again() -> None:
    async def write(answer: AnswerStream, sim: Simulator) -> None:
        sim.faults.http(STREAM, 500, body=BUSY)
        with pytest.raises(ServerError):
            await answer.write("one")
        await answer.write(" two")

    async with answering(write) as sim:
        assert shown(sim) == ["one two"]
        assert column(sim, "index") == [0, 0, 2]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("disguise", [False, True])
async def test_a_cancellation_ends_the_message(disguise: bool, api: Api, sim: Simulator) -> None:
    async def write() -> None:
        async with stream(sim, api) as answer:
            await answer.write("one")
            sim.faults.http(STREAM, delay=0.1)
            late.extend(asyncio.create_task(answer.write(word)) for word in (" two", " three"))
            await asyncio.sleep(0)  # the first has its turn now, the other waits
            started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if disguise:
                    raise RuntimeError("broken off") from None
                raise

    late: list[asyncio.Task[None]] = []
    started = asyncio.Event()
    task = asyncio.create_task(write())
    await started.wait()
    task.cancel()
    with pytest.raises(RuntimeError if disguise else asyncio.CancelledError):
        await task
    await asyncio.gather(*late)
    assert column(sim, "content_raw") == ["one", "one two", "one two three"]
    assert column(sim, "input_state") == [1, 1, 10]


@pytest.mark.usefixtures("quick")
async def test_after_a_cancellation_the_end_is_sent_once_and_within_two_seconds(api: Api, sim: Simulator) -> None:
    async def write() -> None:
        async with stream(sim, api) as answer:
            await answer.write("one")
            sim.faults.http(STREAM, delay=6.0)
            started.set()
            await asyncio.Event().wait()

    started = asyncio.Event()
    task = asyncio.create_task(write())
    await started.wait()
    task.cancel()
    async with asyncio.timeout(4):
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.usefixtures("quick")
async def test_after_a_cancellation_the_end_is_not_repeated(api: Api, sim: Simulator) -> None:
    async def write() -> None:
        async with stream(sim, api) as answer:
            await answer.write("one")
            sim.faults.http(STREAM, 500, times=5)
            started.set()
            await asyncio.Event().wait()

    started = asyncio.Event()
    task = asyncio.create_task(write())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert column(sim, "input_state") == [1, 10]


@pytest.mark.parametrize("disguise", [False, True])
async def test_after_a_cancellation_a_gathered_answer_is_sent_within_two_seconds(disguise: bool) -> None:
    async def send(_: str) -> MessageSendResult:
        await asyncio.sleep(60)
        raise AssertionError("the call was not ended")

    async def write() -> None:
        async with GatheredAnswer(send) as answer:
            await answer.write("one")
            started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if disguise:
                    raise RuntimeError("broken off") from None
                raise

    started = asyncio.Event()
    task = asyncio.create_task(write())
    await started.wait()
    task.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError if disguise else asyncio.CancelledError):
            await task


@pytest.mark.parametrize("scene", ["c2c", "group"])
@pytest.mark.parametrize("abandon", [False, True])
async def test_an_answer_that_is_cut_off_is_sent_unless_it_is_abandoned(scene: str, abandon: bool) -> None:
    bot, tasks = Bot(), []

    @bot.on(MessageEvent)
    async def answer_it(ctx: Context[MessageEvent]) -> None:
        async with ctx.stream(markdown=False) as answer:
            await answer.write("half")
            await answer.write(" and more")
            if abandon:
                answer.abandon()
            tasks.append(asyncio.current_task())
            await asyncio.Event().wait()

    async with Simulator() as sim, sim.run(bot):
        person = sim.user("Alice") if scene == "c2c" else sim.group("test").member("Alice")
        saying = asyncio.create_task(person.say("@bot hi"))
        while not tasks:
            await asyncio.sleep(0.01)
        tasks[0].cancel()
        await saying
        texts = [m["text"] for m in sim.state()["messages"] if m["from"] == "bot"]
    assert (
        texts
        == {
            ("c2c", False): ["half and more"],
            ("c2c", True): ["half"],
            ("group", False): ["half and more"],
            ("group", True): [],
        }[scene, abandon]
    )


async def test_what_has_ended_takes_no_more() -> None:
    async def write(answer: AnswerStream, sim: Simulator) -> None:
        answers.append(answer)

    answers: list[AnswerStream] = []
    async with answering(write):
        with pytest.raises(ConfigError, match="has ended"):
            await answers[0].write("late")


async def test_the_typing_notice_is_checked(api: Api) -> None:
    with pytest.raises(ConfigError, match="1 to 60"):
        await api.c2c.typing("U", ReplyTo(msg_id="m"), seconds=61)


async def test_one_fragment_by_hand() -> None:
    async with Simulator() as sim, Api(sim.credentials, endpoints=sim.endpoints) as api:
        user = sim.user("Alice").openid
        sim.push_message("c2c", text="hello")  # without a word of the user there is nobody to wake up
        body = StreamMessageBody(
            input_state=StreamState.FINISHED, index=0, content_raw="all", content_type="text", is_wakeup=True
        )
        answer = await api.c2c.send_stream_message(user, body)
        assert answer.id
        assert answer.remain_msg_len == 4997
        assert fragments(sim) == [
            {"input_state": 10, "index": 0, "content_type": "text", "content_raw": "all", "is_wakeup": True}
        ]
