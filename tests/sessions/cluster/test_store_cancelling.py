"""What is cancelled while it waits for a store ends, and leaves nothing behind, neither here nor in the store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from qqbot import Credentials, RedisLock
from qqbot.redis.sharing import sharing
from qqbot.sessions import RedisSessionManager
from tests.cancelling import Attempt, cancel_at_each_turn, cancel_everywhere
from tests.redis.servers import Engine, Server, started
from tests.sessions.cluster.members import FAST, Platform, Shards


async def test_a_lock_is_free_at_once(store: Server) -> None:
    async def attempt() -> None:
        async with RedisLock(store.url, "work"):
            await asyncio.sleep(0)

    async def is_free() -> None:
        assert await client.exists("work") == 0

    async with store.client() as client:
        await cancel_everywhere(attempt, is_free)


async def test_the_right_to_fetch_a_token_is_free_at_once(store: Server) -> None:
    async def attempt() -> None:
        async with sharing(store.url, Credentials("1", "s" * 32), cluster="c") as shared:
            assert shared.tokens is not None
            async with shared.tokens.refreshing() as ours:
                assert ours
                await asyncio.sleep(0)

    async def is_free() -> None:
        assert await client.keys("*:lock") == []

    async with store.client() as client:
        await cancel_everywhere(attempt, is_free)


def test_a_node_in_each_turn_of_its_loop(engine: Engine) -> None:
    @asynccontextmanager
    async def setting() -> AsyncIterator[Attempt]:
        async with started(engine) as store:

            async def attempt() -> None:
                manager, shards = RedisSessionManager(store.url, timings=FAST), Shards()
                run = asyncio.create_task(manager.run(Platform(2), shards))
                try:
                    while len(shards.indices) < 2:
                        await asyncio.sleep(0.01)
                finally:
                    await manager.stop(drain=0.1)
                    await asyncio.wait([run])
                    assert not shards.running

            yield attempt

    assert cancel_at_each_turn(setting, most=20) == 20  # it has joined by then
