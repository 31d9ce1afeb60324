"""`bot.stop()` returns in bounded time, whatever swallows its cancellation, and names it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from qqbot import Bot, C2CMessageCreate, Context, ShardEvent
from qqbot.aio import ending
from qqbot.config import GatewayConfig
from qqbot.models.ingest import Envelope, Fence
from qqbot.sessions import LocalSessionManager
from qqbot.sessions.base import GatewaySource, ShardFactory
from qqbot.testing import Simulator
from tests.stopwatch import stopwatch

FAST = GatewayConfig(pace=0.02, identify_window=0.1)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "ENDING_SECONDS", 0.3)
    monkeypatch.setattr(ending, "LAST_SECONDS", 0.1)
    monkeypatch.setattr("qqbot.bot.run.ENDING_SECONDS", 0.3)


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(identify_window=0.1) as sim:
        yield sim


class Stubborn:
    """A coroutine function that swallows each cancellation until the test has ended."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.released = asyncio.Event()

    async def wait(self) -> None:
        self.begun.set()
        while not self.released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.released.wait()


@pytest.fixture
async def stubborn() -> AsyncIterator[Stubborn]:
    stubborn = Stubborn()
    yield stubborn
    stubborn.released.set()
    await asyncio.sleep(0.05)


class StubbornSink:
    def __init__(self, stubborn: Stubborn) -> None:
        self._stubborn = stubborn

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        await self._stubborn.wait()


class StubbornManager(LocalSessionManager):
    """Its `stop` returns, and its `run` goes on."""

    def __init__(self, stubborn: Stubborn) -> None:
        super().__init__(window=0.1)
        self._stubborn = stubborn

    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        await super().run(gateway, start)
        await self._stubborn.wait()


def by_handler(bot: Bot, stubborn: Stubborn) -> None:
    @bot.on
    async def handler(ctx: Context[C2CMessageCreate]) -> None:
        await stubborn.wait()


def by_dialog(bot: Bot, stubborn: Stubborn) -> None:
    @bot.on
    async def handler(ctx: Context[C2CMessageCreate]) -> None:
        stubborn.begun.set()
        while not stubborn.released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await ctx.wait_for(C2CMessageCreate)


def by_spawned_task(bot: Bot, stubborn: Stubborn) -> None:
    @bot.on
    async def handler(ctx: Context[C2CMessageCreate]) -> None:
        bot.spawn(stubborn.wait(), name="mine")


def by_error_hook(bot: Bot, stubborn: Stubborn) -> None:
    @bot.on
    async def handler(ctx: Context[C2CMessageCreate]) -> None:
        raise ValueError

    @bot.on_error
    async def hook(ctx: Any, error: Exception) -> None:
        await stubborn.wait()


def by_shard_hook(bot: Bot, stubborn: Stubborn) -> None:
    @bot.on_shard_event
    async def hook(event: ShardEvent) -> None:
        if event.kind == "identified":
            await stubborn.wait()


Setup = Callable[[Bot, Stubborn], None]


@pytest.mark.parametrize("setup", [by_handler, by_dialog, by_spawned_task, by_error_hook, by_shard_hook])
async def test_stop_leaves_behind_what_swallows_its_cancellation(
    sim: Simulator, stubborn: Stubborn, caplog: pytest.LogCaptureFixture, setup: Setup
) -> None:
    bot = Bot(sim.credentials, endpoints=sim.endpoints, gateway=FAST, drain=0.1)
    setup(bot, stubborn)
    await stops(bot, sim, stubborn)
    assert caplog.text.count("goes on although it was cancelled") == 1
    assert "test_stopping.py" in caplog.text
    bot_again = Bot(sim.credentials, endpoints=sim.endpoints, gateway=FAST, drain=0.1)
    async with bot_again:
        await bot_again.ready()


async def test_stop_leaves_a_sink_behind(sim: Simulator, stubborn: Stubborn, caplog: pytest.LogCaptureFixture) -> None:
    bot = Bot(sim.credentials, endpoints=sim.endpoints, gateway=FAST, drain=0.1, sink=StubbornSink(stubborn))
    bot.expect(C2CMessageCreate)
    await stops(bot, sim, stubborn)
    assert "'qqbot sink 0/1' goes on although it was cancelled" in caplog.text


async def test_stop_leaves_a_session_manager_behind(
    sim: Simulator, stubborn: Stubborn, caplog: pytest.LogCaptureFixture
) -> None:
    bot = Bot(sim.credentials, endpoints=sim.endpoints, gateway=FAST, drain=0.1, sessions=StubbornManager(stubborn))
    bot.expect(C2CMessageCreate)
    stubborn.begun.set()
    await stops(bot, sim, stubborn)
    assert "'qqbot shards' goes on although it was cancelled" in caplog.text


async def stops(bot: Bot, sim: Simulator, stubborn: Stubborn) -> None:
    await bot.start()
    await bot.ready()
    sim.push_message("c2c", text="go")
    await asyncio.wait_for(stubborn.begun.wait(), 10)
    async with stopwatch() as watch:
        await asyncio.wait_for(bot.stop(), 15)
    assert watch.seconds < 5
