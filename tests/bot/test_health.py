"""What a bot tells about itself while it runs: health, hooks for metrics, and who holds up the reading."""

import asyncio
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from qqbot import Bot, C2CMessageCreate, Context, GatewayHalted, HandlerRun
from qqbot.config import GatewayConfig
from qqbot.testing import Simulator

FAST = GatewayConfig(pace=0.02, identify_window=0.2)


class Probe:
    """GET on the health pages of a bot that is mounted in an application."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def get(self, page: str) -> tuple[int, list[str]]:
        async with self._session.get(f"{self._url}/health/{page}") as response:
            return response.status, (await response.json())["reasons"]


@pytest.fixture
async def bot() -> Bot:
    return Bot(gateway=FAST, max_inflight=1, max_queued=1, drain=0.1)


@pytest.fixture
async def probe(bot: Bot) -> AsyncIterator[Probe]:
    app = web.Application()
    app.add_subapp("/health", bot.health())
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield Probe(str(server.make_url("")).rstrip("/"), session)


async def test_a_bot_is_ready_when_its_shards_are(sim: Simulator, bot: Bot, probe: Probe) -> None:
    assert await probe.get("livez") == (200, [])
    assert await probe.get("readyz") == (503, ["the bot is not served"])
    async with sim.run(bot):
        assert await probe.get("readyz") == (200, [])
        sim.faults.no_hello()
        sim.faults.drop()
        async with asyncio.timeout(5):
            while (await probe.get("readyz"))[0] == 200:
                await asyncio.sleep(0.01)
        assert await probe.get("readyz") == (503, ["shard 0/1 is not connected"])
        assert await probe.get("livez") == (200, [])


async def test_a_bot_that_the_platform_stopped_is_not_alive(sim: Simulator, bot: Bot, probe: Probe) -> None:
    with pytest.raises(GatewayHalted):
        async with sim.run(bot):
            sim.faults.close(4914)
            with pytest.raises(GatewayHalted):
                await bot.wait()
            status, (reason,) = await probe.get("livez")
            assert status == 503
            assert "4914" in reason
            assert (await probe.get("readyz"))[0] == 503
    assert (await probe.get("livez"))[1] == [reason], "nor is it when it is not served any more"
    async with sim.run(bot):
        assert await probe.get("livez") == (200, [])
    assert await probe.get("livez") == (200, []), "it was stopped, and has not ended by itself"


async def test_a_bot_that_is_stopping_is_alive_and_not_ready(sim: Simulator, probe: Probe, bot: Bot) -> None:
    async with sim.run(bot):
        await bot.stop()
        assert await probe.get("livez") == (200, [])
        assert await probe.get("readyz") == (503, ["the bot is stopping"])


async def test_reading_that_stands_still_is_said_once_with_handler_and_conversation(
    sim: Simulator, bot: Bot, probe: Probe, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("qqbot.bot.run.STANDSTILL_SECONDS", 0.5)
    gate = asyncio.Event()

    @bot.on
    async def stuck(ctx: Context[C2CMessageCreate]) -> None:
        await gate.wait()

    async with sim.run(bot):
        for name in ("Alice", "Bob", "Carol"):
            sim.push_message("c2c", user=name, text="hi")
        with caplog.at_level(logging.WARNING, "qqbot.bot.run"):
            async with asyncio.timeout(10):
                while not caplog.records:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(1.2)
        (record,) = caplog.records
        assert "stuck in c2c:" in record.getMessage()
        assert vars(record)["handler"] == f"{__name__}.{stuck.__qualname__}"
        assert str(vars(record)["conversation"]).startswith("c2c:")
        assert (await probe.get("readyz"))[0] == 503
        assert bot.stats().standing_still > 0.5
        gate.set()
        async with asyncio.timeout(5):
            while (await probe.get("readyz"))[0] != 200:
                await asyncio.sleep(0.01)


async def test_metrics_hear_of_each_handler_without_patching(sim: Simulator) -> None:
    bot = Bot(gateway=FAST)
    runs: list[HandlerRun] = []
    bot.on_handled(runs.append)

    @bot.on
    async def greet(ctx: Context[C2CMessageCreate]) -> None:
        await asyncio.sleep(0.02)
        if ctx.text == "bad":
            raise ValueError("bad")

    async with sim.run(bot):
        await sim.user("Alice").say("good")
        await sim.user("Alice").say("bad")
        stats = bot.stats()
    good, bad = runs
    assert good.event == "C2C_MESSAGE_CREATE"
    assert good.handler.endswith("greet")
    assert good.seconds >= 0.02
    assert good.error is None
    assert isinstance(bad.error, ValueError)
    assert (stats.failed, stats.inflight, stats.max_inflight) == (1, 0, 256)
    assert stats.shards[0].state == "live"


async def test_a_handler_over_its_time_is_cancelled_and_reported(sim: Simulator) -> None:
    bot = Bot(gateway=FAST, handler_timeout=0.05)
    errors: list[Exception] = []

    @bot.on
    async def slow(ctx: Context[C2CMessageCreate]) -> None:
        if ctx.text == "slow":
            await asyncio.Event().wait()
        await ctx.reply("quick")

    @bot.on_error
    async def note(ctx: Context[C2CMessageCreate], error: Exception) -> None:  # type: ignore[arg-type]
        errors.append(error)

    async with sim.run(bot):
        await sim.user("Alice").say("slow")
        assert (await sim.user("Alice").say("and now?")).text == "quick"
    (error,) = errors
    assert isinstance(error, TimeoutError)
    assert "slow did not end within 0.05 s" in str(error)
