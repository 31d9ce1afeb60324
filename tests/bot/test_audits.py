"""Verdicts on reviewed messages, before and after the answer to the send."""

import asyncio

import pytest

from qqbot import (
    AtMessageCreate,
    Bot,
    ConfigError,
    Context,
    Intents,
    MessageAuditPass,
    MessageAuditReject,
    MessagePendingAudit,
    Scene,
    Target,
    Timeout,
)
from qqbot.bot.audits import KEPT, Audits
from qqbot.testing import Simulator


def pending(audit_id: str) -> MessagePendingAudit:
    error = MessagePendingAudit(202, 304023, "waiting")
    error.audit_id = audit_id
    return error


@pytest.mark.parametrize("overtakes", [False, True])
@pytest.mark.parametrize(("passes", "kind"), [(True, MessageAuditPass), (False, MessageAuditReject)])
async def test_the_verdict_is_told(passes: bool, kind: type[object], overtakes: bool) -> None:
    bot = Bot(audits=True)
    async with Simulator() as sim, sim.run(bot):
        channel = Target(Scene.CHANNEL, sim.channel("general").id)
        sim.audits.expect(passes=passes, overtakes=overtakes)
        with pytest.raises(MessagePendingAudit) as caught:
            await bot.send(channel, "hello")
        verdict = await bot.audit_result(caught.value, timeout=5)
        assert isinstance(verdict, kind)
        shown = [message["id"] for message in sim.state()["messages"] if message["from"] == "bot"]
    assert shown == ([verdict.message_id] if passes else [])


async def test_given_intents_get_that_of_the_verdicts_too() -> None:
    bot = Bot(intents=Intents(0), audits=True)
    async with Simulator() as sim, sim.run(bot):
        sim.audits.expect()
        with pytest.raises(MessagePendingAudit) as caught:
            await bot.send(Target(Scene.CHANNEL, sim.channel("general").id), "hello")
        assert isinstance(await bot.audit_result(caught.value, timeout=5), MessageAuditPass)


async def test_a_handler_may_wait_for_the_verdict_on_its_own_reply() -> None:
    bot = Bot(audits=True)
    told: asyncio.Queue[object] = asyncio.Queue()

    @bot.on(AtMessageCreate)
    async def answer(ctx: Context[AtMessageCreate]) -> None:
        try:
            await ctx.reply("hello")
        except MessagePendingAudit as error:
            told.put_nowait(await bot.audit_result(error, timeout=5))

    async with Simulator() as sim, sim.run(bot):
        sim.audits.expect()
        sim.push_message("channel", text="@bot hi")
        assert isinstance(await asyncio.wait_for(told.get(), 5), MessageAuditPass)


async def test_without_audits_it_is_an_error_at_once() -> None:
    with pytest.raises(ConfigError, match=r"audits=True"):
        await Bot().audit_result(pending("a"))
    assert Intents.MESSAGE_AUDIT in Bot(audits=True).intents
    assert Intents.MESSAGE_AUDIT not in Bot().intents


async def test_no_verdict_in_time() -> None:
    audits = Audits()
    with pytest.raises(Timeout, match="no verdict"):
        await audits.result(pending("a"), 0.01)
    with pytest.raises(ConfigError, match="no audit_id"):
        await audits.result(pending(""), 1)


async def test_the_last_verdicts_are_kept() -> None:
    audits = Audits()
    for number in range(KEPT + 1):
        audits.take(MessageAuditPass(audit_id=str(number)))
    assert (await audits.result(pending("1"), 0)).audit_id == "1"
    with pytest.raises(Timeout):
        await audits.result(pending("0"), 0)


async def test_a_cancellation_is_not_lost_where_the_verdict_comes_in_that_moment() -> None:
    audits = Audits()
    waiting = asyncio.create_task(audits.result(pending("a"), 60))
    await asyncio.sleep(0)
    audits.take(MessageAuditPass(audit_id="a"))
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert (await audits.result(pending("a"), 0)).audit_id == "a"
