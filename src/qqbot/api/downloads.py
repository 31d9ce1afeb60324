"""Fetching what users sent: bounded, and from public addresses only.

Owns the way to an address that somebody else chose, so that it cannot be used to reach the bot's own network.
Knows no messages and no token.
"""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import SSLContext
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ..errors import ConfigError, ConnectionFailed, MediaError, Timeout
from ..network import cause_of

MAX_BYTES = 64 * 1024 * 1024
TIMEOUT = 120.0  # seconds
REDIRECTS = 5
CHUNK = 64 * 1024

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Reachable = Callable[[Address], bool]
"""Whether an address may be connected to."""


def is_public(address: Address) -> bool:
    """Whether `address` is one of the public internet."""
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    return address.is_global and not address.is_multicast and (inner is None or is_public(inner))


class _Refused(OSError):
    """A name or address that must not be connected to."""


class _Resolver(AbstractResolver):
    """Resolves names to addresses that may be connected to, so that what was checked is what is used."""

    def __init__(self, reachable: Reachable) -> None:
        self._inner = aiohttp.ThreadedResolver()
        self._reachable = reachable

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of `host`.  Raises: OSError when none may be used."""
        found = await self._inner.resolve(host, port, family)
        usable = [each for each in found if self._reachable(ipaddress.ip_address(each["host"].partition("%")[0]))]
        if not usable:
            raise _Refused(f"{host} has no public address")
        return usable

    async def close(self) -> None:
        """Close the resolver below."""
        await self._inner.close()


class Downloads:
    """Fetches files. `reachable` says which addresses may be used: the public ones, unless a test says otherwise.

    With a proxy (`proxy_for` a URL) names are resolved there, and only addresses written as numbers are checked here.
    """

    def __init__(
        self,
        *,
        reachable: Reachable = is_public,
        proxy_for: Callable[[str], str | None] | None = None,
        ssl_context: SSLContext | None = None,
    ) -> None:
        self._reachable = reachable
        self._proxy_for = proxy_for
        self._ssl: SSLContext | bool = ssl_context or True

    async def fetch(self, url: str, *, max_bytes: int = MAX_BYTES, timeout: float = TIMEOUT) -> bytes:
        """Return the bytes at `url`, at most `max_bytes`; `timeout` in seconds.

        Raises: ConfigError for an address that is none or not public, MediaError when the file is too large or
        refused, ConnectionFailed, Timeout.
        """
        data = bytearray()
        async with self._opened(url, max_bytes, timeout) as chunks:
            async for chunk in chunks:
                data += chunk
        return bytes(data)

    async def save(self, url: str, path: Path, *, max_bytes: int = MAX_BYTES, timeout: float = TIMEOUT) -> int:
        """Write the bytes at `url` to `path` and return how many; a failure leaves no file.

        Raises: what `fetch` raises, and OSError when `path` cannot be written.
        """
        size = 0
        part = path.with_name(f"{path.name}.part")
        try:
            with await asyncio.to_thread(part.open, "wb") as file:
                async with self._opened(url, max_bytes, timeout) as chunks:
                    async for chunk in chunks:
                        await asyncio.to_thread(file.write, chunk)
                        size += len(chunk)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return size

    @asynccontextmanager
    async def _opened(self, url: str, max_bytes: int, timeout: float) -> AsyncGenerator[AsyncGenerator[bytes]]:
        connector = aiohttp.TCPConnector(resolver=_Resolver(self._reachable))
        limits = aiohttp.ClientTimeout(total=timeout)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=limits, cookie_jar=aiohttp.DummyCookieJar()) as http,
                self._answer(http, url) as response,
            ):
                yield _bounded(response, max_bytes)
        except TimeoutError:
            raise Timeout(f"the download took longer than {timeout:g} s") from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _Refused):
                raise ConfigError(f"nothing is fetched from there: {error.os_error}") from None
            raise ConnectionFailed(f"the download failed: {cause_of(error)}") from None
        except aiohttp.ClientError as error:
            raise ConnectionFailed(f"the download failed: {cause_of(error)}") from None

    @asynccontextmanager
    async def _answer(self, http: aiohttp.ClientSession, url: str) -> AsyncGenerator[aiohttp.ClientResponse]:
        for _ in range(REDIRECTS + 1):
            target = self._checked(url)
            proxy = self._proxy_for(url) if self._proxy_for else None
            async with http.get(target, allow_redirects=False, proxy=proxy, ssl=self._ssl) as response:
                location = response.headers.get("Location")
                if response.status not in (301, 302, 303, 307, 308) or location is None:
                    if response.status != 200:
                        raise _failed(response.status, "the file cannot be fetched")
                    yield response
                    return
                url = urljoin(url, location)
        raise _failed(310, f"more than {REDIRECTS} redirects")

    def _checked(self, url: str) -> URL:
        """Raises: ConfigError for what is no web address, or one written as a number that must not be used."""
        try:
            target = URL(url)
        except ValueError:
            raise ConfigError(f"{url!r} is no address") from None
        if target.scheme not in ("http", "https") or not target.host or target.user is not None:
            raise ConfigError(f"{url!r} is no http:// or https:// address")
        try:
            address = ipaddress.ip_address(target.host.partition("%")[0])
        except ValueError:
            return target  # a name: the resolver checks what it stands for
        if not self._reachable(address):
            raise ConfigError(f"nothing is fetched from {address}: it is not public")
        return target


async def _bounded(response: aiohttp.ClientResponse, max_bytes: int) -> AsyncGenerator[bytes]:
    if (response.content_length or 0) > max_bytes:
        raise _failed(413, f"the file has {response.content_length} bytes, more than max_bytes={max_bytes}")
    size = 0
    async for chunk in response.content.iter_chunked(CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise _failed(413, f"the file has more than max_bytes={max_bytes}")
        yield chunk


def _failed(status: int, words: str) -> MediaError:
    return MediaError(status, 0, words, method="GET", path="(an attachment)")
