"""`SessionStartLimiter`: permits for shards that are ours, and a store that others can still reach."""

import asyncio

import pytest

from qqbot.aio.clock import steady
from qqbot.errors import LeaseLost
from qqbot.models.gateway import ShardKey
from qqbot.sessions import LeaseDeadline, Timings
from qqbot.sessions.cluster.owned_shard import NodeLease, OwnedShard
from qqbot.sessions.cluster.redis_store import MOST_PERMIT_CALLS, RedisStore
from qqbot.sessions.cluster.session_limit import SessionStartLimiter
from tests.redis.servers import Server
from tests.sessions.cluster.members import FAST, Platform


def nothing(*_: str) -> None:
    pass


async def saved(_: OwnedShard) -> None:
    pass


def given_up(_: OwnedShard, __: int) -> None:
    raise AssertionError


async def test_a_shard_that_is_not_ours_gets_no_permit(store: Server) -> None:
    platform = Platform()
    async with RedisStore(store.url, app_id="1", cluster="c", node="a", timings=FAST) as records:
        session_limit = SessionStartLimiter(records, FAST, platform, changed=nothing)
        session_limit.info = platform.answer
        owned = OwnedShard(ShardKey(1, 0, 6), 7, None, 1)
        lease = NodeLease(owned, LeaseDeadline(60.0, steady()), session_limit, saved, given_up)
        async with asyncio.timeout(5):
            with pytest.raises(LeaseLost):
                await lease.identify_permit()


async def test_many_that_wait_for_a_permit_leave_connections_for_the_renewals(store: Server) -> None:
    async with (
        RedisStore(store.url, app_id="1", cluster="c", node="a", timings=Timings()) as records,
        store.client() as client,
    ):
        before = (await client.info("clients"))["connected_clients"]
        await asyncio.gather(*(records.permit((1, index), 1, 1) for index in range(200)))
        opened = (await client.info("clients"))["connected_clients"] - before
        assert 0 < opened <= MOST_PERMIT_CALLS
