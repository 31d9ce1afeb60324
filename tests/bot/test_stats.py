"""What a shard tells about itself, on the simulator."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from qqbot import Bot, C2CMessageCreate, Context, GatewayHalted
from qqbot.config import GatewayConfig
from qqbot.models.stats import ShardStats
from qqbot.sessions import LocalSessionManager
from qqbot.testing import Simulator

FAST = GatewayConfig(pace=0.02, hello_timeout=2, ready_timeout=2, resumed_timeout=2, identify_window=0.2)


class Harness:
    """A bot that hangs on "hang" until it is let go."""

    def __init__(self, sim: Simulator, **options: object) -> None:
        self.sim = sim
        self.bot = Bot(**{"gateway": FAST, "drain": 5.0, **options})  # type: ignore[arg-type]
        self.texts: list[str] = []
        self.let_go = asyncio.Event()
        self.bot.on(C2CMessageCreate)(self.take)

    async def take(self, ctx: Context[C2CMessageCreate]) -> None:
        if ctx.text == "hang":
            await self.let_go.wait()
        self.texts.append(ctx.text)

    def all(self) -> tuple[ShardStats, ...]:
        return self.bot.stats().shards

    @property
    def now(self) -> ShardStats:
        [stats] = self.all()
        return stats

    async def until(self, condition: Callable[[ShardStats], bool]) -> ShardStats:
        async with asyncio.timeout(10):
            while not self.all() or not condition(self.now):
                await asyncio.sleep(0.005)
        return self.now


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(heartbeat_interval=1.0) as sim:
        yield sim


async def test_a_shard_at_rest(sim: Simulator) -> None:
    harness = Harness(sim)
    async with sim.run(harness.bot):
        await harness.until(lambda stats: stats.received == stats.watermark == 1)
        stats = await harness.until(lambda stats: stats.round_trip is not None)
    assert str(stats.shard) == "0/1" and stats.state == "live"
    assert stats.round_trip is not None and 0 < stats.round_trip < 10
    assert stats.session_age is not None and 0 < stats.session_age < 10
    assert (stats.lag, stats.unfinished, stats.ranges, stats.events, stats.identifies) == (0, 0, 0, 0, 1)
    assert (stats.resumes, stats.reconnects, stats.last_code, stats.skipped, stats.repeats) == (0, {}, None, {}, 0)


async def test_unfinished_events_are_the_lag(sim: Simulator) -> None:
    harness = Harness(sim)
    async with sim.run(harness.bot):
        for user, text in [("Alice", "one"), ("Bob", "hang"), ("Alice", "two"), ("Bob", "three"), ("Alice", "four")]:
            sim.push_message("c2c", user=user, text=text)
        stats = await harness.until(lambda stats: stats.unfinished == 2 and stats.received == 6)
        assert (stats.watermark, stats.lag, stats.ranges, stats.events) == (2, 4, 2, 5)
        harness.let_go.set()
        await harness.until(lambda stats: stats.lag == 0 and stats.ranges == 0)


async def test_events_per_second_of_the_last_seconds(sim: Simulator) -> None:
    harness = Harness(sim)
    async with sim.run(harness.bot):
        begin = time.monotonic()
        for number in range(200):
            sim.push_message("c2c", user=f"user {number}", text="x")
        stats = await harness.until(lambda stats: stats.events == 200)
        assert 200 / max(time.monotonic() - begin, 1) * 0.5 <= stats.events_per_second <= 200
        assert stats.last_event is not None
        before = stats.last_event
        await asyncio.sleep(2.5)
        assert harness.now.events_per_second < stats.events_per_second
        assert before + 1 < (harness.now.last_event or 0) < before + 30


async def test_reconnects_by_cause(sim: Simulator) -> None:
    harness = Harness(sim)
    async with sim.run(harness.bot):
        for strike in (lambda: sim.faults.close(4009), lambda: sim.faults.close(4009), sim.faults.op7):
            strike()
            await sim.resumed()
        await harness.until(lambda stats: stats.state == "live")
        sim.faults.close(4006)
        await sim.identified()
        stats = await harness.until(lambda stats: stats.state == "live")
    assert stats.reconnects == {
        "the connection's time is over": 2,
        "the platform asked for a new connection (op 7)": 1,
        "invalid session id": 1,
    }
    assert (stats.last_code, stats.resumes, stats.identifies) == (4006, 3, 2)


async def test_a_lost_connection_has_no_code(sim: Simulator) -> None:
    harness = Harness(sim)
    async with sim.run(harness.bot):
        sim.faults.close(4009)
        await sim.resumed()
        await harness.until(lambda stats: stats.state == "live")
        sim.faults.drop()
        await sim.resumed()
        stats = await harness.until(lambda stats: stats.state == "live")
    assert (stats.last_code, stats.reconnects["the connection was lost"]) == (None, 1)


async def test_repeats_and_skipped_frames(sim: Simulator) -> None:
    harness = Harness(sim)
    async with sim.run(harness.bot):
        sim.push_message("c2c", text="one")
        await harness.until(lambda stats: stats.received == 2)
        frames = [frame for frame in sim.frames if frame["t"] == "C2C_MESSAGE_CREATE"]
        sim.faults.raw(frames[-1]["json"])
        sim.faults.raw("not json")
        sim.faults.raw('{"op":99}')
        stats = await harness.until(lambda stats: sum(stats.skipped.values()) == 2)
    assert (stats.repeats, stats.skipped) == (1, {"malformed frame": 1, "unknown op": 1})


async def test_the_states_of_a_shard(sim: Simulator) -> None:
    harness = Harness(sim)
    seen: list[str] = []
    harness.bot.on_shard_event(lambda event: seen.append(f"{event.kind}: {harness.now.state}"))
    async with sim.run(harness.bot):
        sim.faults.swallow_resume()
        sim.faults.close(4009)
        await harness.until(lambda stats: stats.state == "resuming")
        await sim.resumed()
        await harness.until(lambda stats: stats.state == "live")
        sim.faults.swallow_identify()
        sim.faults.close(4006)
        await harness.until(lambda stats: stats.state == "identifying")
        assert harness.now.session_age is None
        await sim.identified()
        await harness.until(lambda stats: stats.state == "live")
        sim.push_message("c2c", text="hang")
        await harness.until(lambda stats: stats.unfinished == 1)
        asyncio.get_running_loop().call_later(0.3, harness.let_go.set)
        await harness.bot.stop()
    assert seen[:3] == ["connected: connecting", "identified: live", "closed: waiting"]
    assert seen[-1] == "closed: draining"


async def test_a_halted_shard_says_so(sim: Simulator) -> None:
    harness = Harness(sim)
    seen: list[str] = []
    harness.bot.on_shard_event(lambda event: seen.append(f"{event.kind}: {harness.now.state} {harness.now.last_code}"))
    with pytest.raises(GatewayHalted):
        async with sim.run(harness.bot):
            sim.faults.close(4914)
            await harness.bot.wait()
    assert "halted: halted 4914" in seen


async def test_several_shards_in_order(sim: Simulator) -> None:
    harness = Harness(sim, shards=3)
    async with sim.run(harness.bot):
        assert [str(stats.shard) for stats in harness.all()] == ["0/3", "1/3", "2/3"]


async def test_the_age_of_a_session_goes_on_in_the_next_process(sim: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for _ in range(2):
        async with sim.run(Harness(sim, sessions=LocalSessionManager(state=path)).bot):
            await asyncio.sleep(1.2)
    harness = Harness(sim, sessions=LocalSessionManager(state=path))
    async with sim.run(harness.bot):
        assert harness.now.session_age is not None and 2.4 < harness.now.session_age < 30
        assert harness.now.identifies == 0 and harness.now.resumes == 1
