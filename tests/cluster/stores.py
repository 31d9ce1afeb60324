"""The stores that the rows run on: what a row does to a store's servers, and what it asks of their records.

Responsible for the Protocol `StoreServer`, and one small class for each kind of store. Collaborators: `cluster_run`
(one store in each run), `tests.redis.servers` and `tests.etcd.server` (the processes).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from qqbot.config import Secret
from qqbot.redis.connection import connected
from qqbot.sessions import Timings
from qqbot.sessions.cluster.etcd_store import EtcdStore
from qqbot.sessions.cluster.redis_store import RedisStore
from qqbot.sessions.cluster.store import ClusterStore
from tests.etcd.server import Etcd
from tests.etcd.server import etcd as members_of_etcd
from tests.redis.servers import Engine, Relay, Server, default_engine, engine_with_a_clock, started

APP_ID, CLUSTER = "1", "test"
KEYS = f"qqbot:{{{APP_ID}:{CLUSTER}}}:"
"""How the keys of the cluster begin in Redis."""


class StoreServer(Protocol):
    """The servers of one store."""

    name: str
    shares: bool
    """The processes share the ids of ended events through it, and a lock."""
    keeps: bool
    """A restart keeps its data."""

    @property
    def url(self) -> str: ...

    def kill(self) -> None:
        """End its servers at once, as a power cut does."""
        ...

    async def restart(self) -> None:
        """Kill its servers, if they run, and start them again."""
        ...

    def freeze(self) -> None:
        """Answer no more, with every connection left open."""
        ...

    def thaw(self) -> None: ...

    def relay(self) -> Relay:
        """Return a way to it that can be cut."""
        ...

    def records(self, timings: Timings) -> AbstractAsyncContextManager[ClusterStore]:
        """Open the records of the cluster, for a reader that is no node of it."""
        ...

    async def known(self, events: Sequence[str]) -> set[str]:
        """Return which of the events the processes share as ended."""
        ...


Starting = Callable[[], AbstractAsyncContextManager[StoreServer]]
"""Starts a store for one run."""


class RedisStoreServer:
    """Redis or Valkey: one server, or several at `url`, and `server` is one of them."""

    name, shares = "redis", True

    def __init__(self, server: Server, url: str = "") -> None:
        self.server = server
        self.url = url or server.url
        self.keeps = "--appendonly" in server.options

    def kill(self) -> None:
        self.server.kill()

    async def restart(self) -> None:
        await self.server.restart(empty=not self.keeps)

    def freeze(self) -> None:
        self.server.freeze()

    def thaw(self) -> None:
        self.server.thaw()

    def relay(self) -> Relay:
        return Relay(self.server)

    @asynccontextmanager
    async def records(self, timings: Timings) -> AsyncIterator[ClusterStore]:
        store = RedisStore(self.url, app_id=APP_ID, cluster=CLUSTER, node="", timings=Timings(), shared=timings.shared)
        async with store:
            yield store

    async def known(self, events: Sequence[str]) -> set[str]:
        found: set[str] = set()
        async with connected(self.url) as client:
            for some in [events[at : at + 500] for at in range(0, len(events), 500)]:
                values = await client.mget([f"{KEYS}d:{event}" for event in some])
                found |= {event for event, value in zip(some, values, strict=True) if value is not None}
        return found


@asynccontextmanager
async def redis(*options: str, engine: Engine | None = None, moved: bool = False) -> AsyncIterator[StoreServer]:
    """One server with command line `options`, whose clock can be moved if it is `moved`."""
    chosen = engine or (engine_with_a_clock() if moved else default_engine())
    async with started(chosen, *options, moved=moved) as server:
        yield RedisStoreServer(server)


@asynccontextmanager
async def redis_at(url: str, server: Server) -> AsyncIterator[StoreServer]:
    """Servers that the caller has started."""
    yield RedisStoreServer(server, url)


class EtcdStoreServer:
    """All members of one etcd; nodes ask the member `first` before the others."""

    name, shares, keeps = "etcd", False, True

    def __init__(self, members: Etcd, first: int) -> None:
        self.members = members
        self.first = first

    @property
    def url(self) -> str:
        others = [self.members.address(i) for i in range(len(self.members.members)) if i != self.first]
        return "etcd://" + ",".join([self.members.address(self.first), *others])

    def kill(self) -> None:
        for i in self._all:
            self.members.kill(i)

    async def restart(self) -> None:
        await asyncio.gather(*(self.members.restart(i) for i in self._all))

    def freeze(self) -> None:
        for i in self._all:
            self.members.pause(i)

    def thaw(self) -> None:
        for i in self._all:
            self.members.resume(i)

    @property
    def _all(self) -> range:
        return range(len(self.members.members))

    def relay(self) -> Relay:
        return Relay(self.members.members[self.first], "etcd")

    @asynccontextmanager
    async def records(self, timings: Timings) -> AsyncIterator[ClusterStore]:
        url = Secret(self.url)
        store = EtcdStore(url, app_id=APP_ID, cluster=CLUSTER, node="", timings=Timings(), shared=timings.shared)
        async with store:
            yield store

    async def known(self, events: Sequence[str]) -> set[str]:
        return set()


@asynccontextmanager
async def etcd(members: int = 1) -> AsyncIterator[StoreServer]:
    """So many members, who elect faster than by default, as leases are shorter; nodes ask the leader first."""
    async with members_of_etcd(members, "--heartbeat-interval", "50", "--election-timeout", "500") as servers:
        yield EtcdStoreServer(servers, await servers.leader())
