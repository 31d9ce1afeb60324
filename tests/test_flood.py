"""Load, end to end: one conversation or user that floods a bot on the simulator, and what the others notice."""

import asyncio
import gc
import json
import os
import tracemalloc
from functools import partial
from pathlib import Path

import pytest

from qqbot import (
    Bot,
    C2CMessageCreate,
    ConfigError,
    Context,
    Cooldown,
    Envelope,
    GroupAtMessageCreate,
    InteractionCreate,
    members,
)
from qqbot.config import GatewayConfig
from qqbot.testing import Simulator
from tests import waiting
from tests.stopwatch import stopwatch

FAST = GatewayConfig(pace=0.02, identify_window=0.2)
FLOOD = 10_000
until = partial(waiting.until, seconds=60)


class Flooded:
    """A bot whose handler of group messages is held until `gate` opens; private messages are answered."""

    def __init__(self, **options: int) -> None:
        self.bot = Bot(gateway=FAST, drain=0.1, **options)  # type: ignore[arg-type]
        self.gate = asyncio.Event()
        self.begun = 0
        self.handled: list[str] = []

        @self.bot.on
        async def slow(ctx: Context[GroupAtMessageCreate]) -> None:
            self.begun += 1
            await self.gate.wait()
            self.handled.append(ctx.text)

        @self.bot.on
        async def echo(ctx: Context[C2CMessageCreate]) -> None:
            await ctx.reply(ctx.text)


async def test_10_000_messages_of_one_conversation_hold_up_no_other_one(caplog: pytest.LogCaptureFixture) -> None:
    flooded = Flooded()
    async with Simulator() as sim:
        async with sim.run(flooded.bot):
            assert (await sim.user("Alice").say("before")).text == "before"
            gc.collect()
            for number in range(FLOOD):
                sim.push_message("group", user="Mallory", text=f"@bot {number}")
            tracemalloc.start()  # the bot has read nothing yet
            await until(lambda: flooded.bot.stats().queued + flooded.begun >= FLOOD)
            gc.collect()
            allocated = _allocated_by("dispatcher")
            tracemalloc.stop()
            assert 0 < allocated < 10 * 1024 * 1024
            stats = flooded.bot.stats()
            assert (flooded.begun, stats.inflight, stats.queued) == (1, 1, FLOOD - 1)
            assert stats.queued_bytes < 16 * 1024 * 1024
            times = []
            for number in range(20):
                async with stopwatch() as watch:
                    assert (await sim.user(f"user {number}").say("hi")).text == "hi"
                times.append(watch.seconds)
            assert sorted(times)[10] < 0.1, f"the others wait: {times}"
            flooded.gate.set()
            await until(lambda: len(flooded.handled) >= FLOOD)
            assert flooded.handled == [str(number) for number in range(FLOOD)]
            assert (len(sim.connections), len(sim.resumes)) == (1, 0)
        assert sim.violations == []
        assert sim.lost_events == []
    named = [record.getMessage() for record in caplog.records if "share of the room" in record.getMessage()]
    assert len(named) == 1, "the conversation is named once, and not for each message"
    assert "group:" in named[0] and "slow" in named[0]


async def test_reading_stops_when_the_room_is_full_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("qqbot.bot.run.STANDSTILL_SECONDS", 0.5)
    flooded = Flooded(max_queued=100)
    async with Simulator() as sim, sim.run(flooded.bot):
        for number in range(1000):
            sim.push_message("group", user="Mallory", text=f"@bot {number}")
        await until(lambda: flooded.bot.stats().standing_still > 0.5)
        assert flooded.bot.stats().queued <= 100
        await until(lambda: "no event was read" in caplog.text)
        assert "slow in group:" in caplog.text and "of those that wait are of group:" in caplog.text
        flooded.gate.set()
        await until(lambda: len(flooded.handled) >= 1000)
        assert flooded.handled == [str(number) for number in range(1000)]
        assert (await sim.user("Alice").say("after")).text == "after"
        assert (len(sim.connections), len(sim.resumes)) == (1, 0)


async def test_a_conversation_is_named_by_the_bytes_that_wait_and_again_in_another_spell(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flooded = Flooded(max_queued_bytes=80_000)
    async with Simulator() as sim, sim.run(flooded.bot):
        for spell in (1, 2):
            flooded.gate.clear()
            for _ in range(20):
                sim.push_message("group", user="Mallory", text="@bot " + "x" * 1000)
            await until(lambda: flooded.begun % 20 == 1 and flooded.bot.stats().queued == 19)
            assert caplog.text.count("share of the room") == spell
            flooded.gate.set()
            await until(lambda spell=spell: len(flooded.handled) == 20 * spell)  # type: ignore[misc]


@pytest.mark.parametrize("scene", ["c2c", "group"])
async def test_one_user_cannot_open_all_the_waits_of_the_bot(scene: str, caplog: pytest.LogCaptureFixture) -> None:
    bot = Bot(gateway=FAST, drain=0.1)
    bot.expect(InteractionCreate)
    refused: list[str] = []
    reasons: set[str] = set()
    opened: dict[str, int] = {}

    @bot.on
    async def ask(ctx: Context[C2CMessageCreate | GroupAtMessageCreate]) -> None:
        user = ctx.text
        opened[user] = opened.get(user, 0) + 1
        try:
            await ctx.wait_for(InteractionCreate, timeout=60)
        except ConfigError as error:
            refused.append(user)
            reasons.add(str(error))

    async with Simulator() as sim, sim.run(bot):
        for _ in range(300):
            sim.push_message(scene, user="Mallory", text="@bot Mallory" if scene == "group" else "Mallory")  # type: ignore[arg-type]
        await until(lambda: opened.get("Mallory") == 300)
        assert bot.stats().waiting == 128
        sim.push_message(scene, user="Alice", text="@bot Alice" if scene == "group" else "Alice")  # type: ignore[arg-type]
        await until(lambda: bot.stats().waiting == 129)
    assert refused == ["Mallory"] * 172
    assert all("128 wait_for of user:" in reason and "timeout=" in reason for reason in reasons)


async def test_10_000_commands_of_one_user_cost_bounded_memory() -> None:
    bot, ran = Bot(gateway=FAST), []

    @bot.command("sign", cooldown=Cooldown(3, per=60))
    async def sign(ctx: Context[GroupAtMessageCreate]) -> None:
        ran.append(ctx.text)

    @bot.command("roll", allow=members("owner"))
    async def roll(ctx: Context[GroupAtMessageCreate], sides: int) -> None:
        ran.append(ctx.text)

    async with Simulator() as sim, sim.run(bot):
        for number in range(FLOOD):
            if number == FLOOD - 2000:  # from here on nothing may grow
                tracemalloc.start()
            await bot.handle(_command(number, "/sign" if number % 2 else "/roll x"))
        gc.collect()
        assert _allocated_by("bot", "dispatcher") < 1024 * 1024
        tracemalloc.stop()
    assert ran == ["/sign"] * 3
    assert len(bot._handlers.cooldowns) == 1


def _command(number: int, text: str) -> Envelope:
    name, group, user = "GROUP_AT_MESSAGE_CREATE", "G" * 32, "U" * 32
    payload = {"id": str(number), "group_openid": group, "content": text, "author": {"member_openid": user}}
    raw = json.dumps({"op": 0, "s": number + 1, "t": name, "id": f"{name}:{number}", "d": payload}).encode()
    return Envelope(id=f"{name}:{number}", type=name, shard=0, session="s", seq=number, key=group, ts=0, raw=raw)


def _allocated_by(*packages: str) -> int:
    """Return the bytes that packages of qqbot have allocated; tracemalloc's own filters take seconds for it."""
    folders = tuple(str(Path("qqbot", package)) + os.sep for package in packages)
    traces = tracemalloc.take_snapshot().traces
    return sum(trace.size for trace in traces if any(folder in trace.traceback[0].filename for folder in folders))
