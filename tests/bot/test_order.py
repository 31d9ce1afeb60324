"""Order by conversation, by user or none; handlers that are interrupted, cancelled, or waited for at the end."""

import asyncio
import random
import time
from typing import Any

import pytest

from qqbot import (
    Bot,
    C2CMessageCreate,
    ConfigError,
    Context,
    Event,
    GroupMessageEvent,
    MessageEvent,
    Router,
    says,
)
from qqbot.testing import Simulator
from tests.waiting import until


class Room:
    """A group with a bot whose handler waits for "go" of each user, and what has run when."""

    def __init__(self, qq: Simulator, order: Any) -> None:
        self.qq = qq
        self.began: list[str] = []
        self.ended: list[str] = []
        self.holds: dict[str, asyncio.Event] = {}
        self.bot = Bot(order=order)
        self.group = qq.group("test")
        self.tasks: list[asyncio.Task[Any]] = []

        @self.bot.on(GroupMessageEvent)
        async def work(ctx: Context[GroupMessageEvent]) -> None:
            self.began.append(ctx.text)
            await self.holds.setdefault(ctx.text, asyncio.Event()).wait()
            self.ended.append(ctx.text)

        @self.bot.command("exclusive", order="conversation")
        async def exclusive(ctx: Context[GroupMessageEvent], name: str) -> None:
            await work(ctx)

        @self.bot.command("free", order=None)
        async def free(ctx: Context[GroupMessageEvent], name: str) -> None:
            await work(ctx)

    async def say(self, name: str, text: str) -> None:
        person = self.group.member(name)
        self.tasks.append(asyncio.create_task(person.say(f"@bot {text}")))
        await asyncio.sleep(0.05)

    def go(self, *texts: str) -> None:
        for text in texts:
            self.holds.setdefault(text, asyncio.Event()).set()

    async def end(self) -> None:
        await asyncio.gather(*self.tasks)


async def test_users_do_not_wait_for_each_other(qq: Simulator) -> None:
    room = Room(qq, "user")
    async with qq.run(room.bot):
        await room.say("A", "a1")
        await room.say("A", "a2")
        await room.say("B", "b1")
        assert room.began == ["a1", "b1"]
        room.go("b1", "a1", "a2")
        await room.end()
    assert room.ended == ["b1", "a1", "a2"]


async def test_by_conversation_each_waits(qq: Simulator) -> None:
    room = Room(qq, "conversation")
    async with qq.run(room.bot):
        await room.say("A", "a1")
        await room.say("B", "b1")
        await room.say("C", "/free c1")
        assert room.began == ["a1", "/free c1"]
        room.go("b1", "a1", "/free c1")
        await room.end()
    assert room.ended.index("a1") < room.ended.index("b1")


async def test_the_strictest_order_waits_for_all_users(qq: Simulator) -> None:
    room = Room(qq, "user")
    async with qq.run(room.bot):
        for name, text in (("A", "a1"), ("B", "b1"), ("C", "/exclusive x"), ("B", "b2"), ("D", "d1"), ("A", "a2")):
            await room.say(name, text)
        assert room.began == ["a1", "b1"]  # d1 came after what waits for all
        room.go("a1")
        await asyncio.sleep(0.05)
        assert room.began == ["a1", "b1"]
        room.go("b1")
        await asyncio.sleep(0.05)
        assert room.began == ["a1", "b1", "/exclusive x"]
        room.go("/exclusive x")
        await asyncio.sleep(0.05)
        assert set(room.began[3:]) == {"b2", "d1", "a2"}
        room.go("b2", "d1", "a2")
        await room.end()


async def test_without_order_none_waits(qq: Simulator) -> None:
    room = Room(qq, None)
    async with qq.run(room.bot):
        for text in ("1", "2", "3"):
            await room.say("A", text)
        assert room.began == ["1", "2", "3"]
        room.go("1", "2", "3")
        await room.end()


@pytest.mark.parametrize("seed", range(5))
async def test_any_mixture_keeps_its_order(qq: Simulator, seed: int) -> None:
    """Each user's events in their order; an exclusive event alone in the conversation; all handled once."""
    rng = random.Random(seed)
    bot, running, seen = Bot(order="user"), [], []

    @bot.on(GroupMessageEvent)
    async def work(ctx: Context[GroupMessageEvent]) -> None:
        user = ctx.event.author.username
        assert not any(name == user or exclusive for name, exclusive in running)
        running.append((user, ctx.text.startswith("/x")))
        if ctx.text.startswith("/x"):
            assert len(running) == 1
        await asyncio.sleep(rng.choice([0, 0, 0.001, 0.003]))
        running.remove((user, ctx.text.startswith("/x")))
        seen.append(ctx.text)

    @bot.command("x", order="conversation")
    async def x(ctx: Context[GroupMessageEvent], number: int) -> None:
        await work(ctx)

    group = qq.group("test")
    people = [group.member(name) for name in "ABC"]
    async with qq.run(bot):
        sent = [(rng.choice(people), f"/x {number}" if rng.random() < 0.2 else f"{number}") for number in range(60)]
        await asyncio.gather(*(person.say(f"@bot {text}") for person, text in sent))
    assert sorted(seen) == sorted(text for _, text in sent)


async def test_help_comes_while_another_user_waits_for_an_answer(qq: Simulator) -> None:
    bot = Bot(order="user")
    bot.help()
    answered = asyncio.Event()

    @bot.command("think")
    async def think(ctx: Context[GroupMessageEvent]) -> None:
        await answered.wait()

    group = qq.group("test")
    async with qq.run(bot):
        thinking = asyncio.create_task(group.member("A").say("/think"))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        assert "/think" in ((await group.member("B").say("/help")).text or "")
        assert time.monotonic() - began < 1  # measured: some milliseconds
        answered.set()
        thinking.cancel()
        await bot.stop()


def test_an_order_that_is_none() -> None:
    with pytest.raises(ConfigError, match="order="):
        Bot(order="guild")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="order="):
        Router(order="guild")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="order="):
        Bot().on(MessageEvent, order="guild")(_handler)  # type: ignore[call-overload]


async def _handler(ctx: Context[MessageEvent]) -> None: ...


def streaming(**options: Any) -> tuple[Bot, list[str]]:
    bot, log = Bot(), []

    @bot.on(MessageEvent)
    async def answer(ctx: Context[MessageEvent]) -> None:
        if ctx.text in ("停", "/stop"):
            log.append("stop reached a handler")
            return
        stopped_by = ctx.interrupted_by(MessageEvent, when=says("停", "stop"), **options)
        async with stopped_by as stop, ctx.stream(markdown=False) as stream:
            await stream.write("half an answer")
            log.append("streaming")
            await asyncio.sleep(30)
        if stop.context is not None:
            await stop.context.reply("已停止")
        log.append("ended")

    return bot, log


@pytest.mark.parametrize("scene", ["c2c", "group"])
@pytest.mark.parametrize("word", ["停", "/stop"])
async def test_a_word_stops_an_answer(qq: Simulator, scene: str, word: str) -> None:
    bot, log = streaming()
    person = qq.user("A") if scene == "c2c" else qq.group("test").member("A")
    async with qq.run(bot):
        asking = asyncio.create_task(person.say("@bot tell me"))
        await until(lambda: log)
        began = time.monotonic()
        stopped = await person.say(f"@bot {word}" if scene == "group" else word)
        await asking
        assert time.monotonic() - began < 2
        assert stopped.outcome in ("consumed", "handled")
    assert log == ["streaming", "ended"]
    texts = [message["text"] for message in qq.state()["messages"] if message["from"] == "bot"]
    assert texts == ["half an answer", "已停止"]
    assert qq.violations == []


async def test_only_the_same_user_interrupts_unless_anyone_may(qq: Simulator) -> None:
    for anyone in (False, True):
        bot, log = streaming(anyone=anyone)
        group = qq.group(f"test {anyone}")
        async with qq.run(bot):
            asking = asyncio.create_task(group.member("A").say("@bot tell me"))
            await until(lambda log=log: log)
            other = asyncio.create_task(group.member("B").say("@bot 停"))
            await asyncio.sleep(0.2)
            assert ("ended" in log) is anyone
            if not anyone:
                await group.member("A").say("@bot 停")
            await asyncio.gather(asking, other)
        assert ("stop reached a handler" in log) is not anyone


async def test_what_came_before_the_block_interrupts_as_well(qq: Simulator) -> None:
    bot, log = Bot(), []
    opened = asyncio.Event()

    @bot.on(C2CMessageCreate)
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        await opened.wait()
        async with ctx.interrupted_by(MessageEvent, when=says("停")) as stop:
            await asyncio.sleep(30)
        log.append(stop.context is not None)

    async with qq.run(bot):
        alice = qq.user("A")
        asking = asyncio.create_task(alice.say("tell me"))
        await asyncio.sleep(0.1)
        stopping = asyncio.create_task(alice.say("停"))
        await asyncio.sleep(0.1)
        opened.set()
        await asyncio.gather(asking, stopping)
    assert log == [True]


async def test_a_block_that_ends_by_itself_takes_nothing(qq: Simulator) -> None:
    bot, log = Bot(), []

    @bot.on(C2CMessageCreate)
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        async with ctx.interrupted_by(MessageEvent, when=says("停")) as stop:
            await asyncio.sleep(0)
        log.append((ctx.text, stop.context))

    async with qq.run(bot):
        await qq.user("A").say("one")
        await qq.user("A").say("停")
    assert log == [("one", None), ("停", None)]


async def test_other_cancellations_go_on(qq: Simulator) -> None:
    bot, log = Bot(), []

    @bot.on(C2CMessageCreate)
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), ctx.interrupted_by(MessageEvent, when=says("停")):
                await asyncio.sleep(30)
        log.append("ended")

    async with qq.run(bot):
        await qq.user("A").say("one")
    assert log == ["ended"]


async def test_a_predicate_that_raises_ends_the_block_with_its_error(qq: Simulator) -> None:
    bot, log = Bot(), []

    @bot.on(C2CMessageCreate)
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        if ctx.text == "one":
            with pytest.raises(ValueError, match="predicate"):
                async with ctx.interrupted_by(MessageEvent, when=_raises):
                    log.append("begun")
                    await asyncio.sleep(30)
        log.append(ctx.text)

    async with qq.run(bot):
        asking = asyncio.create_task(qq.user("A").say("one"))
        await until(lambda: log)
        await qq.user("A").say("two")
        await asking
    assert log == ["begun", "one", "two"]


def _raises(event: Event) -> bool:
    raise ValueError("predicate")


async def test_a_cancelled_handler_ends_alone(qq: Simulator) -> None:
    bot, tasks, ended = Bot(), [], []

    @bot.on(C2CMessageCreate)
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        tasks.append(asyncio.current_task())
        if ctx.text == "hang":
            await asyncio.sleep(30)
        await asyncio.sleep(0.2)
        ended.append(ctx.text)

    async with qq.run(bot):
        hanging = asyncio.create_task(qq.user("A").say("hang"))
        await until(lambda: tasks)
        tasks[0].cancel()
        assert (await hanging).outcome == "handled"
        await asyncio.sleep(0)
        working = asyncio.create_task(qq.user("B").say("work"))
        await until(lambda: len(tasks) == 2)
        tasks[0].cancel()  # of a handler that has ended: it must not strike this one
        await working
    assert ended == ["work"]
    assert tasks[0] is not tasks[1]


async def test_a_spawned_task_may_be_waited_for(qq: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    bot, ended = Bot(drain=5.0), []

    async def save(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        ended.append(name)

    @bot.on(C2CMessageCreate)
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        ctx.bot.spawn(save("waited for", 0.2), drain=True)
        ctx.bot.spawn(save("cancelled", 30.0))

    async with qq.run(bot):
        await qq.user("A").say("hi")
    assert ended == ["waited for"]
    assert not caplog.records
