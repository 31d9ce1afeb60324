"""The servers that other tests start: they start, die, come back, fail over."""

import asyncio

import pytest
from redis.asyncio.cluster import RedisCluster

from tests.redis.servers import ENGINES, Engine, Server, as_cluster, started, until, with_sentinels


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_a_server_keeps_what_its_options_say(engine: Engine) -> None:
    async with started(engine, "--appendonly", "yes", "--appendfsync", "always") as server:
        async with server.client() as client:
            await client.set("a", 1)
        await server.restart()
        async with server.client() as client:
            assert await client.get("a") == b"1"
        await server.restart(empty=True)
        async with server.client() as client:
            assert await client.get("a") is None
        process = server.process
    assert process is not None and process.poll() is not None and not server.folder.exists()


async def test_a_frozen_server_holds_its_answers_back(store: Server) -> None:
    async with store.client() as client:
        await client.ping()
        store.freeze()
        answer = asyncio.create_task(client.ping())
        done, _ = await asyncio.wait([answer], timeout=0.2)
        assert not done
        store.thaw()
        assert await answer


async def test_sentinels_promote_a_replica(engine: Engine) -> None:
    async with with_sentinels(engine, down_after=0.5) as watched:
        first = await watched.master()
        first.kill()

        async def promoted() -> bool:
            return await watched.master() is not first

        await until(promoted)


async def test_a_cluster_survives_a_master(engine: Engine) -> None:
    async with as_cluster(engine, replicas=1, node_timeout=1.0) as servers:
        client = RedisCluster(host="127.0.0.1", port=servers[1].port)
        try:
            await client.set("{a}x", 1)
            servers[0].kill()

            async def whole() -> bool:
                return all([await client.set(key, 1) for key in ("{a}x", "{b}x", "{c}x", "{foo}x")])

            await until(whole)
        finally:
            await client.aclose()
