"""Measure what the scripts cost the server, at 1 000 shards on 50 nodes."""

import statistics
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from qqbot.models.gateway import ResumeState
from qqbot.sessions import Timings
from qqbot.sessions.cluster.redis_store import RedisStore
from qqbot.sessions.cluster.state import ClusterState, NodeInfo, write
from qqbot.sessions.cluster.store import Grant, OwnershipReport
from tests.redis.servers import Engine, started

SHARDS, NODES, ROUNDS = 1000, 50, 51
STATE = ResumeState(
    session_id="0123456789abcdef0123456789abcdef",
    seq=123_456,
    done=((123_460, 123_462), (123_465, 123_470)),
    received=123_480,
    intents=1 << 30,
    me="12345678901234567890",
    name="a bot with a name",
    since=1_795_700_000.0,
    last_event=1_795_703_600.0,
    heartbeat=0.0312,
)


async def measure(engine: Engine) -> dict[str, float]:
    """Return the median of each script, in milliseconds of the server's own count."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(started(engine))
        client = await stack.enter_async_context(server.client())
        stores, grants = await fill(server.url, stack)
        owned = [OwnershipReport(grant.shard_id, grant.token, write(STATE)) for grant in grants[-1]]
        store, report = stores[-1], owned[0]
        known = await store.look()
        info = NodeInfo("a-host-with-a-name", 12345, "0.1.0")

        async def sync() -> ClusterState:
            found = await store.sync("active", info, owned, known=known, target_active=0)
            return found.state

        async def release() -> None:
            assert await store.release(report)

        async def claim() -> None:
            nonlocal report
            granted = await store.claim(await store.look(), [report.shard_id])
            assert granted
            report = OwnershipReport(report.shard_id, granted[0].token, write(STATE))
            owned[0] = report

        async def permit() -> None:
            await store.permit(report.shard_id, report.token, 1)

        async def evict() -> None:
            state = await store.look()
            leaving = next(iter(state.nodes.values()))
            assert await store.evict(state, leaving.id, leaving.stamp)

        calls: list[tuple[str, Callable[[], Awaitable[Any]], int]] = [
            ("sync", sync, ROUNDS),
            ("permit", permit, ROUNDS),
            ("release", release, 1),
            ("claim", claim, 1),
            ("evict", evict, 10),
        ]
        costs: dict[str, float] = {}
        for name, call, rounds in calls:
            samples = [await cost(client, call) for _ in range(rounds)]
            if name == "claim":  # it needs a release before each
                for _ in range(ROUNDS):
                    await release()
                    samples.append(await cost(client, call))
            costs[name] = statistics.median(samples)
        return costs


async def fill(url: str, stack: AsyncExitStack) -> tuple[list[RedisStore], list[list[Grant]]]:
    """Let each node own its part of the shards, with a state for each."""
    stores, grants = [], []
    for number in range(NODES):
        store = RedisStore(
            url, app_id="102000001", cluster="production", node=f"host-{number:03}-abcdef12", timings=Timings()
        )
        stores.append(await stack.enter_async_context(store))
        if not number:
            await store.admin("plan", SHARDS)
        info = NodeInfo("a-host-with-a-name", 12345, "0.1.0")
        state = (await store.sync("active", info, [], known=ClusterState(), target_active=0)).state
        part = SHARDS // NODES
        granted = await store.claim(state, [(1, index) for index in range(number * part, (number + 1) * part)])
        assert granted is not None and len(granted) == part
        grants.append(granted)
        reports = [OwnershipReport(grant.shard_id, grant.token, write(STATE)) for grant in granted]
        await store.sync("active", info, reports, known=state, target_active=0)
    return stores, grants


async def cost(client: Any, call: Callable[[], Awaitable[Any]]) -> float:
    """Return for how many milliseconds the server ran scripts during a call."""
    await client.config_resetstat()
    await call()
    stats = await client.info("commandstats")
    return sum(float(stats[name]["usec"]) for name in ("cmdstat_evalsha", "cmdstat_eval") if name in stats) / 1000
