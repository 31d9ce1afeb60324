"""`qqbot shards`, against a cluster of this process."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from qqbot.errors import GatewayHalted
from tests.cli.program import run
from tests.etcd.server import Etcd, etcd
from tests.redis.servers import Server, default_engine, started
from tests.sessions.cluster.members import FAST, Platform, joined, until


@pytest.fixture(params=["redis", "etcd"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Server | Etcd]:
    """One empty server."""
    async with started(default_engine()) if request.param == "redis" else etcd() as server:
        yield server


async def shards(store: Server | Etcd, *arguments: str, code: int = 0) -> str:
    """Run the command and return what it printed."""
    variable = "QQBOT_REDIS_URL" if isinstance(store, Server) else "QQBOT_ETCD_URL"
    environment = {variable: store.url, "QQBOT_APP_ID": "1", "QQBOT_CLUSTER": "c"}
    ended = await run("shards", *arguments, env=environment)
    assert ended.code == code, ended.err
    return ended.out if code == 0 else ended.err


async def test_what_it_shows(store: Server | Etcd) -> None:
    async with joined(store.url, Platform(), cluster="c", name="one") as a:
        await until(lambda: len(a.indices) == 6)
        table = (await shards(store)).splitlines()
        assert table[0].split()[:3] == ["SHARD", "NODE", "TOKEN"] and table[1].startswith("0/6")
        assert "6 shards, 0 free" in table[-1]
        document = json.loads(await shards(store, "ls", "--json"))
        assert [shard["shard"] for shard in document["shards"]] == [f"{index}/6" for index in range(6)]
        assert all(shard["session"] and shard["seq"] and shard["moves"] == 0 for shard in document["shards"])
        nodes = json.loads(await shards(store, "nodes", "--json"))["nodes"]
        assert [(node["node"].startswith("one-"), node["shards"]) for node in nodes] == [(True, 6)]
        assert "claim" in await shards(store, "log")


async def test_drain(store: Server | Etcd) -> None:
    async with (
        joined(store.url, Platform(), cluster="c", name="one") as a,
        joined(store.url, Platform(), cluster="c", name="two") as b,
    ):
        await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)
        assert "runs no shard any more" in await shards(store, "drain", "one")
        await until(lambda: len(b.indices) == 6 and not a.shards.running)
        await asyncio.sleep(FAST.renew * 2)
        assert not a.shards.running and not a.task.done()
        assert "the members: " in await shards(store, "drain", "three", code=3)


async def test_halt_and_unhalt(store: Server | Etcd) -> None:
    async with joined(store.url, Platform(), cluster="c") as a:
        await until(lambda: len(a.indices) == 6)
        await shards(store, "halt", "a leak")
        with pytest.raises(GatewayHalted, match="a leak"):
            await asyncio.wait_for(a.task, 10)
        assert "HALTED" in await shards(store)
    async with joined(store.url, Platform(), cluster="c") as b:
        with pytest.raises(GatewayHalted, match="unhalt"):
            await asyncio.wait_for(b.task, 10)
    assert "may connect again" in await shards(store, "unhalt")
    async with joined(store.url, Platform(), cluster="c") as c:
        await until(lambda: len(c.indices) == 6)
        assert not c.shards.identified  # the sessions were kept


async def test_roll(store: Server | Etcd) -> None:
    async with joined(store.url, Platform(), cluster="c") as a:
        await until(lambda: len(a.indices) == 6)
        assert "other than 6" in await shards(store, "roll", "6", code=3)
        assert "from 6 to 8" in await shards(store, "roll", "8")
        await until(lambda: sum(key.count == 8 for key in a.shards.live) == 8)
        await until(lambda: {key.count for key in a.shards.running} == {8})
        assert "from 8 to 4 shards, the old ones first" in await shards(store, "roll", "4", "--restart")
        await until(lambda: [key.count for key in a.shards.live] == [4] * 4)
        assert "nothing was given up" in await shards(store, "roll", "abort")


async def test_without_a_cluster(store: Server | Etcd) -> None:
    assert "0 shards" in await shards(store)
    store.kill()
    assert "does not answer" in await shards(store, code=1)
