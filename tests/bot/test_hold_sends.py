"""`Bot(hold_sends=True)`: messages wait while a shard is between connections; some that were sent then were lost."""

import asyncio
from typing import Any

import pytest

from qqbot import Api, Bot, C2CMessageCreate, Context, GatewayHalted, Scene, Target, Timeout
from qqbot.api.route_table import ROUTES
from qqbot.config import GatewayConfig
from qqbot.testing import Simulator

FAST = GatewayConfig(pace=0.02, hello_timeout=2, ready_timeout=5, resumed_timeout=1, identify_window=0.2)
ALICE = "user of no consequence"


class HoldingBot(Bot):
    """Notes whom it can write to."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"gateway": FAST, "drain": 5.0, "hold_sends": True, **options})
        self.targets: list[Target] = []
        self.on(C2CMessageCreate)(self.note)

    async def note(self, ctx: Context[C2CMessageCreate]) -> None:
        self.targets.append(ctx.target)


def sends(sim: Simulator) -> int:
    return sum(call["method"] == "POST" and "/messages" in call["path"] for call in sim.calls)


async def target(sim: Simulator, bot: HoldingBot) -> Target:
    """Whom the bot can write to without being asked."""
    sim.push_message("c2c")
    async with asyncio.timeout(10):
        while not bot.targets:
            await asyncio.sleep(0.01)
    return bot.targets[0]


async def down(sim: Simulator, bot: Bot, shard: int | None = None) -> None:
    """Cut a connection, and let the next one hang."""
    sim.faults.swallow_resume()
    sim.faults.close(4009, shard=shard)
    async with asyncio.timeout(10):
        while not sim.resumes:
            await asyncio.sleep(0.01)


async def test_a_message_waits_for_resumed(sim: Simulator) -> None:
    bot = HoldingBot()
    async with sim.run(bot):
        to = await target(sim, bot)
        await down(sim, bot)
        sending = asyncio.create_task(bot.send(to, "hello"))
        await asyncio.sleep(0.3)
        assert not sending.done() and sends(sim) == 0
        await sim.resumed()
        assert (await asyncio.wait_for(sending, 10)).id
        assert sends(sim) == 1


async def test_other_calls_do_not_wait(sim: Simulator) -> None:
    bot = HoldingBot()
    async with sim.run(bot):
        await down(sim, bot)
        assert (await asyncio.wait_for(bot.api.users.me(), 0.8)).id
        assert len(sim.connections) == 2


async def test_too_long_a_wait_is_a_timeout_and_nothing_was_sent(sim: Simulator) -> None:
    bot = HoldingBot()
    async with sim.run(bot):
        to = await target(sim, bot)
        await down(sim, bot)
        with pytest.raises(
            Timeout, match=r"held back, no connection to the gateway in time; nothing was sent"
        ) as error:
            await bot.send(to, "hello", timeout=0.2)
        assert error.value.maybe_sent is False
        await sim.resumed()
        assert sends(sim) == 0
        await bot.send(to, "hello", timeout=5)


async def test_one_shard_that_is_down_holds_the_messages_of_all(sim: Simulator) -> None:
    bot = HoldingBot(shards=2)
    async with sim.run(bot):
        to = await target(sim, bot)
        await down(sim, bot, shard=1)
        with pytest.raises(Timeout):
            await bot.send(to, "hello", timeout=0.2)


async def test_what_is_sent_before_the_first_ready_waits_too(sim: Simulator) -> None:
    bot = HoldingBot()
    sim.faults.swallow_identify()
    async with bot.serve(credentials=sim.credentials, endpoints=sim.endpoints):
        with pytest.raises(Timeout, match="held back"):
            await bot.send(Target(Scene.C2C, ALICE), "hello", timeout=0.3)


async def test_without_it_nothing_waits(sim: Simulator) -> None:
    bot = HoldingBot(hold_sends=False)
    async with sim.run(bot):
        to = await target(sim, bot)
        await down(sim, bot)
        await asyncio.wait_for(bot.send(to, "hello"), 0.8)
        assert len(sim.connections) == 2


async def test_a_bot_that_is_served_without_a_gateway_waits_for_none(sim: Simulator) -> None:
    bot = HoldingBot()
    async with sim.run(bot):
        to = await target(sim, bot)
    async with bot.serve(credentials=sim.credentials, endpoints=sim.endpoints, connect=False):
        await asyncio.wait_for(bot.send(to, "hello"), 5)


async def test_handlers_that_finish_at_the_end_are_not_held(sim: Simulator) -> None:
    bot = HoldingBot()
    begun, go_on, sent = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        begun.set()
        await go_on.wait()
        await ctx.reply("late", timeout=3)
        sent.set()

    async with sim.run(bot):
        sim.push_message("c2c")
        await begun.wait()
        await down(sim, bot)
        asyncio.get_running_loop().call_later(0.3, go_on.set)
    assert sent.is_set()


async def test_after_the_platform_said_stop_nothing_is_held(sim: Simulator) -> None:
    bot = HoldingBot()
    with pytest.raises(GatewayHalted):
        async with sim.run(bot):
            to = await target(sim, bot)
            sim.faults.close(4914)
            with pytest.raises(GatewayHalted):
                await bot.wait()
            await bot.send(to, "goodbye", timeout=3)
    assert sends(sim) == 1


async def test_handlers_that_wait_do_not_keep_the_shard_from_resuming(sim: Simulator) -> None:
    """All handlers wait to send, and RESUMED waits behind events that no handler is free for."""
    bot = HoldingBot(max_inflight=4)
    answered: list[str] = []

    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply(ctx.text, timeout=20)
        answered.append(ctx.text)

    async with sim.run(bot):
        await down(sim, bot)
        for number in range(12):
            sim.push_message("c2c", user=f"user {number}", text=str(number))
        async with asyncio.timeout(15):
            while len(answered) < 12:
                await asyncio.sleep(0.01)
    assert sorted(answered, key=int) == [str(number) for number in range(12)]


def test_which_calls_send() -> None:
    assert {route.name for route in ROUTES.values() if route.sends} == {
        "send_group_message",
        "send_c2c_message",
        "send_c2c_stream_message",
        "send_channel_message",
        "send_channel_setting_guide",
        "send_dms",
        "send_dms_setting_guide",
    }


async def test_the_client_alone_can_hold_too(sim: Simulator) -> None:
    gate = asyncio.Event()

    async def until() -> None:
        await gate.wait()

    async with Api(sim.credentials, endpoints=sim.endpoints) as api:
        api.hold_sends(until)
        with pytest.raises(Timeout, match="held back"):
            await api.c2c.send_message(ALICE, "x", timeout=0.1)
        assert sends(sim) == 0
        await api.users.me()
