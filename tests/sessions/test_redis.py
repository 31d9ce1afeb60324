"""`RedisSessionManager`: nodes share, hand over and take over shards, whatever happens to the store."""

import asyncio
from contextlib import AsyncExitStack

from qqbot.clock import steady
from tests.sessions.cluster import FAST, PATIENCE, Member, Platform, Shards, joined, until
from tests.sessions.servers import Server

ALL = [0, 1, 2, 3, 4, 5]


def shared(*members: Member) -> list[int]:
    return sorted(index for member in members for index in member.indices)


async def test_one_node_runs_everything(store: Server) -> None:
    platform = Platform()
    async with joined(store.url, platform) as a:
        await until(lambda: a.indices == ALL)
        view = await a.manager.snapshot()
        assert [shard.shard.index for shard in view.shards] == ALL and view.count == 6
        assert [(node.role, node.shards) for node in view.nodes] == [("active", 6)]
        assert view.remaining == 1000 - 6, view
    assert platform.calls == 1


async def test_a_second_node_gets_its_half_and_gives_it_back(store: Server) -> None:
    platform = Platform()
    async with joined(store.url, platform) as a:
        await until(lambda: a.indices == ALL)
        async with joined(store.url, platform) as b:
            await until(lambda: len(b.indices) == 3 and shared(a, b) == ALL)
            moved = b.shards.began_with
            assert len(moved) == 3 and all(state is not None for _, state in moved)
        await until(lambda: a.indices == ALL)
        assert len(a.shards.identified) == 6 and not b.shards.identified


async def test_a_node_that_vanishes_is_missed(store: Server) -> None:
    platform = Platform()
    async with joined(store.url, platform) as a, joined(store.url, platform) as b:
        await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)
        await b.vanish()
        await until(lambda: a.indices == ALL)
        assert len(a.shards.identified) + len(b.shards.identified) == 6


async def test_the_store_comes_back_empty_and_nobody_notices(store: Server) -> None:
    platform = Platform()
    async with joined(store.url, platform) as a, joined(store.url, platform) as b:
        await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)
        before = (await a.manager.snapshot()).incarnation
        begun = len(a.shards.began_with + b.shards.began_with)
        await store.restart(empty=True)
        await asyncio.sleep(2 * FAST.observe)
        view = await a.manager.snapshot()
        assert view.incarnation > before and len(view.shards) == 6
        assert all(shard.state is not None for shard in view.shards)
        assert len(a.shards.began_with + b.shards.began_with) == begun


async def test_the_store_is_away_for_longer_than_a_lease(store: Server) -> None:
    async with joined(store.url, Platform()) as a:
        await until(lambda: a.indices == ALL)
        store.kill()
        await until(lambda: not a.indices and not a.shards.running)
        await store.start()
        back = steady()
        await until(lambda: a.indices == ALL)
        assert steady() - back > FAST.own, "an owner that this store never knew could still have been at work"
        assert len(a.shards.identified) == 6
        assert all(state is not None for _, state in a.shards.began_with[6:])


async def test_the_store_freezes_and_nothing_is_said_twice(store: Server) -> None:
    async with joined(store.url, Platform()) as a:
        await until(lambda: a.indices == ALL)
        store.freeze()
        await asyncio.sleep(FAST.own / 2)
        store.thaw()
        await asyncio.sleep(FAST.own)
        assert a.indices == ALL and len(a.shards.began_with) == 6


async def test_an_owner_dies_together_with_the_data(store: Server) -> None:
    platform = Platform()
    async with joined(store.url, platform) as a, joined(store.url, platform) as b:
        await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)
        await asyncio.sleep(2 * FAST.renew)
        await b.vanish()
        await store.restart(empty=True)
        await until(lambda: a.indices == ALL)
        assert all(state is not None for _, state in a.shards.began_with[6:])


async def test_stopping_while_the_store_is_away(store: Server) -> None:
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(joined(store.url, Platform()))
        await until(lambda: a.indices == ALL)
        store.kill()
        async with asyncio.timeout(FAST.stop):
            await stack.aclose()


async def test_starting_before_the_store_is_there(store: Server) -> None:
    store.kill()
    shards = Shards()
    async with joined(store.url, Platform(), shards) as a:
        await asyncio.sleep(3 * FAST.renew)
        assert not a.task.done()
        await store.start()
        await until(lambda: a.indices == ALL, PATIENCE)
