"""A loop that is held up is noticed, logged once a minute, and readable."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import pytest

from qqbot import Bot, C2CMessageCreate, Context
from qqbot.aio import loop_lag as looplag
from qqbot.aio.background import background, repeat
from qqbot.aio.loop_lag import LoopLag
from qqbot.testing import Simulator


@pytest.fixture(autouse=True)
def no_patience(patience_with_the_machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looplag, "WARN_SECONDS", 0.5)


@pytest.fixture
async def lag() -> AsyncIterator[LoopLag]:
    lag = LoopLag()
    watching = asyncio.create_task(repeat(lag.look))
    await asyncio.sleep(0)
    yield lag
    watching.cancel()
    await asyncio.wait([watching])


def hold_up(seconds: float) -> None:
    time.sleep(seconds)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "qqbot.aio.loop_lag"]


async def test_a_loop_that_is_held_up_is_logged_once_a_minute(lag: LoopLag, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        hold_up(0.7)
        await asyncio.sleep(0.3)
    [warning] = warnings(caplog)
    assert caplog.records[0].levelno == logging.WARNING
    assert "asyncio.to_thread" in warning and "held up for " in warning
    assert 0.55 <= lag.peak < 5


async def test_a_minute_later_it_is_logged_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looplag, "WARN_EVERY_SECONDS", 0.2)
    async with background(repeat(LoopLag().look), name="watch"):
        await asyncio.sleep(0)
        for _ in range(2):
            hold_up(0.7)
            await asyncio.sleep(0.5)
    assert len(warnings(caplog)) == 2


async def test_less_is_measured_and_not_logged(lag: LoopLag, caplog: pytest.LogCaptureFixture) -> None:
    hold_up(0.3)
    await asyncio.sleep(0.2)
    assert lag.peak >= 0.15
    assert not [text for text in warnings(caplog) if lag.peak < looplag.WARN_SECONDS]


async def test_the_peak_is_forgotten(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looplag, "MEMORY_SECONDS", 0.3)
    lag = LoopLag()
    watching = asyncio.create_task(repeat(lag.look))
    await asyncio.sleep(0)
    hold_up(0.7)
    await asyncio.sleep(0.15)
    assert lag.peak >= 0.5
    async with asyncio.timeout(20):
        while lag.peak >= 0.5:
            await asyncio.sleep(0.05)
    watching.cancel()
    await asyncio.wait([watching])


async def test_a_handler_that_blocks_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    async with Simulator() as sim:
        bot = Bot()

        @bot.on
        async def block(ctx: Context[C2CMessageCreate]) -> None:
            hold_up(0.8)
            await ctx.reply("done")

        async with sim.run(bot):
            await sim.user("Alice").say("x")
            async with asyncio.timeout(10):
                while not warnings(caplog):
                    await asyncio.sleep(0.05)
            assert bot.stats().loop_lag >= 0.5
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "qqbot loop lag"]
