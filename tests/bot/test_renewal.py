"""Sessions that are old and silent are replaced by new ones: some that were resumed for days get no more events."""

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qqbot import Bot, C2CMessageCreate, Context, ShardEvent
from qqbot.config import GatewayConfig
from qqbot.sessions import LocalSessionManager
from qqbot.testing import Simulator

CONFIG = GatewayConfig(pace=0.02, identify_window=0.1, renew_after=0.5, renew_silence=0.5)
LONG_ENOUGH = 1.5  # for three renewals
PATIENT = dataclasses.replace(CONFIG, renew_silence=1.0)  # where a busy machine is not to be taken for silence


class Harness:
    def __init__(self, sim: Simulator, config: GatewayConfig = CONFIG, **options: Any) -> None:
        self.sim = sim
        self.bot = Bot(**{"gateway": config, "drain": 0.1, **options})
        self.events: list[ShardEvent] = []
        self.bot.on_shard_event(self.events.append)
        self.bot.on(C2CMessageCreate)(self.take)

    async def take(self, ctx: Context[C2CMessageCreate]) -> None:
        if ctx.text == "hang":
            await asyncio.Event().wait()

    async def identified(self, times: int) -> None:
        async with asyncio.timeout(10):
            while sum(event.kind == "identified" for event in self.events) < times:
                await asyncio.sleep(0.01)


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(identify_window=0.1) as sim:
        yield sim
        assert sim.violations == []


async def test_one_by_one(sim: Simulator) -> None:
    harness = Harness(sim, shards=3)
    async with sim.run(harness.bot):
        await harness.identified(9)
        kinds = [(event.kind, event.shard.index) for event in harness.events if event.kind != "connected"]
    for (kind, shard), (next_kind, next_shard) in zip(kinds[3::2], kinds[4::2], strict=False):
        assert (kind, next_kind) == ("closed", "identified") and shard == next_shard
    assert {shard for kind, shard in kinds if kind == "closed"} == {0, 1, 2}
    assert not sim.resumes
    assert {connection.code for connection in sim.connections} == {4000}


async def test_a_session_that_hears_of_something_is_left_alone(sim: Simulator) -> None:
    harness = Harness(sim, PATIENT)
    async with sim.run(harness.bot):
        end = time.monotonic() + 2 * LONG_ENOUGH
        while time.monotonic() < end:
            sim.push_message("c2c", text="x")
            await asyncio.sleep(0.1)
        assert len(sim.identifies) == 1
        await harness.identified(2)


@pytest.mark.parametrize("config", [{"renew_after": 3600.0}, {"renew_silence": 3600.0}])
async def test_a_young_session_or_a_short_silence_is_left_alone(sim: Simulator, config: dict[str, float]) -> None:
    harness = Harness(sim, GatewayConfig(**{**{name: getattr(CONFIG, name) for name in CONFIG.__slots__}, **config}))
    async with sim.run(harness.bot):
        await asyncio.sleep(LONG_ENOUGH)
        assert len(sim.identifies) == 1


async def test_what_is_unfinished_would_be_lost(sim: Simulator) -> None:
    harness = Harness(sim, PATIENT)
    async with sim.run(harness.bot):
        sim.push_message("c2c", text="hang")
        await asyncio.sleep(2 * LONG_ENOUGH)
        assert len(sim.identifies) == 1


async def test_a_session_for_each_shard_is_kept_back(sim: Simulator) -> None:
    sim.faults.session_start_limit(remaining=5, reset_after=3_600_000)
    harness = Harness(sim, shards=2)
    async with sim.run(harness.bot):
        await harness.identified(3)
        await asyncio.sleep(LONG_ENOUGH)
        assert len(sim.identifies) == 3, "the last two sessions of the day are for shards that have none"
        assert all(connection.ready for connection in sim.connections[-2:])


async def test_a_new_day_renews_the_budget(sim: Simulator) -> None:
    sim.faults.session_start_limit(total=1000, remaining=1, reset_after=300)
    harness = Harness(sim)
    async with sim.run(harness.bot):
        await harness.identified(2)


async def test_the_age_is_carried_over_and_a_resume_is_no_news(sim: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    config = GatewayConfig(pace=0.02, identify_window=0.1, renew_after=86_400, renew_silence=10)
    async with sim.run(Harness(sim, config, sessions=LocalSessionManager(state=path, window=0.1)).bot):
        pass
    document = json.loads(path.read_bytes())
    document["shards"]["0"].update(since=time.time() - 90_000, last_event=time.time() - 700)
    path.write_text(json.dumps(document))
    harness = Harness(sim, config, sessions=LocalSessionManager(state=path, window=0.1))
    async with sim.run(harness.bot):
        assert len(sim.resumes) == 1
        await harness.identified(1)
    assert (len(sim.identifies), len(sim.resumes)) == (2, 1)
