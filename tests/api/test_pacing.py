"""Pacing of active messages: the counts, the queues, and a bot on the simulator, which enforces the quotas."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from qqbot import (
    ActiveQuotas,
    Api,
    Bot,
    ConfigError,
    ContentRejected,
    Context,
    Credentials,
    Media,
    MessageEvent,
    Pacing,
    QuotaExceeded,
    Rate,
    RateLimited,
    Request,
    Scene,
    Target,
    Timeout,
)
from qqbot.api.pacing.pacer import PACED, Pacer, paced_scene
from qqbot.api.pacing.quotas import CERTIFIED, DAY, HOUR, MINUTE, PARTS, UNCERTIFIED, QuotaCounts, Use
from qqbot.api.resources.groups import SEND_GROUP_MESSAGE
from qqbot.testing import Simulator

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def uses(key: str = "group:G", times: int = 2, per: float = MINUTE) -> list[Use]:
    return [Use(f"{key}:{per:g}", Rate(times, per), together=False)]


# The counts


def test_a_count_is_full_until_the_oldest_use_is_too_old() -> None:
    counts = QuotaCounts()
    assert counts.use(uses(), (), 0.0).full is None
    assert counts.use(uses(), (), 30.0).full is None
    full = counts.use(uses(), (), 30.0)
    assert full.full == 0
    assert 30 <= full.seconds <= 30 + MINUTE / PARTS
    assert counts.use(uses(), (), 30.0 + full.seconds).full is None


@pytest.mark.parametrize("gap", [0.0, 0.4, 1.7, 3.0, 7.3])
def test_no_period_ever_has_more_than_its_messages(gap: float) -> None:
    counts, sent, now = QuotaCounts(), list[float](), 0.0
    while len(sent) < 200:
        usage = counts.use(uses(times=20), (), now)
        if usage.full is None:
            sent.append(now)
            now += gap
        else:
            now += usage.seconds
    assert all(later - earlier >= MINUTE for earlier, later in zip(sent, sent[20:], strict=False))
    assert sent[-1] <= 10 * (MINUTE + MINUTE / PARTS) + 200 * gap


def test_a_message_counts_everywhere_or_nowhere() -> None:
    counts = QuotaCounts()
    both = [*uses("group:G", 1), *uses("group", 5)]
    assert counts.use(both, (), 0.0).full is None
    for _ in range(10):
        assert counts.use(both, (), 1.0).full == 0
    for _ in range(4):
        assert counts.use(uses("group", 5), (), 1.0).full is None
    assert counts.use(uses("group", 5), (), 1.0).full == 0


def test_a_message_that_was_not_sent_does_not_count() -> None:
    counts = QuotaCounts()
    for _ in range(50):
        usage = counts.use(uses(times=1), (), 5.0)
        assert usage.full is None
        counts.release(uses(times=1), usage.seconds)
        counts.release(uses(times=1), usage.seconds)  # more than there are


def test_memory_is_bounded_and_keeps_what_was_used_last() -> None:
    counts = QuotaCounts(most=100)
    for number in range(5000):
        counts.use(uses(f"group:{number}", 1, DAY), (), float(number))
        counts.use(uses("group", 10_000, MINUTE), (), float(number))
        counts.pause(f"group:{number}", HOUR, 22009, float(number))
    assert len(counts) == 200
    assert counts.use(uses("group:4999", 1, DAY), (), 5000.0).full == 0
    assert counts.use(uses("group:1", 1, DAY), (), 5000.0).full is None
    assert counts.use([], ("group:4999",), 5000.0).code == 22009


def test_a_day_of_a_conversation_takes_little_memory() -> None:
    counts = QuotaCounts()
    for number in range(3000):
        counts.use(uses(times=10_000, per=DAY), (), number * 100.0)
    (parts,) = counts._parts.values()  # pyright: ignore[reportPrivateUsage]
    assert len(parts) <= PARTS + 2


# The numbers


def test_the_numbers_are_those_of_the_protocol() -> None:
    limits = json.loads((Path(__file__).parents[2] / "src/qqbot/simulator/wire/data/codes.json").read_text("utf-8"))
    active = limits["limits"]["active"]
    assert active["group"] == {
        "bot": "certified 60 QPM; uncertified 30 QPM",
        "per_group": "20 QPM, 1000 per day",
    }
    assert CERTIFIED[Scene.GROUP] == ActiveQuotas((Rate(20, 60), Rate(1000, 86400)), (Rate(60, 60),))
    assert UNCERTIFIED[Scene.GROUP] == ActiveQuotas((Rate(20, 60), Rate(1000, 86400)), (Rate(30, 60),))
    assert active["c2c"] == {
        "bot": "certified 10 QPS; uncertified 5 QPS and 30 QPM",
        "per_user": "20 QPM, 1000 per day",
    }
    assert CERTIFIED[Scene.C2C] == ActiveQuotas((Rate(20, 60), Rate(1000, 86400)), (Rate(10, 1),))
    assert UNCERTIFIED[Scene.C2C] == ActiveQuotas((Rate(20, 60), Rate(1000, 86400)), (Rate(5, 1), Rate(30, 60)))
    assert active["channel"]["per_channel"] == "20 per day, 5 per second (any kind)"
    assert active["dms"] == {"per_user": "2 per day", "bot": "200 per day"}
    for table in (CERTIFIED, UNCERTIFIED):
        assert table[Scene.CHANNEL] == ActiveQuotas((Rate(5, 1), Rate(20, 86400)))
        assert table[Scene.DMS] == ActiveQuotas((Rate(2, 86400),), (Rate(200, 86400),))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Rate(0, 60),
        lambda: Rate(1, 0),
        lambda: Rate(1, float("nan")),
        lambda: ActiveQuotas(each=(Rate(1, 60), Rate(2, 60))),
        lambda: Api(Credentials("1", "s"), pacing=20),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        lambda: Api(Credentials("1", "s"), pacing="yes"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ],
)
def test_what_cannot_be_right_is_refused_in_two_languages(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError, match=r"[一-龥]"):
        make()


# What counts


def test_replies_wake_ups_and_typing_do_not_count() -> None:
    active = {"msg_type": 0, "content": "x"}
    assert paced_scene(SEND_GROUP_MESSAGE, active) is Scene.GROUP
    assert paced_scene(SEND_GROUP_MESSAGE, json.dumps(active).encode()) is Scene.GROUP
    for more in ({"msg_id": "m"}, {"event_id": "e"}, {"is_wakeup": True}, {"msg_type": 6}):
        assert paced_scene(SEND_GROUP_MESSAGE, {**active, **more}) is None
        assert paced_scene(SEND_GROUP_MESSAGE, json.dumps({**active, **more}).encode()) is None
    assert set(PACED.values()) == set(Scene)


async def test_nothing_is_paced_without_the_option(qq: Simulator) -> None:
    bot = Bot()
    async with qq.run(bot):
        group = Target(Scene.GROUP, qq.group("test").id)
        for _ in range(20):
            await bot.send(group, "push")
        with pytest.raises(QuotaExceeded) as caught:
            await bot.send(group, "push")
    assert caught.value.retry_after is None, "the platform refused it"


# The queues


async def sent(pacer: Pacer, target: str, order: list[str], timeout: float = 30.0) -> None:
    async with pacer.slot(Scene.GROUP, target, timeout):
        order.append(target)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_full_conversation_holds_up_no_other() -> None:
    clock, order = Hands(), list[str]()
    pacer = Pacer(Pacing(group=ActiveQuotas(each=(Rate(1, 5),), together=(Rate(3, 10),))), clock)
    async with asyncio.TaskGroup() as tasks:
        for target in ("A", "A", "A", "B"):
            tasks.create_task(sent(pacer, target, order))
        await settled()
        assert order == ["A", "B"], "one of A's waits, and the third behind it"
        clock.now += 5 + 5 / PARTS
        pacer.clock_moved()
        await settled()
        assert order == ["A", "B", "A"]
        tasks.create_task(sent(pacer, "C", order))
        await settled()
        assert order == ["A", "B", "A"], "three in ten seconds, to all together"
        clock.now += 5 + 5 / PARTS
        pacer.clock_moved()
        await settled()
        clock.now += 10
        pacer.clock_moved()
    assert sorted(order) == ["A", "A", "A", "B", "C"]
    assert pacer._turns == {}  # pyright: ignore[reportPrivateUsage]


async def test_conversations_take_turns_at_what_they_share() -> None:
    clock, order = Hands(), list[str]()
    pacer = Pacer(Pacing(group=ActiveQuotas(together=(Rate(1, 10),))), clock)
    targets = [str(number) for number in range(8)]
    async with asyncio.TaskGroup() as tasks:
        for target in targets:
            tasks.create_task(sent(pacer, target, order))
            await settled()
        clock.now += 10 + 10 / PARTS
        tasks.create_task(sent(pacer, "late", order))
        await settled()
        assert order == ["0"], "there is room, but others were first"
        for _ in targets:
            pacer.clock_moved()
            await settled()
            clock.now += 10 + 10 / PARTS
    assert order == [*targets, "late"]


async def test_a_full_conversation_leaves_the_queue_that_all_share() -> None:
    clock, order = Hands(), list[str]()
    pacer = Pacer(Pacing(group=ActiveQuotas(each=(Rate(1, 100),), together=(Rate(2, 10),))), clock)
    async with asyncio.TaskGroup() as tasks:
        for target in ("A", "B", "C", "A", "D"):
            waiting = tasks.create_task(sent(pacer, target, order, timeout=1000))
            await settled()
        assert order == ["A", "B"]
        clock.now += 10 + 10 / PARTS
        pacer.clock_moved()
        await settled()
        assert order == ["A", "B", "C", "D"], "A's second message was before D's in the queue"
        assert waiting.done()
        clock.now += 100
        pacer.clock_moved()
    assert order[4:] == ["A"]


async def test_what_is_cancelled_while_it_waits_leaves_no_trace() -> None:
    clock, order = Hands(), list[str]()
    pacer = Pacer(Pacing(group=ActiveQuotas(each=(Rate(1, 10),), together=(Rate(1, 10),))), clock)
    await sent(pacer, "A", order)
    waiting = [asyncio.create_task(sent(pacer, target, order)) for target in "AABBCC"]
    await settled()
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert pacer._turns == {}  # pyright: ignore[reportPrivateUsage]
    clock.now += 11
    await sent(pacer, "B", order)
    assert order == ["A", "B"]


async def test_no_room_in_time_is_refused_at_once() -> None:
    clock, order = Hands(), list[str]()
    pacer = Pacer(Pacing(group=ActiveQuotas(each=(Rate(1, MINUTE), Rate(2, 30 * DAY)))), clock)
    await sent(pacer, "A", order)
    with pytest.raises(RateLimited) as fast:
        await sent(pacer, "A", order, timeout=30)
    assert fast.value.retry_after is not None and 60 <= fast.value.retry_after <= 62
    clock.now += 62
    await sent(pacer, "A", order)
    clock.now += 62
    with pytest.raises(QuotaExceeded) as used_up:
        await sent(pacer, "A", order, timeout=30)
    assert used_up.value.retry_after is not None and used_up.value.retry_after > 29 * DAY
    assert used_up.value.hint is not None and "额度" in used_up.value.hint.zh
    assert "not sent" in used_up.value.message
    clock.now += 31 * DAY
    await sent(pacer, "A", order)
    assert len(order) == 3


async def test_a_queue_that_is_too_long_ends_with_the_timeout() -> None:
    pacer, order = Pacer(Pacing(group=ActiveQuotas(each=(Rate(1, 0.3),))), asyncio.get_running_loop().time), list[str]()
    async with asyncio.timeout(5):
        results = await asyncio.gather(
            *(sent(pacer, "A", order, timeout=0.45) for _ in range(6)), return_exceptions=True
        )
    assert results[:2] == [None, None]
    assert all(isinstance(result, RateLimited) for result in results[2:])


# On the simulator


def statuses(qq: Simulator) -> list[object]:
    return [call["status"] for call in qq.calls if str(call["path"]).endswith("/messages")]


@pytest.mark.qq(limits="all")
async def test_a_burst_is_paced_within_the_quota(qq: Simulator) -> None:
    bot = Bot(pacing=True)
    async with qq.run(bot):
        group = Target(Scene.GROUP, qq.group("test").id)
        async with asyncio.TaskGroup() as tasks:
            for number in range(45):
                tasks.create_task(bot.send(group, f"push {number}", timeout=300))
            for expected in (20, 40, 45):
                async with asyncio.timeout(20):
                    while len(statuses(qq)) < expected:
                        await asyncio.sleep(0.01)
                await asyncio.sleep(0.05)
                assert len(statuses(qq)) == expected
                await qq.clock.advance(seconds=MINUTE + MINUTE / PARTS)
    assert statuses(qq) == [200] * 45


@pytest.mark.qq(limits="all")
async def test_many_groups_share_the_quota_of_the_bot(qq: Simulator) -> None:
    bot = Bot(pacing=True)
    async with qq.run(bot):
        groups = [Target(Scene.GROUP, qq.group(f"group {number}").id) for number in range(40)]
        async with asyncio.TaskGroup() as tasks:
            for group in groups:
                tasks.create_task(bot.send(group, "push", timeout=300))
            async with asyncio.timeout(20):
                while len(statuses(qq)) < 30:
                    await asyncio.sleep(0.01)
            await qq.clock.advance(seconds=MINUTE + MINUTE / PARTS)
    assert statuses(qq) == [200] * 40


@pytest.mark.qq(limits="all")
async def test_a_reply_is_not_delayed_by_pushes_that_wait(qq: Simulator) -> None:
    bot = Bot(pacing=True)

    @bot.on
    async def answer(ctx: Context[MessageEvent]) -> None:
        await ctx.reply("reply")

    async with qq.run(bot):
        group = qq.group("test")
        target = Target(Scene.GROUP, group.id)
        pushes = [asyncio.create_task(bot.send(target, "push", timeout=300)) for _ in range(40)]
        async with asyncio.timeout(20):
            while len(statuses(qq)) < 20:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            for _ in range(5):
                assert "reply" in [message.text for message in (await group.member("Alice").say("hi")).messages]
        for push in pushes:
            push.cancel()
        await asyncio.wait(pushes)
    assert statuses(qq) == [200] * 25


@pytest.mark.qq(limits="all")
async def test_the_day_of_a_private_chat_is_known(qq: Simulator) -> None:
    bot = Bot(pacing=True)
    async with qq.run(bot):
        target = Target(Scene.DMS, qq.dms("Alice").conversation_id)
        await bot.send(target, "one")
        await bot.send(target, "two")
        with pytest.raises(QuotaExceeded) as caught:
            await bot.send(target, "three")
        assert caught.value.code == 304049 and caught.value.retry_after is not None
        assert statuses(qq) == [200, 200], "the third was not asked for"
        await qq.clock.advance(days=1, minutes=46)
        await bot.send(target, "three")
    assert statuses(qq) == [200] * 3


@pytest.mark.qq(limits="all")
async def test_what_the_platform_answers_is_remembered_for_an_hour(qq: Simulator) -> None:
    bot, rest = Bot(), Bot(pacing=True)
    target = Target(Scene.DMS, qq.dms("Alice").conversation_id)
    async with qq.run(bot):
        for _ in range(2):
            await bot.send(target, "by another program")
    async with qq.run(rest):
        errors = list[QuotaExceeded]()
        for _ in range(3):
            with pytest.raises(QuotaExceeded) as caught:
                await rest.send(target, "three")
            errors.append(caught.value)
        assert len(statuses(qq)) == 3, "it was asked once"
        assert [error.code for error in errors] == [304049] * 3
        assert errors[0].retry_after is None
        assert all(error.retry_after is not None and 3500 < error.retry_after <= HOUR for error in errors[1:])
        await qq.clock.advance(hours=1)
        with pytest.raises(QuotaExceeded):
            await rest.send(target, "three")
        assert len(statuses(qq)) == 4, "and once more an hour later"
        await qq.clock.advance(days=1)
        await rest.send(target, "three")


@pytest.mark.qq(limits="all")
async def test_what_was_not_accepted_does_not_count(qq: Simulator) -> None:
    bot = Bot(pacing=True)
    async with qq.run(bot):
        target = Target(Scene.DMS, qq.dms("Alice").conversation_id)
        for _ in range(5):
            with pytest.raises(ContentRejected):
                await bot.send(target, "look at www.not-registered.com")
        await bot.send(target, "one")
        await bot.send(target, "two")


async def test_what_was_never_sent_does_not_count(qq: Simulator) -> None:
    refuses = True

    def hook(_: Request) -> None:
        if refuses:
            raise ConfigError("the hook does not want it")

    pacing = Pacing(dms=ActiveQuotas(each=(Rate(1, DAY),)))
    async with qq, Api(qq.credentials, endpoints=qq.endpoints, pacing=pacing, on_request=[hook]) as api:
        target = Target(Scene.DMS, qq.dms("Alice").conversation_id)
        for _ in range(3):
            with pytest.raises(ConfigError):
                await api.send(target, "one")
        refuses = False
        await api.send(target, "one")
        with pytest.raises(QuotaExceeded):
            await api.send(target, "two")
    assert statuses(qq) == [200]


async def test_messages_that_are_held_take_no_room_until_they_are_sent(qq: Simulator) -> None:
    free = asyncio.Event()

    async def until() -> None:
        await free.wait()

    pacing = Pacing(group=ActiveQuotas(each=(Rate(2, MINUTE),)))
    async with qq, Api(qq.credentials, endpoints=qq.endpoints, clock=qq.clock.now, pacing=pacing) as api:
        group = Target(Scene.GROUP, qq.group("test").id)
        api.hold_sends(until)
        with pytest.raises(Timeout, match="held back"):
            await api.send(group, "never", timeout=0.1)
        pushes = [asyncio.create_task(api.send(group, "push", timeout=120)) for _ in range(4)]
        await asyncio.sleep(0.05)
        await qq.clock.advance(seconds=59)
        free.set()
        async with asyncio.timeout(10):
            await asyncio.wait(pushes[:2])
        await qq.clock.advance(seconds=30)
        api.clock_moved()
        await asyncio.sleep(0.2)
        assert statuses(qq) == [200, 200], "the minute began when they were sent"
        for push in pushes:
            push.cancel()
        await asyncio.wait(pushes)


@pytest.mark.qq(limits="all")
async def test_an_image_in_a_channel_is_paced_and_a_reply_with_one_is_not(qq: Simulator) -> None:
    bot = Bot(pacing=Pacing(channel=ActiveQuotas(each=(Rate(1, DAY),))))

    @bot.on
    async def show(ctx: Context[MessageEvent]) -> None:
        await ctx.reply(Media.image(PNG))

    async with qq.run(bot):
        channel = qq.channel("talk")
        target = Target(Scene.CHANNEL, channel.id)
        await bot.send(target, Media.image(PNG))
        with pytest.raises(QuotaExceeded):
            await bot.send(target, Media.image(PNG))
        assert (await channel.member("Alice").say("hi")).media is not None
