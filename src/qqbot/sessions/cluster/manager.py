"""`RedisSessionManager` and `EtcdSessionManager`: any number of processes share a bot's shards through a store.

Responsible for the settings, and for the node that is a member while it runs. Collaborators: `node` (everything that a
member does), `redis_store`, `etcd_store`. `redis` is imported when its manager is made, not before.
"""

import asyncio
import contextlib
import logging
import re
import secrets
import socket
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from msgspec import structs

from ...aio.loops import check_loop
from ...config import ClusterConfig, Credentials, Secret, hidden
from ...errors import ConfigError
from ..base import ClusterView, GatewaySource, ManagerEvent, ShardFactory
from ..watchers import Watchers
from .timings import Timings
from .view import view

if TYPE_CHECKING:
    from ...redis.connection import Client
    from ...redis.sharing import Shared
    from .etcd_store import EtcdStore
    from .node import Node
    from .redis_store import RedisStore
    from .store import OpenStore

log = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
LONGEST_NAME = 55  # a node's id is this, a hyphen and eight digits


Address = TypeVar("Address")


class ClusterSessionManager(ABC, Generic[Address]):
    """Shares the shards with every process that names the same store and `cluster`; may be run again.

    `name`: the name of this process, by default the host's name. A `standby` takes shards only when fewer than
    `target_active` other nodes do. `auto_roll` changes to more shards by itself when the platform recommends them and
    their number is not fixed. `timings` have to be equal everywhere.

    Raises: ConfigError for a URL, a name or timings that cannot be right.
    """

    def __init__(
        self,
        url: Address,
        *,
        cluster: str = "default",
        name: str | None = None,
        role: Literal["active", "standby"] = "active",
        target_active: int = 0,
        auto_roll: bool = False,
        timings: Timings | None = None,
    ) -> None:
        where = hidden(url)
        del url  # it holds a password, and a traceback may show the variables of its frames
        self._where = self._checked_address(where)
        self._cluster = self._checked(cluster, "cluster", 64)
        self._name = self._checked(name or _host_name(), "name", LONGEST_NAME)
        if role not in ("active", "standby"):
            raise ConfigError(f"{type(self).__name__}(role={role!r}) must be 'active' or 'standby'")
        self._role: Literal["active", "standby"] = role
        self._target_active = target_active
        self._auto_roll = auto_roll
        self._timings = timings or Timings()
        self._node: Node | None = None  # None between runs
        self._over: asyncio.Event  # of the present run: its connections are closed
        self._loop: asyncio.AbstractEventLoop  # of the present run
        self._watchers = Watchers()
        self._lost: Counter[str] = Counter()  # leases that this process has lost, by cause

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._cluster!r}>"

    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        """Be a member of the cluster until `stop`; wait for a server that does not answer.

        Raises: GatewayHalted on every node when the platform halts one, ConfigError for what the server
        refuses and while another run is in progress, and whatever `start` raises.
        """
        from .node import Node, NodeSettings  # noqa: PLC0415 - with it comes the whole cluster

        if self._node is not None:
            raise ConfigError("this session manager is running already: give each bot its own")
        if gateway.selection.only is not None:
            raise ConfigError(
                "Bot(shards='0-3/16') names the shards of one process, and a cluster shares them by itself: "
                "use Bot(shards=16). 多个进程分担分片时请只写分片总数"
            )
        store = self.store(gateway.app_id, node=f"{self._name}-{secrets.token_hex(4)}")
        settings = NodeSettings(self._role, self._target_active, self._timings, self._auto_roll)
        self._node = node = Node(store, settings, gateway, start, self._emit)
        self._over, self._loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            async with store:
                await node.serve()
        finally:
            self._over.set()
            self._node = None
            self._watchers.emit(None)

    async def stop(self, *, drain: float = 10.0) -> None:
        """Leave the cluster: shards get `drain` seconds to finish. Return within `Timings.stop`, also without a store.

        Without a run in progress it does nothing.
        """
        self._check_loop()
        if self._node is not None:
            await self._node.stop(drain)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timings.call):  # for closing the connections
                    await self._over.wait()

    @abstractmethod
    def store(self, app_id: str, *, node: str = "", shared: str = "") -> "OpenStore":
        """Return the records of the cluster, to be opened by the caller.

        `node`: the id under which this process calls, "" for a person; `shared`: the timings of the cluster, if they
        are not those of this manager.
        """

    @abstractmethod
    def _checked_address(self, where: "Secret | Address") -> "Secret | Address":
        """Return `where`.  Raises: ConfigError if it is no address of a store."""

    async def snapshot(self) -> ClusterView:
        """Return the cluster as the store has it now, or as this node read it last if the store is away."""
        self._check_loop()
        now = ClusterView() if self._node is None else view(await self._node.look())
        return structs.replace(now, lost_leases=dict(self._lost))

    def watch(self) -> AsyncIterator[ManagerEvent]:
        """Iterate over what happens here from now on, until `run` ends."""
        self._check_loop()
        return self._watchers.watch()

    def _checked(self, name: str, what: str, longest: int) -> str:
        if not NAME.fullmatch(name) or len(name) > longest:
            raise ConfigError(
                f"{type(self).__name__}({what}={name!r}): 1 to {longest} letters, digits, dots, hyphens and "
                "underscores, please. 名称只能包含字母、数字和 . _ -"
            )
        return name

    def _check_loop(self) -> None:
        if self._node is not None:
            check_loop(self._loop, "the session manager")

    def _emit(self, event: ManagerEvent) -> None:
        if event.cause is not None:
            self._lost[event.cause] += 1
        self._watchers.emit(event)


class RedisSessionManager(ClusterSessionManager["str | Client"]):
    """Shares the shards through Redis or Valkey with every process that names the same server and `cluster`.

    `url`: redis://, rediss://, redis+sentinel://host,host/master, redis+cluster://host,host; or a client, which is
    used as it is and is not closed. The options are those of every `ClusterSessionManager`.

    Raises: ConfigError for a URL, a name or timings that cannot be right.
    """

    def _checked_address(self, where: "Secret | str | Client") -> "Secret | str | Client":
        if isinstance(where, Secret):
            from ...redis.connection import check_url  # noqa: PLC0415 - it imports redis

            check_url(where)
        return where

    def store(self, app_id: str, *, node: str = "", shared: str = "") -> "RedisStore":
        """Return the records of the cluster, to be opened by the caller; `node` and `shared` as for `RedisStore`."""
        from .redis_store import RedisStore  # noqa: PLC0415 - it imports redis

        return RedisStore(
            self._where, app_id=app_id, cluster=self._cluster, node=node, timings=self._timings, shared=shared
        )

    def sharing(self, credentials: Credentials) -> "AbstractAsyncContextManager[Shared]":
        """Share access token and ids of finished events with the same processes, for as long as that is open."""
        from ...redis.sharing import sharing  # noqa: PLC0415 - it imports redis

        return sharing(self._where, credentials, cluster=self._cluster)


class EtcdSessionManager(ClusterSessionManager[str]):
    """Shares the shards through etcd (3.4 or later) with every process that names the same one and `cluster`.

    `url`: etcd://user:password@host:2379,host2:2379, or etcds:// for TLS. The options are those of every
    `ClusterSessionManager`. Only the shards are shared: each process fetches its own access token, and keeps the ids of
    finished events, the uses of commands with a cooldown and the pacing of active messages to itself.

    Raises: ConfigError for a URL, a name or timings that cannot be right.
    """

    def _checked_address(self, where: Secret | str) -> Secret:
        from .etcd_client import check_url  # noqa: PLC0415 - most bots have no etcd

        if not isinstance(where, Secret):
            raise ConfigError("EtcdSessionManager needs a URL: etcd://host:2379. EtcdSessionManager 需要 etcd 地址")
        check_url(where)
        return where

    def store(self, app_id: str, *, node: str = "", shared: str = "") -> "EtcdStore":
        """Return the records of the cluster, to be opened by the caller; `node` and `shared` as for `EtcdStore`."""
        from .etcd_store import EtcdStore  # noqa: PLC0415 - most bots have no etcd

        return EtcdStore(
            self._checked_address(self._where),
            app_id=app_id,
            cluster=self._cluster,
            node=node,
            timings=self._timings,
            shared=shared,
        )

    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        """Be a member of the cluster until `stop`; wait for an etcd that does not answer.

        Raises: GatewayHalted, ConfigError, and whatever `start` raises.
        """
        log.info(
            "etcd shares the shards and nothing else: each process has its own access token, and counts finished "
            "events, cooldowns and active messages for itself. "
            "etcd 只分担分片；access_token、事件去重、冷却和主动消息额度由各进程自行处理"
        )
        await super().run(gateway, start)


def manager_of(config: ClusterConfig) -> "RedisSessionManager | EtcdSessionManager":
    """Return the session manager that the environment describes.  Raises: ConfigError."""
    kind = RedisSessionManager if config.store == "redis" else EtcdSessionManager
    return kind(config.url.reveal(), cluster=config.cluster)


def _host_name() -> str:
    """Return the host's name, in the form that a node's id may have."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:LONGEST_NAME] or "node"
