"""Eager tasks (Python 3.12): a task may run its first step before its creator knows the task."""

import asyncio
import sys
from pathlib import Path

import pytest

from qqbot.config import ShardSelection
from qqbot.lease import Lease
from qqbot.models.gateway import GatewayBot, ResumeState, SessionStartLimit, ShardExit
from qqbot.redis import lock as redis_lock
from qqbot.redis.lock import RedisLock
from qqbot.sessions import LocalSessionManager
from qqbot.sessions.state_file import StateFile, States
from qqbot.testing.scripted import ScriptedPlatform, ScriptedShards, forever
from tests.redis.servers import Server

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="asyncio.eager_task_factory came with Python 3.12")

PATIENCE = 10.0
ANSWER = GatewayBot(url="ws://127.0.0.1/", shards=2, session_start_limit=SessionStartLimit(max_concurrency=2))


@pytest.fixture(autouse=True)
async def eager() -> None:
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]


async def test_stop_during_the_first_step_of_the_rounds_starts_no_shard() -> None:
    manager, shards = LocalSessionManager(), ScriptedShards()
    stops: list[asyncio.Task[None]] = []

    class Stops(ScriptedPlatform):
        async def fetch(self) -> GatewayBot:
            stops.append(asyncio.create_task(manager.stop()))
            return await super().fetch()

    async with asyncio.timeout(PATIENCE):
        await manager.run(Stops(ShardSelection(), ANSWER), shards)
        await asyncio.gather(*stops)
    assert stops and not shards.leases


async def test_stop_during_the_first_step_of_a_shard_cancels_each_shard_once() -> None:
    manager, ended = LocalSessionManager(window=0.1), list[int]()
    stops: list[asyncio.Task[None]] = []

    async def shard(lease: Lease, info: GatewayBot, state: ResumeState | None) -> ShardExit:
        if not stops:
            stops.append(asyncio.create_task(manager.stop()))
        try:
            return await forever(lease)
        finally:
            await asyncio.sleep(0.05)  # a second cancellation would interrupt this
            ended.append(lease.shard.index)

    async with asyncio.timeout(PATIENCE):
        await manager.run(ScriptedPlatform(ShardSelection(), ANSWER), shard)
        await asyncio.gather(*stops)
    assert sorted(ended) == [0, 1]


async def test_a_manager_with_a_file_runs_and_writes_it(tmp_path: Path) -> None:
    manager, shards = LocalSessionManager(state=tmp_path / "state.json", window=0.1), ScriptedShards(saves)
    platform = ScriptedPlatform(ShardSelection(), ANSWER)
    run = asyncio.create_task(manager.run(platform, shards))
    await shards.wait(lambda: shards.indices == [0, 1], PATIENCE)
    await manager.stop()
    await run
    async with States(StateFile(tmp_path / "state.json", platform.app_id)) as states:
        assert set(await states.begin(2)) == {0, 1}


async def saves(lease: Lease) -> ShardExit:
    await lease.save(ResumeState(session_id="s", seq=1))
    return await forever(lease)


@pytest.fixture
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_lock, "MARGIN", 1.0)  # the deadline has passed when the answer comes


@pytest.mark.usefixtures("no_time")
async def test_a_lock_that_is_lost_at_once_reports_it_and_ends_the_body(store: Server) -> None:
    from qqbot.errors import LockLost

    lock = RedisLock(store.url, "eager")
    with pytest.raises(LockLost):
        async with lock, asyncio.timeout(PATIENCE):
            await asyncio.Event().wait()
    assert await lock.acquire() and lock.lost.is_set()
    with pytest.raises(LockLost):
        await lock.release()


async def test_a_lock_is_held_and_released(store: Server) -> None:
    async with RedisLock(store.url, "eager") as lock:
        assert lock.valid()
    assert not lock.valid() and not lock.lost.is_set()
