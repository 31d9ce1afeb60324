"""`EtcdSessionManager`: nodes share, hand over and take over shards, whatever happens to etcd."""

import asyncio
import itertools
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from qqbot import Bot, ConfigError, Credentials, GatewayHalted
from qqbot.sessions import EtcdSessionManager, SessionManager, Timings
from qqbot.testing import SessionManagerContract, Simulator
from tests.etcd.server import Etcd, etcd, shared_etcd
from tests.sessions.cluster.members import FAST, Member, Platform, Shards, joined, until

__all__ = ["shared_etcd"]

STEADY = Timings().scaled(0.3)
"""Leases that outlast a restart and an election."""

ALL = [0, 1, 2, 3, 4, 5]
NAMES = itertools.count()


@pytest.fixture
def name() -> str:
    """A cluster that no other test uses."""
    return f"m{next(NAMES)}"


def shared(*members: Member) -> list[int]:
    return sorted(index for member in members for index in member.indices)


@asynccontextmanager
async def pair(servers: Etcd, name: str) -> AsyncIterator[tuple[Member, Member]]:
    """Two nodes with three shards each."""
    platform, url = Platform(), servers.url
    join = partial(joined, url, platform, cluster=name, timings=STEADY)
    async with join() as a, join() as b:
        await until(lambda: len(a.indices) == len(b.indices) == 3 and shared(a, b) == ALL)
        yield a, b


async def test_nodes_share_hand_over_and_take_over(shared_etcd: Etcd, name: str) -> None:
    url, platform = shared_etcd.url, Platform()
    async with joined(url, platform, cluster=name) as a:
        await until(lambda: a.indices == ALL)
        async with joined(url, platform, cluster=name) as b:
            await until(lambda: len(a.indices) == len(b.indices) == 3 and shared(a, b) == ALL)
            assert all(state is not None for _, state in b.shards.began_with)  # resumed
            await a.vanish()
            await until(lambda: b.indices == ALL)
            view = await b.manager.snapshot()
            assert view.count == 6 and [node.shards for node in view.nodes] == [6] and view.remaining == 1000 - 6
    assert len(a.shards.identified) == 6 and not b.shards.identified and platform.calls == 1


async def test_etcd_that_restarts_with_its_data_costs_nothing(name: str) -> None:
    async with etcd() as servers, pair(servers, name) as (a, b):
        before = (await a.manager.snapshot()).incarnation
        begun = len(a.shards.began_with + b.shards.began_with)
        await servers.restart()
        await asyncio.sleep(STEADY.own + STEADY.renew)
        assert shared(a, b) == ALL and (await a.manager.snapshot()).incarnation == before
        assert len(a.shards.began_with + b.shards.began_with) == begun


async def test_etcd_that_comes_back_empty_is_filled_again(name: str) -> None:
    async with etcd() as servers, pair(servers, name) as (a, b):
        before = await a.manager.snapshot()
        begun = len(a.shards.began_with + b.shards.began_with)
        await servers.restart(empty=True)
        await asyncio.sleep(STEADY.own + STEADY.renew)
        after = await a.manager.snapshot()
        assert shared(a, b) == ALL and after.incarnation > before.incarnation
        tokens = {shard.shard: shard.token for shard in before.shards}
        assert {shard.shard: shard.token for shard in after.shards} == tokens
        assert len(a.shards.began_with + b.shards.began_with) == begun
        lost = a.indices
        await a.vanish()
        await until(lambda: b.indices == ALL)
        for shard in (await b.manager.snapshot()).shards:
            assert shard.token > max(tokens.values()) or shard.shard.index not in lost
        assert len(a.shards.identified) + len(b.shards.identified) == 6


async def test_one_of_three_members_may_be_lost(name: str) -> None:
    async with etcd(3) as servers, pair(servers, name) as (a, b):
        begun = len(a.shards.began_with + b.shards.began_with)
        for i in range(3):
            servers.kill(i)
            await asyncio.sleep(STEADY.own + STEADY.renew)
            assert shared(a, b) == ALL
            await servers.restart(i)
        assert len(a.shards.began_with + b.shards.began_with) == begun


async def test_a_member_that_stands_still_is_left_aside(name: str) -> None:
    async with etcd(3) as servers, joined(servers.url, Platform(), cluster=name, timings=STEADY) as a:
        await until(lambda: a.indices == ALL)
        for i in range(2):
            servers.pause(i)
            await asyncio.sleep(STEADY.own + STEADY.renew)
            assert a.indices == ALL
            servers.resume(i)
            await asyncio.sleep(STEADY.renew)
    assert len(a.shards.began_with) == 6


async def test_owners_stop_while_etcd_is_away(name: str) -> None:
    async with etcd() as servers, joined(servers.url, Platform(), cluster=name) as a:
        await until(lambda: a.indices == ALL)
        servers.pause()
        await until(lambda: a.indices == [])
        servers.resume()
        await until(lambda: a.indices == ALL)
    assert len(a.shards.identified) == 6


async def test_what_the_platform_ends_ends_every_node(shared_etcd: Etcd, name: str) -> None:
    shards = Shards()
    shards.errors = dict.fromkeys(ALL, GatewayHalted(4914, "taken down"))
    url = shared_etcd.url
    async with joined(url, Platform(), shards, cluster=name) as a, joined(url, Platform(), cluster=name) as b:
        await until(lambda: a.task.done() and b.task.done())
        for member in (a, b):
            with pytest.raises(GatewayHalted, match="taken down"):
                member.task.result()


async def test_an_etcd_that_is_not_there_is_waited_for(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async with etcd() as servers:
        servers.kill()
        async with joined(servers.url, Platform(), cluster=name) as a:
            await asyncio.sleep(FAST.renew * 2)
            warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
            assert len(warnings) == 1 and "does not answer" in warnings[0].getMessage()
            await servers.restart()
            await until(lambda: a.indices == ALL)


async def test_it_says_what_it_does_not_share(shared_etcd: Etcd, name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with joined(shared_etcd.url, Platform(), cluster=name) as a:
        await until(lambda: a.indices == ALL)
    assert caplog.text.count("etcd shares the shards and nothing else") == 1
    assert not hasattr(a.manager, "sharing")


async def test_the_environment_names_it(shared_etcd: Etcd, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QQBOT_ETCD_URL", shared_etcd.url)
    monkeypatch.setenv("QQBOT_CLUSTER", name)
    async with Simulator() as sim:
        reader = EtcdSessionManager(shared_etcd.url, cluster=name).store(sim.app_id)
        async with reader, Bot(shards=2).serve(credentials=sim.credentials, endpoints=sim.endpoints):
            async with asyncio.timeout(20):
                while not (await reader.look()).nodes:
                    await asyncio.sleep(0.05)


def test_it_needs_no_redis() -> None:
    code = (
        "import sys; from qqbot import Bot; from qqbot.sessions import EtcdSessionManager;"
        "Bot(sessions=EtcdSessionManager('etcd://localhost')); EtcdSessionManager('etcd://localhost').store('1');"
        "assert 'redis' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_two_stores_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QQBOT_ETCD_URL", "etcd://localhost")
    monkeypatch.setenv("QQBOT_REDIS_URL", "redis://localhost")
    with pytest.raises(ConfigError, match="unset one of them"):
        async with Bot().serve(credentials=Credentials("1", "s")):
            pass


class TestContract(SessionManagerContract):
    """What every session manager has to do."""

    window = FAST.window
    keeps_state = True
    shares = True
    stop_within = FAST.stop

    @pytest.fixture(autouse=True)
    def its_shards_are_never_ready(self, shared_etcd: Etcd, monkeypatch: pytest.MonkeyPatch) -> None:
        """They identify and save nothing: do not wait long for that, or for the platform."""
        self.url = shared_etcd.url
        monkeypatch.setattr("qqbot.sessions.cluster.session_limit.READY_SECONDS", 0.5)
        monkeypatch.setattr("qqbot.sessions.cluster.session_limit.ASK_LIFE", 1.0)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Callable[[], SessionManager]]:
        name = f"contract{next(NAMES)}"
        yield lambda: EtcdSessionManager(self.url, cluster=name, timings=FAST)
