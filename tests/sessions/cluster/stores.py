"""A cluster's records in each kind of store, with what the tests do to the server behind it.

The tests move the store's time by writing the moment that it compares with.
"""

import itertools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import msgspec
import pytest
from redis.asyncio import Redis

from qqbot.config import Secret
from qqbot.sessions.cluster.assignor import Role
from qqbot.sessions.cluster.etcd_store import EtcdStore
from qqbot.sessions.cluster.redis_store import RedisStore
from qqbot.sessions.cluster.state import ClusterState, NodeInfo, ShardId
from qqbot.sessions.cluster.store import Grant, OwnershipReport, Synced
from qqbot.sessions.cluster.timings import Timings
from tests.etcd.server import Etcd, shared_etcd
from tests.redis.servers import ENGINES, Engine, Server, started

__all__ = ["shared_etcd"]

TIMINGS = Timings().scaled(0.2)
A, B = (1, 0), (1, 1)
NAMES = itertools.count()


class Cluster(ABC):
    """The nodes of one cluster, each with a store of its own, and what the tests do to the server."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._stores: dict[str, RedisStore | EtcdStore] = {}
        self.known: dict[str, ClusterState] = {}

    @abstractmethod
    def _store(self, node: str, shared: str) -> RedisStore | EtcdStore: ...

    @abstractmethod
    async def meta(self, name: str, value: object) -> None:
        """Overwrite what the store keeps about the cluster."""

    @abstractmethod
    async def lose(self) -> None:
        """Delete all records."""

    @abstractmethod
    async def become_another(self) -> None:
        """Let the records be as if another server had written them."""

    @abstractmethod
    async def restart_empty(self) -> None: ...

    async def store(self, node: str, timings: Timings = TIMINGS) -> RedisStore | EtcdStore:
        """The node's store; it waits for an answer as long as ever, the machine may be busy."""
        if node not in self._stores:
            self._stores[node] = await self._stack.enter_async_context(self._store(node, timings.shared))
        return self._stores[node]

    async def sync(self, node: str, *reports: OwnershipReport, role: Role = "active", target: int = 0) -> Synced:
        store = await self.store(node)
        known = self.known.get(node, ClusterState())
        found = await store.sync(role, NodeInfo(), reports, known=known, target_active=target)
        self.known[node] = found.state
        return found

    async def states(self) -> dict[ShardId, str]:
        return await (await self.store("x")).states()

    async def claim(self, node: str, *shard_ids: ShardId, least: int = 0) -> list[Grant]:
        await self.sync(node)
        granted = await (await self.store(node)).claim(self.known[node], shard_ids, least)
        assert granted is not None
        return granted

    async def logged(self) -> list[str]:
        return [entry["kind"] for _, entry in await (await self.store("x")).history(100)]


class InRedis(Cluster):
    """In Redis or Valkey, in a server of its own."""

    def __init__(self, server: Server, raw: Redis, stack: AsyncExitStack) -> None:
        super().__init__(stack)
        self._server, self.raw = server, raw

    def _store(self, node: str, shared: str) -> RedisStore:
        return RedisStore(self._server.url, app_id="1", cluster="c", node=node, timings=Timings(), shared=shared)

    async def meta(self, name: str, value: object) -> None:
        await self.raw.hset("qqbot:{1:c}:coord", f"m:{name}", str(value))

    async def lose(self) -> None:
        await self.raw.flushall()

    async def become_another(self) -> None:
        await self.meta("rid", "another")

    async def restart_empty(self) -> None:
        await self._server.restart(empty=True)


class InEtcd(Cluster):
    """In an etcd that other tests use as well."""

    _LIMIT = ("asked", "gateway", "gateway_at", "budget", "budget_reset", "reset_after", "pace")

    def __init__(self, server: Etcd, http: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        super().__init__(stack)
        self._server, self._http, self._name = server, http, f"c{next(NAMES)}"

    def _store(self, node: str, shared: str) -> EtcdStore:
        store = EtcdStore(
            Secret(self._server.url), app_id="1", cluster=self._name, node=node, timings=TIMINGS, shared=shared
        )
        store._timings = Timings()
        return store

    async def store(self, node: str, timings: Timings = TIMINGS) -> RedisStore | EtcdStore:
        known = node in self._stores
        store = await super().store(node, timings)
        if not known and isinstance(store, EtcdStore):
            await store.look()
            pace = store._pace
            pace._seen = deque((moment - pace.spacing, count) for moment, count in pace._seen)  # seen for long enough
        return store

    async def _call(self, path: str, **body: object) -> Any:
        url = f"http://{self._server.address(0)}/v3/kv/{path}"
        async with self._http.post(url, data=msgspec.json.encode(body)) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def meta(self, name: str, value: object) -> None:
        key = f"qqbot/1/{self._name}/{'limit' if name in self._LIMIT else 'coord'}".encode()
        (kv,) = (await self._call("range", key=key))["kvs"]
        fields = msgspec.json.decode(msgspec.convert(kv["value"], bytes))
        await self._call("put", key=key, value=msgspec.json.encode(fields | {f"m:{name}": str(value)}))

    async def lose(self) -> None:
        await self._call(
            "deleterange", key=f"qqbot/1/{self._name}/".encode(), range_end=f"qqbot/1/{self._name}0".encode()
        )

    async def become_another(self) -> None:
        await self.meta("cluster", "another")

    async def restart_empty(self) -> None:
        await self._server.restart(empty=True)


def _parameter(engine: Any) -> Any:
    return pytest.param(*engine.values, id=engine.id, marks=engine.marks)


@pytest.fixture(params=[*map(_parameter, ENGINES), pytest.param("etcd", id="etcd")])
def place(request: pytest.FixtureRequest) -> Engine | Etcd:
    """The server program, or an etcd that runs."""
    found = request.param if isinstance(request.param, Engine) else request.getfixturevalue("shared_etcd")
    assert isinstance(found, Engine | Etcd)
    return found


@pytest.fixture
async def cluster(place: Engine | Etcd) -> AsyncIterator[Cluster]:
    """A cluster that is to have two shards."""
    async with AsyncExitStack() as stack:
        yield await (in_redis(place, stack) if isinstance(place, Engine) else _in_etcd(place, stack))


async def in_redis(engine: Engine, stack: AsyncExitStack) -> InRedis:
    """Return a cluster of two shards in a server of its own."""
    server = await stack.enter_async_context(started(engine))
    raw = await stack.enter_async_context(server.client(decode_responses=True))
    cluster = InRedis(server, raw, stack)
    assert await (await cluster.store("x")).admin("plan", 2)
    await cluster.meta("floor", 0)  # a new cluster holds identifies back for one window
    return cluster


async def _in_etcd(server: Etcd, stack: AsyncExitStack) -> InEtcd:
    http = await stack.enter_async_context(aiohttp.ClientSession())
    cluster = InEtcd(server, http, stack)
    assert await (await cluster.store("x")).admin("plan", 2)
    return cluster
