"""`ThreadResolver`: looks up host names in threads of our own.

Responsible for the addresses of a host, for aiohttp's connector. Collaborators: `aio.threads`.
It caches nothing (the connector does) and judges no address (`downloads` does).
"""

import socket
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult

from ..aio.threads import Threads
from ..config import is_loopback


class ThreadResolver(AbstractResolver):
    """Resolves names in `threads`; aiohttp's own uses the default executor, which handlers may have filled."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of `host`.  Raises: OSError if it has none or is not a host name, NoThread."""
        try:
            return await self._threads.run(partial(lookup, host, port, family))
        except ValueError:
            raise OSError(None, f"{host!r:.80} is not a host name") from None  # aiohttp shows the second

    async def close(self) -> None:
        """Do nothing: the owner of the threads closes them."""


def lookup(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    """Return the addresses of `host`; blocks.  Raises: OSError if it has none, ValueError if it is not a host name."""
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except socket.gaierror:
        if not is_loopback(host):
            raise
        # A machine without a network has no address of this family, but still has its loopback.
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return [
        ResolveResult(
            hostname=host,
            host=socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0],  # keeps an IPv6 scope
            port=port,
            family=kind,
            proto=proto,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, proto, _, address in found
    ]
