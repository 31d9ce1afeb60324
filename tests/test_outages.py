"""What a bot survives around its connection: the network, names, the platform's other parts, and its own machine."""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from qqbot import Bot, C2CMessageCreate, Context, Endpoints, ShardEvent
from qqbot.config import GatewayConfig
from qqbot.testing import Simulator
from tests.cli.program import environment, python
from tests.relay import Relay

FAST = GatewayConfig(pace=0.02, hello_timeout=2, ready_timeout=2, resumed_timeout=2, identify_window=0.2)


class Harness:
    """A bot that notes what it hears."""

    def __init__(self, sim: Simulator, **options: Any) -> None:
        self.sim = sim
        self.bot = Bot(**{"gateway": FAST, "drain": 0.1, **options})
        self.texts: list[str] = []
        self.events: list[ShardEvent] = []
        self.bot.on_shard_event(self.events.append)
        self.bot.on(C2CMessageCreate)(self.take)

    async def take(self, ctx: Context[C2CMessageCreate]) -> None:
        self.texts.append(ctx.text)

    def count(self, kind: str) -> int:
        return sum(event.kind == kind for event in self.events)

    async def hears(self, text: str) -> None:
        self.sim.push_message("c2c", text=text)
        async with asyncio.timeout(15):
            while text not in self.texts:
                await asyncio.sleep(0.01)
        assert self.texts.count(text) == 1


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as sim:
        yield sim
        assert sim.lost_events == []


def port_of(sim: Simulator) -> int:
    return int(sim.api_base.rpartition(":")[2])


async def gateway_at(sim: Simulator, host: str) -> None:
    """Let /gateway/bot name another way to the gateway."""
    async with aiohttp.ClientSession() as session:
        body = {"appId": sim.app_id, "clientSecret": sim.secret}
        async with session.post(sim.token_url, json=body) as response:
            token = (await response.json())["access_token"]
        headers = {"Authorization": f"QQBot {token}"}
        async with session.get(f"{sim.api_base}/gateway/bot", headers=headers) as response:
            answer = await response.json()
    answer["url"] = answer["url"].replace(f"127.0.0.1:{port_of(sim)}", host)
    sim.faults.http("GET /gateway/bot", 200, body=answer, times=0)


async def until_warned(caplog: pytest.LogCaptureFixture, part: str) -> None:
    async with asyncio.timeout(15):
        while not any(part in record.getMessage() for record in caplog.records):
            await asyncio.sleep(0.01)


# The network


async def test_a_connection_that_ends_without_a_close_frame(sim: Simulator) -> None:
    async with Relay(port_of(sim)) as relay:
        await gateway_at(sim, f"127.0.0.1:{relay.port}")
        harness = Harness(sim)
        async with sim.run(harness.bot):
            relay.end()
            await harness.hears("after")
            assert (len(sim.identifies), len(sim.resumes)) == (1, 1)
    assert next(event.code for event in harness.events if event.kind == "closed") is None


async def test_the_gateway_is_down_for_a_while(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    async with Relay(port_of(sim)) as relay:
        await gateway_at(sim, f"127.0.0.1:{relay.port}")
        harness = Harness(sim)
        async with sim.run(harness.bot):
            await relay.down()
            sim.push_message("c2c", text="meanwhile")
            await until_warned(caplog, "cannot be reached")
            await asyncio.sleep(0.5)
            await relay.up()
            await harness.hears("after")
            assert harness.texts == ["meanwhile", "after"]
            assert (len(sim.identifies), len(sim.resumes)) == (1, 1)


async def test_the_gateway_moves(sim: Simulator) -> None:
    async with Relay(port_of(sim)) as relay, Relay(port_of(sim)) as other:
        await gateway_at(sim, f"127.0.0.1:{relay.port}")
        harness = Harness(sim)
        async with sim.run(harness.bot):
            sim.faults.clear()
            await gateway_at(sim, f"127.0.0.1:{other.port}")
            await relay.down()
            sim.push_message("c2c", text="meanwhile")
            await harness.hears("after")
            assert harness.texts == ["meanwhile", "after"]
            assert (len(sim.identifies), len(sim.resumes)) == (1, 1)


async def test_the_gateway_is_down_at_start(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    async with Relay(port_of(sim)) as relay:
        await gateway_at(sim, f"127.0.0.1:{relay.port}")
        await relay.down()
        harness = Harness(sim)
        async with harness.bot.serve(credentials=sim.credentials, endpoints=sim.endpoints):
            await until_warned(caplog, "cannot be reached")
            await relay.up()
            await asyncio.wait_for(harness.bot.ready(), 15)
            await harness.hears("after")


# Names


class Names(AbstractResolver):
    """Knows where every host is, or fails as a broken name server does."""

    def __init__(self) -> None:
        self.broken = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if self.broken:
            raise OSError(None, "no answer from any name server")
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        pass


async def test_names_are_not_resolved_at_start_or_later(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    host = f"localhost:{port_of(sim)}"
    await gateway_at(sim, host)
    names = Names()
    names.broken = True
    connector = aiohttp.TCPConnector(resolver=names, use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector) as session:
        harness = Harness(sim, session=session)
        endpoints = Endpoints(f"http://{host}", f"http://{host}/app/getAppAccessToken")
        async with harness.bot.serve(credentials=sim.credentials, endpoints=endpoints):
            await until_warned(caplog, "the platform does not answer")
            names.broken = False
            await asyncio.wait_for(harness.bot.ready(), 15)
            names.broken = True
            sim.faults.close(4009)
            await until_warned(caplog, "cannot be reached")
            names.broken = False
            await harness.hears("after")
            assert (len(sim.identifies), len(sim.resumes)) == (1, 1)


# The platform's other parts


@pytest.mark.parametrize("route", ["POST /app/getAppAccessToken", "GET /gateway/bot"])
async def test_an_endpoint_is_down_at_start(sim: Simulator, route: str, caplog: pytest.LogCaptureFixture) -> None:
    sim.faults.http(route, 503, times=4)
    harness = Harness(sim)
    async with asyncio.timeout(25), sim.run(harness.bot):
        await harness.hears("after")
    assert any("trying again until it" in record.getMessage() for record in caplog.records)


async def test_the_token_endpoint_is_down_later(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    harness = Harness(sim)
    async with sim.run(harness.bot):
        sim.faults.http("POST /app/getAppAccessToken", 503, times=0)
        sim.faults.close(4009)
        await sim.resumed()
        await harness.hears("the old token is still good")
        sim.faults.close(4004)
        await until_warned(caplog, "no access token could be fetched")
        sim.faults.clear()
        await asyncio.wait_for(sim.identified(), 15)
        await harness.hears("after")


async def test_gateway_bot_is_not_needed_to_resume(sim: Simulator) -> None:
    harness = Harness(sim)
    async with sim.run(harness.bot):
        sim.faults.http("GET /gateway/bot", 503, times=0)
        for _ in range(2):
            sim.faults.close(4009)
            await asyncio.wait_for(sim.resumed(), 15)
        await harness.hears("after")


# The machine


JUMPER = """
import time
offset, wall, gettime = 0.0, time.time, time.clock_gettime
time.time = lambda: wall() + offset
time.clock_gettime = lambda clock: gettime(clock) + (offset if clock == time.CLOCK_REALTIME else 0.0)

from qqbot import Bot, C2CMessageCreate, Context, GatewayConfig
bot = Bot(gateway=GatewayConfig(renew_after=3600, renew_silence=0.5))

@bot.on
async def jump(ctx: Context[C2CMessageCreate]) -> None:
    global offset
    offset = float(ctx.text)
    print("jumped", ctx.text, flush=True)

bot.run()
"""


@pytest.mark.skipif(not hasattr(time, "clock_gettime"), reason="the clock cannot be set aside here")
async def test_a_jump_of_the_wall_clock_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "jumper.py"
    file.write_text(JUMPER)
    async with Simulator(heartbeat_interval=1.0) as sim, python(file, env=environment(sim)) as program:
        await sim.ready()
        [connection] = sim.connections
        connection._allowed_silence = 3600.0  # it is the bot that is tried
        for jump in ("86400", "-86400"):
            sim.push_message("c2c", text=jump)
            await program.line("out", f"jumped {jump}")
            beats = len([frame for frame in sim.frames if frame["op"] == 1])
            async with asyncio.timeout(15):
                while len([frame for frame in sim.frames if frame["op"] == 1]) < beats + 2:
                    await asyncio.sleep(0.05)
        assert len(sim.connections) == 1, "a healthy shard was cut"
        code, _, err = await program.stopped()
    assert code == 0
    assert not [line for line in err.splitlines() if "WARNING qqbot.gateway" in line]


SLEEPER = """
from qqbot import Bot, C2CMessageCreate, Context
bot = Bot()

@bot.on
async def note(ctx: Context[C2CMessageCreate]) -> None:
    print("heard", ctx.text, flush=True)

bot.run()
"""


async def test_a_machine_that_slept_resumes_at_the_next_tick(tmp_path: Path) -> None:
    file = tmp_path / "sleeper.py"
    file.write_text(SLEEPER)
    async with Simulator(heartbeat_interval=0.5) as sim, python(file, env=environment(sim)) as program:
        await sim.ready()
        [connection] = sim.connections
        connection._allowed_silence = 3600.0  # the other end has not noticed yet, as after a short sleep
        sim.push_message("c2c", text="before")
        await program.line("out", "heard before")
        program.signal(signal.SIGSTOP)
        await asyncio.sleep(6.5)  # longer than the five seconds that a busy machine may be late
        sim.push_message("c2c", text="meanwhile")
        program.signal(signal.SIGCONT)
        woken = time.monotonic()
        await asyncio.wait_for(sim.resumed(), 15)
        assert sim.resumes[0]["time"] - woken < 3, "it was not the next tick that noticed"
        await program.line("out", "heard meanwhile")
        assert (len(sim.identifies), len(sim.resumes)) == (1, 1)
        code, out, err = await program.stopped()
    assert code == 0 and out.count("heard meanwhile") == 1
    assert "stood still for longer than a heartbeat" in err
