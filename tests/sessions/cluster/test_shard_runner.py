"""`ShardRunner`: its tasks, without a store."""

import asyncio
from typing import Any

import pytest

from qqbot.aio.clock import steady
from qqbot.lease import Lease
from qqbot.models.gateway import ResumeState, ShardExit, ShardKey
from qqbot.sessions.base import GatewaySource, ManagerEvent
from qqbot.sessions.cluster.session_limit import SessionStartLimiter
from qqbot.sessions.cluster.shard_runner import ShardRunner
from qqbot.sessions.cluster.wake_up import WakeUp
from tests.sessions.cluster.members import FAST, Platform, until

KEY = ShardKey(1, 0, 6)


def runner(start: Any, events: list[ManagerEvent]) -> ShardRunner:
    async def too_few() -> None:
        pass

    def fail(error: Exception) -> None:
        raise error

    gateway: GatewaySource = Platform()
    store: Any = None  # nothing asks it: no shard of these tests identifies
    wake_up = WakeUp()
    session_limit = SessionStartLimiter(store, FAST, gateway, changed=wake_up.at_once)
    made = ShardRunner(FAST, session_limit, start, wake_up, emit=events.append, fail=fail, too_few=too_few)
    made.renewed_at = steady()
    return made


@pytest.mark.parametrize("eager", [False, True])
async def test_a_shard_that_gives_itself_up_at_once_is_closed(eager: bool) -> None:
    if eager:
        factory = getattr(asyncio, "eager_task_factory", None)
        if factory is None:
            pytest.skip("Python 3.12 or later has eager tasks")
        asyncio.get_running_loop().set_task_factory(factory)

    async def start(lease: Lease, *_: object) -> ShardExit:
        lease.fenced(lease.token + 1)
        await asyncio.Event().wait()
        raise AssertionError

    events: list[ManagerEvent] = []
    shards = runner(start, events)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        owned = shards.own(KEY, 7, ResumeState(session_id="s", seq=1), 1)
        shards.run(owned, group, Platform().answer, standby=False)
        await until(lambda: owned.task is None)
    assert owned.closing and shards.least_token == 8 and not shards.tasks
    assert [(event.kind, event.cause) for event in events] == [("claimed", None), ("lost", "fenced")]


async def test_a_lost_shard_is_known_until_its_task_has_ended() -> None:
    goes_on = asyncio.Event()

    async def start(*_: object) -> ShardExit:
        try:
            await asyncio.Event().wait()
        finally:
            await goes_on.wait()
        raise AssertionError

    shards = runner(start, [])
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        owned = shards.own(KEY, 7, None, 1)
        shards.run(owned, group, Platform().answer, standby=False)
        await asyncio.sleep(0.01)
        shards.lose(owned)
        await asyncio.sleep(0.01)
        assert not shards.owned and list(shards.ending) == [owned.shard_id] and shards.tasks
        goes_on.set()
    assert not shards.ending and not shards.tasks


async def test_an_expired_lease_ends_its_task_and_the_shard_stays_ours() -> None:
    reasons: list[str] = []

    async def start(lease: Lease, *_: object) -> ShardExit:
        reasons.append(await lease.wait_lost())
        return ShardExit("lost")

    events: list[ManagerEvent] = []
    shards = runner(start, events)
    shards.renewed_at = steady() - FAST.own + 0.05
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        watch = group.create_task(shards.watch.run())
        owned = shards.own(KEY, 7, None, 1)
        shards.run(owned, group, Platform().answer, standby=False)
        await until(lambda: owned.task is None)
        watch.cancel()
    assert list(shards.owned) == [owned.shard_id] and not owned.closing and not owned.live
    assert events[-1].cause == "expired"
