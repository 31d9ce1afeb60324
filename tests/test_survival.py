"""What a bot survives, end to end: a real bot on the simulator over real sockets.

Each test is named after what happens to the connection; the log of the simulator tells what the bot did.
"""

import asyncio
import dataclasses
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from qqbot import (
    Bot,
    C2CMessageCreate,
    ConfigError,
    Context,
    Event,
    GatewayError,
    GatewayHalted,
    GroupAtMessageCreate,
    ShardEvent,
    UnknownEvent,
)
from qqbot.config import GatewayConfig
from qqbot.testing import Simulator
from tests.stopwatch import stopwatch
from tests.waiting import until

FAST = GatewayConfig(
    pace=0.02,
    hello_timeout=0.5,
    ready_timeout=0.5,
    resumed_timeout=0.5,
    close_code_timeout=0.3,
    identify_window=0.2,
)


class Harness:
    """A simulator, an echo bot on it, and what the bot saw."""

    def __init__(self, sim: Simulator, bot: Bot) -> None:
        self.sim = sim
        self.bot = bot
        self.texts: list[str] = []
        self.shard_events: list[ShardEvent] = []

    async def echo(self, text: str) -> str | None:
        reply = await self.sim.group("test").member("Alice").say(f"@bot {text}")
        return reply.text

    def sessions(self) -> list[dict[str, Any]]:
        """What the platform knows of the sessions."""
        return self.sim.state()["bot"]["shards"]

    def tokens(self) -> int:
        """How often a token was asked for."""
        return sum(call["path"] == "/app/getAppAccessToken" for call in self.sim.calls)

    def count(self, kind: str) -> int:
        return sum(event.kind == kind for event in self.shard_events)


def make_trial(sim: Simulator, **options: Any) -> Harness:
    harness = Harness(sim, Bot(**{"gateway": FAST, **options}))

    @harness.bot.on(GroupAtMessageCreate)
    async def echo(ctx: Context[GroupAtMessageCreate]) -> None:
        harness.texts.append(ctx.text)
        await ctx.reply(ctx.text)

    harness.bot.on_shard_event(harness.shard_events.append)
    return harness


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    async with Simulator() as sim:
        harness = make_trial(sim)
        async with sim.run(harness.bot):
            yield harness
        assert sim.violations == []
        assert sim.lost_events == []


async def test_answers(harness: Harness) -> None:
    assert await harness.echo("hello") == "hello"


async def resumes(harness: Harness, hit: Callable[[], Any]) -> None:
    identifies, before = len(harness.sim.identifies), harness.count("resumed")
    [session] = harness.sessions()
    hit()
    await until(lambda: harness.count("resumed") > before)
    assert harness.sim.resumes[-1]["session_id"] == session["session_id"]
    assert harness.sim.resumes[-1]["seq"] == session["seq"]
    assert await harness.echo("after") == "after"
    assert len(harness.sim.identifies) == identifies, "a session that could be resumed was thrown away"


async def identifies_again(harness: Harness, hit: Callable[[], Any]) -> None:
    resumes, before = len(harness.sim.resumes), harness.count("identified")
    hit()
    await until(lambda: harness.count("identified") > before)
    assert await harness.echo("after") == "after"
    assert len(harness.sim.resumes) == resumes, "a dead session was resumed"


async def test_op_7_with_the_socket_left_open(harness: Harness) -> None:
    await resumes(harness, harness.sim.faults.op7)
    first = harness.sim.connections[0]
    assert (first.closed_by, first.code) == ("bot", 4000)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4008, 4009])
async def test_close_that_keeps_the_session(harness: Harness, code: int) -> None:
    await resumes(harness, lambda: harness.sim.faults.close(code))


async def test_4009_is_no_warning(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await resumes(harness, lambda: harness.sim.faults.close(4009))
    gateway = [record for record in caplog.records if record.name.startswith("qqbot.gateway")]
    assert gateway and not [record for record in gateway if record.levelno >= logging.WARNING]


async def test_4009_resumes_within_a_second() -> None:
    async with Simulator() as sim:
        harness = make_trial(sim, gateway=GatewayConfig())
        async with sim.run(harness.bot), stopwatch() as watch:
            sim.faults.close(4009)
            await until(lambda: bool(sim.resumes))
            assert watch.seconds < 1.0 + 0.5, "a second, and half of one for a busy machine"


async def test_4008_waits_a_minute(harness: Harness) -> None:
    closed = time.monotonic()
    await resumes(harness, lambda: harness.sim.faults.close(4008))
    assert harness.sim.resumes[0]["time"] - closed >= 60 * FAST.pace


@pytest.mark.parametrize("code", [4000, 4003, 4005, 4006, 4007, 4900, 4902, 4903, 4913, 4924])
async def test_close_that_ends_the_session(harness: Harness, code: int) -> None:
    await identifies_again(harness, lambda: harness.sim.faults.close(code))


async def test_tcp_reset(harness: Harness) -> None:
    await resumes(harness, harness.sim.faults.drop)


async def test_op_9_with_the_socket_left_open(harness: Harness) -> None:
    await identifies_again(harness, lambda: harness.sim.faults.op9(resumable=False))


async def test_op_9_resumable(harness: Harness) -> None:
    await resumes(harness, lambda: harness.sim.faults.op9(resumable=True))


async def test_op_9_three_times_while_identifying(harness: Harness) -> None:
    harness.sim.faults.op9_on_identify(times=3)
    harness.sim.faults.close(4006)
    await until(lambda: harness.count("identified") == 2)
    assert len(harness.sim.identifies) == 5
    assert await harness.echo("after") == "after"


async def test_4902_each_time_it_resumes(harness: Harness) -> None:
    harness.sim.faults.close_on_resume(4902, times=0)
    harness.sim.faults.close(4009)
    await until(lambda: harness.count("identified") == 2)
    assert await harness.echo("after") == "after"


async def test_resume_refused_twice_then_identify(harness: Harness) -> None:
    harness.sim.faults.close_on_resume(4009, times=0)
    harness.sim.faults.close(4009)
    await until(lambda: harness.count("identified") == 2)
    assert len(harness.sim.resumes) == 2
    assert await harness.echo("after") == "after"


@pytest.mark.parametrize("code", [4004, 4903])
async def test_the_token_is_not_used_again(harness: Harness, code: int) -> None:
    before = harness.tokens()
    await identifies_again(harness, lambda: harness.sim.faults.close(code))
    assert harness.tokens() > before


async def test_4004_while_resuming_resumes_once_more_with_another_token(harness: Harness) -> None:
    before = harness.tokens()
    harness.sim.faults.close_on_resume(4004)
    await resumes(harness, lambda: harness.sim.faults.close(4009))
    assert len(harness.sim.resumes) == 2 and harness.tokens() > before


async def test_hello_never_sent(harness: Harness) -> None:
    harness.sim.faults.no_hello(times=3)
    await resumes(harness, lambda: harness.sim.faults.close(4009))
    assert len(harness.sim.connections) == 5, "an attempt that never reached HELLO counted as a refused RESUME"


async def test_identify_swallowed(harness: Harness) -> None:
    harness.sim.faults.swallow_identify()
    harness.sim.faults.close(4006)
    await until(lambda: harness.count("identified") == 2)
    assert await harness.echo("after") == "after"


async def test_resume_swallowed(harness: Harness) -> None:
    harness.sim.faults.swallow_resume()
    harness.sim.faults.close(4009)
    await until(lambda: harness.count("resumed") == 1)
    assert await harness.echo("after") == "after"


async def test_heartbeats_never_acknowledged() -> None:
    async with Simulator(heartbeat_interval=0.3) as sim:
        harness = make_trial(sim)
        async with sim.run(harness.bot):
            await resumes(harness, harness.sim.faults.stop_acks)


async def test_half_open_is_cut_and_resumed_within_two_beats() -> None:
    async with Simulator(heartbeat_interval=1.0) as sim:
        harness = make_trial(sim)
        async with sim.run(harness.bot), stopwatch() as watch:
            sim.faults.half_open()
            await until(lambda: bool(sim.resumes))
            assert watch.seconds < 2 * 1.0 + 0.5, "two beats, and a while for a busy machine"
            assert await harness.echo("after") == "after"
            assert len(sim.identifies) == 1


@pytest.mark.parametrize(
    "data", ["not json", "[]", "{}", '{"op":"x"}', '{"op":99}', '{"op":0,"t":"GROUP_AT_MESSAGE_CREATE","d":{}}']
)
async def test_malformed_frame(harness: Harness, data: str) -> None:
    connections = len(harness.shard_events)
    harness.sim.faults.raw(data)
    assert await harness.echo("after") == "after"
    assert len(harness.shard_events) == connections, "the connection did not live on"


async def test_unknown_event(harness: Harness) -> None:
    seen: list[UnknownEvent] = []

    @harness.bot.on(UnknownEvent)
    async def note(ctx: Context[UnknownEvent]) -> None:
        seen.append(ctx.event)

    harness.sim.push("BRAND_NEW", {"a": 1})
    await until(lambda: bool(seen))
    assert (seen[0].name, seen[0].data, seen[0].error) == ("BRAND_NEW", b'{"a":1}', None)


async def test_payload_that_fits_when_read_leniently(harness: Harness) -> None:
    body = {"id": 17, "content": "5", "group_openid": "g", "author": {"member_openid": "m"}, "attachments": None}
    harness.sim.push("GROUP_AT_MESSAGE_CREATE", body)
    harness.sim.faults.http("POST /v2/groups/*", 200, body={"id": "1", "timestamp": "2026-01-01T00:00:00+08:00"})
    await until(lambda: harness.texts == ["5"])


async def test_payload_that_fits_nothing_is_handed_over_as_it_is(harness: Harness) -> None:
    seen: list[UnknownEvent] = []

    @harness.bot.on(UnknownEvent)
    async def note(ctx: Context[UnknownEvent]) -> None:
        seen.append(ctx.event)

    harness.sim.push("GROUP_AT_MESSAGE_CREATE", ["no", "message"])
    await until(lambda: bool(seen))
    assert (seen[0].name, seen[0].data) == ("GROUP_AT_MESSAGE_CREATE", b'["no","message"]')
    assert seen[0].error is not None
    assert await harness.echo("after") == "after"


async def test_a_frame_too_large_twice_at_one_seq_is_given_up(harness: Harness) -> None:
    async with Simulator() as sim:
        harness = make_trial(sim, gateway=dataclasses.replace(FAST, max_frame_bytes=4096))
        async with sim.run(harness.bot):
            [session] = harness.sessions()
            sim.push("GROUP_AT_MESSAGE_CREATE", {"id": "1", "content": "x" * 5000, "group_openid": "g"})
            assert await harness.echo("after") == "after"
            assert [resume["seq"] for resume in sim.resumes] == [session["seq"], session["seq"] + 1]
            assert [connection.code for connection in sim.connections[:2]] == [1009, 1009]
        assert len(sim.identifies) == 1


async def test_replayed_events_reach_the_handler_once(harness: Harness) -> None:
    assert await harness.echo("one") == "one"
    state = harness.sim.state()
    assert state["bot"]["shards"][0]["state"] == "ready"
    frames = [frame for frame in harness.sim.frames if frame["t"] == "GROUP_AT_MESSAGE_CREATE"]
    harness.sim.faults.raw(frames[-1]["json"])
    assert await harness.echo("two") == "two"
    assert harness.texts == ["one", "two"]


async def test_raising_handler(harness: Harness) -> None:
    errors: list[tuple[str | None, str]] = []

    @harness.bot.on(C2CMessageCreate)
    async def fail(ctx: Context[C2CMessageCreate]) -> None:
        raise ValueError("no")

    @harness.bot.on_error
    async def note(ctx: Context[Event], error: Exception) -> None:
        errors.append((ctx.event_id, str(error)))

    event_id = harness.sim.push_message("c2c", user="Alice", text="x")
    await until(lambda: bool(errors))
    assert errors == [(event_id, "no")]
    assert await harness.echo("after") == "after"


async def test_one_of_two_shards_dropped() -> None:
    async with Simulator() as sim:
        harness = make_trial(sim, shards=2)
        async with sim.run(harness.bot):
            assert len(sim.identifies) == 2
            sim.faults.close(4009, shard=1)
            await until(lambda: len(sim.resumes) == 1)
            closed = [event for event in harness.shard_events if event.kind == "closed"]
            assert [event.shard.index for event in closed] == [1]
            assert len(sim.identifies) == 2


async def test_20_000_events_against_handlers_that_never_return() -> None:
    async with Simulator() as sim:
        bot = Bot(gateway=FAST, drain=0.1)
        started = 0

        @bot.on(C2CMessageCreate)
        async def hang(ctx: Context[C2CMessageCreate]) -> None:
            nonlocal started
            started += 1
            await asyncio.Event().wait()

        async with sim.run(bot):
            before = len(asyncio.all_tasks())
            for number in range(20_000):
                sim.push_message("c2c", user=f"user {number}", text="x")
            async with asyncio.timeout(20):
                while started < 256:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            assert started == 256
            assert len(asyncio.all_tasks()) - before < 256 + 20
            assert len(sim.connections) == 1
            assert not sim.resumes


async def test_reconnect_hangs_up_with_4000_and_resumes(harness: Harness) -> None:
    await asyncio.wait_for(harness.bot.reconnect(), 5)
    first, second = harness.sim.connections
    assert (first.closed_by, first.code) == ("bot", 4000)
    assert second.ready
    assert (len(harness.sim.identifies), len(harness.sim.resumes)) == (1, 1)
    assert await harness.echo("after") == "after"


async def test_reconnect_of_one_shard_leaves_the_others_alone() -> None:
    async with Simulator() as sim:
        harness = make_trial(sim, shards=3)
        async with sim.run(harness.bot):
            await asyncio.wait_for(harness.bot.reconnect(1), 5)
            assert [resume["shard"] for resume in sim.resumes] == [(1, 3)]
            await asyncio.wait_for(asyncio.gather(harness.bot.reconnect(), harness.bot.reconnect(2)), 5)
            assert sorted(resume["shard"] or () for resume in sim.resumes) == [(0, 3), (1, 3), (1, 3), (2, 3)]
            with pytest.raises(
                ConfigError, match=r"shard 3 does not run in this process; those that do: 0/3, 1/3, 2/3"
            ):
                await harness.bot.reconnect(3)


async def test_reconnect_from_a_handler_while_events_come(harness: Harness) -> None:
    seen: list[str] = []

    @harness.bot.on(C2CMessageCreate)
    async def reconnect(ctx: Context[C2CMessageCreate]) -> None:
        if ctx.text == "event 100":
            await ctx.bot.reconnect()
        seen.append(ctx.text)

    for number in range(1000):
        harness.sim.push_message("c2c", user=f"user {number}", text=f"event {number}")
    await until(lambda: len(seen) == 1000)
    assert sorted(seen) == sorted(f"event {number}" for number in range(1000))


async def test_reconnect_while_there_is_no_connection_waits_for_one(harness: Harness) -> None:
    harness.sim.faults.no_hello()
    harness.sim.faults.close(4009)
    await until(lambda: harness.count("closed") == 1)
    await asyncio.wait_for(harness.bot.reconnect(), 5)
    assert len(harness.sim.resumes) == 1
    assert await harness.echo("after") == "after"


async def test_reconnect_says_that_the_platform_stopped_the_shard() -> None:
    async with Simulator() as sim:
        harness = make_trial(sim)
        with pytest.raises(GatewayHalted):
            async with sim.run(harness.bot):
                sim.faults.close_on_resume(4914)
                with pytest.raises(GatewayError, match=r"bot\.wait"):
                    await asyncio.wait_for(harness.bot.reconnect(), 5)


async def test_reconnect_needs_a_gateway() -> None:
    async with (
        Simulator() as sim,
        Bot().serve(credentials=sim.credentials, endpoints=sim.endpoints, connect=False) as bot,
    ):
        with pytest.raises(ConfigError, match="without a gateway"):
            await bot.reconnect()


@pytest.mark.parametrize("code", [4010, 4012, 4013, 4014, 4914, 4915])
async def test_the_platform_says_stop(code: int) -> None:
    async with Simulator() as sim:
        harness = make_trial(sim)
        with pytest.raises(GatewayHalted) as caught:
            async with sim.run(harness.bot):
                sim.faults.close(code)
                with pytest.raises(GatewayHalted):
                    await harness.bot.wait()
                await asyncio.sleep(0.5)  # many times as long as any pause before a new attempt
        assert caught.value.code == code
        assert str(code) in str(caught.value) and caught.value.hint is not None
        assert (len(sim.identifies), len(sim.connections)) == (1, 1), "the platform is hammered"
        if code in (4013, 4014):
            assert "echo" in str(caught.value), "the handler that asked for the intent is not named"


@pytest.mark.parametrize(("code", "times"), [(4001, 2), (4002, 2), (4004, 5), (4903, 5), (4924, 5)])
async def test_so_many_in_a_row_halt(code: int, times: int) -> None:
    async with Simulator() as sim:
        harness = make_trial(sim)
        with pytest.raises(GatewayHalted) as caught:
            async with sim.run(harness.bot):
                sim.faults.close_on_identify(code, times=0)
                sim.faults.close(code)
                await asyncio.wait_for(harness.bot.wait(), 20)
        assert (caught.value.code, len(sim.identifies)) == (code, times)


async def test_4011_takes_the_larger_count() -> None:
    async with Simulator() as sim:
        harness = make_trial(sim)
        async with sim.run(harness.bot):
            sim.faults.session_start_limit(shards=2)
            sim.faults.close(4011)
            await until(lambda: len(sim.identifies) >= 3)
            await harness.bot.ready()
            assert await harness.echo("after") == "after"


async def test_4011_with_a_fixed_count_names_the_count_to_set() -> None:
    async with Simulator() as sim:
        harness = make_trial(sim, shards=1)
        with pytest.raises(GatewayHalted, match="2"):
            async with sim.run(harness.bot):
                sim.faults.session_start_limit(shards=2)
                sim.faults.close(4011)
                await asyncio.wait_for(harness.bot.wait(), 20)


async def test_shards_identify_5_s_apart() -> None:
    async with Simulator(max_concurrency=1) as sim:
        harness = make_trial(sim, shards=3, gateway=GatewayConfig())
        async with sim.run(harness.bot):
            times = sorted(entry["time"] for entry in sim.identifies)
        assert len(times) == 3
        assert all(after - before >= 5.0 for before, after in itertools.pairwise(times))
        assert sim.violations == []


async def test_no_more_identifies_than_allowed_also_when_all_sessions_end_at_once() -> None:
    window = 0.3
    async with Simulator(max_concurrency=2, identify_window=window) as sim:
        harness = make_trial(sim, shards=4, gateway=dataclasses.replace(FAST, identify_window=window))
        async with sim.run(harness.bot):
            assert len(sim.identifies) == 4
            sim.faults.close(4006)
            await until(lambda: harness.count("identified") == 8)
        times = sorted(entry["time"] for entry in sim.identifies)
        assert all(later - earlier >= window for earlier, later in zip(times, times[2:], strict=False))
        assert sim.violations == []


async def test_an_empty_budget_is_waited_out(caplog: pytest.LogCaptureFixture) -> None:
    async with Simulator() as sim:
        sim.faults.session_start_limit(total=1000, remaining=0, reset_after=700)
        harness = make_trial(sim)
        loop = asyncio.get_running_loop()
        start = loop.time()
        async with sim.run(harness.bot):
            assert loop.time() - start >= 0.7
            assert await harness.echo("late") == "late"
        assert sim.violations == []
        assert "waiting" in caplog.text and "renews" in caplog.text
