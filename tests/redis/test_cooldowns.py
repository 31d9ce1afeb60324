"""`RedisCooldowns`, against real servers."""

import asyncio

import pytest

from qqbot.bot.cooldowns import Cooldowns
from qqbot.redis import circuit_breaker
from qqbot.redis.cooldowns import RedisCooldowns
from tests.redis.servers import ENGINES, Engine, Server, started

APP_ID, CLUSTER = "102000001", "main"


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_processes_count_together(engine: Engine) -> None:
    async with started(engine) as server, server.client() as one, server.client(decode_responses=True) as two:
        here = RedisCooldowns(one, app_id=APP_ID, cluster=CLUSTER)
        there = RedisCooldowns(two, app_id=APP_ID, cluster=CLUSTER)
        assert await here.use("sign:U", 2, 0.5, 0) == 0
        assert await there.use("sign:U", 2, 0.5, 0) == 0
        left = await here.use("sign:U", 2, 0.5, 0)
        assert left is not None
        assert 0 < left <= 0.5
        assert await here.use("sign:V", 2, 0.5, 0) == 0
        await asyncio.sleep(left + 0.2)
        assert await there.use("sign:U", 2, 0.5, 0) == 0
        assert await one.exists(f"qqbot:{{{APP_ID}:{CLUSTER}}}:c:sign:V") == 0  # it has expired


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_what_another_program_has_left_there_is_replaced(engine: Engine) -> None:
    async with started(engine) as server, server.client() as client:
        cooldowns = RedisCooldowns(client, app_id=APP_ID, cluster=CLUSTER)
        key = f"qqbot:{{{APP_ID}:{CLUSTER}}}:c:k"
        await client.set(key, "text")
        assert await cooldowns.use("k", 1, 60.0, 0) == 0
        await client.delete(key)
        await client.rpush(key, "no number", "9" * 5000)
        assert await cooldowns.use("k", 2, 60.0, 0) is not None


async def test_a_process_counts_by_itself_while_the_store_is_down(
    store: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "PAUSE_SECONDS", 0.2)
    async with store.client() as client:
        cooldowns = Cooldowns()
        cooldowns.shared = RedisCooldowns(client, app_id=APP_ID, cluster=CLUSTER)
        assert await cooldowns.use("k", 1, 60.0, 0.0) == 0
        assert await cooldowns.use("k", 1, 60.0, 0.0) > 0
        store.kill()
        assert await cooldowns.use("k", 1, 60.0, 0.0) == 0
        assert await cooldowns.use("k", 1, 60.0, 0.0) > 0
