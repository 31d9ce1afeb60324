"""Names of stores, looked up in threads of our own.

Responsible for connections of the redis library that need no thread of the default executor: handlers may have filled
it, and then the leases of this process would end. Collaborators: `connection` makes the clients. It opens no socket.
"""

import ipaddress
import socket
from contextlib import suppress
from functools import partial
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import Connection

from ..aio.threads import Threads
from ..api.resolver import lookup
from ..errors import NoThread


class _ByAddress(Connection):
    """A connection that looks up its host in `threads`, and tries each address."""

    threads: Threads
    address: str

    async def _connect(self) -> None:
        connect: Any = super()._connect
        *others, last = await self._addresses()
        for self.address in others:
            with suppress(OSError):
                await connect()
                return
        self.address = last
        await connect()

    async def _addresses(self) -> list[str]:
        with suppress(ValueError):
            return [str(ipaddress.ip_address(self.host))]
        try:
            found = await self.threads.run(partial(lookup, self.host, self.port, socket.AF_UNSPEC))
        except (NoThread, ValueError) as error:
            raise OSError(None, str(error)) from None
        return [each["host"] for each in found]

    def _connection_arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = dict(super()._connection_arguments())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        arguments["host"] = self.address
        if "ssl" in arguments:
            arguments["server_hostname"] = self.host  # a certificate names the host, and not its address
        return arguments


def resolve_names(client: Redis, threads: Threads) -> None:
    """Let each connection of `client` look up its host in `threads`."""
    pool: Any = client.connection_pool
    pool.connection_class = _by_address(pool.connection_class, threads)


def resolve_names_of_cluster(client: RedisCluster, threads: Threads) -> None:
    """Let each connection to a node of the cluster look up its host in `threads`."""
    settings: dict[str, Any] = client.connection_kwargs  # those of nodes that are discovered later
    kind = settings["connection_class"] = _by_address(settings["connection_class"], threads)
    for node in client.nodes_manager.startup_nodes.values():
        node.connection_class = kind


def _by_address(kind: Any, threads: Threads) -> Any:
    """Return the class `kind` of connections with our look-up; a unix socket has no name."""
    return type(kind.__name__, (_ByAddress, kind), {"threads": threads}) if issubclass(kind, Connection) else kind
