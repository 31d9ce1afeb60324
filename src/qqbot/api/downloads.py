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
from typing import BinaryIO
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ..errors import ConfigError, ConnectionFailed, MediaError, Timeout
from .files import in_thread
from .network import cause_of

MAX_BYTES = 64 * 1024 * 1024
TIMEOUT = 120.0  # seconds
REDIRECTS = 5
CHUNK = 64 * 1024

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Reachable = Callable[[Address], bool]
"""Whether an address may be connected to."""

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
LOOPBACK = ipaddress.IPv4Address("127.0.0.1")


def is_public(address: Address) -> bool:
    """Whether `address` is one of the public internet; one that stands for an IPv4 address is judged as that."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner)
    return address in GLOBAL_UNICAST and address.is_global and address.teredo is None


def is_public_or_loopback(address: Address) -> bool:
    """Whether `address` is public or this machine's own: where the platform is here too, its files are."""
    return address.is_loopback or is_public(address)


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in NAT64:  # what an IPv6-only network answers for every host that has IPv4 alone
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour


def _written(host: str) -> Address | None:
    """Return the address `host` spells, in the old short forms too (127.1, 2130706433), or None for a name."""
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761: always the loopback
        return LOOPBACK
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except OSError:
        return None


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
        usable = [each for each in await self._found(host, port, family) if self._allows(each)]
        if not usable:
            raise _Refused(f"{host} has no public address")
        return usable

    async def refuses(self, host: str) -> bool:
        """Whether any address of `host` must not be used; a name that is unknown here has none."""
        try:
            found = await self._found(host, 0, socket.AF_UNSPEC)
        except OSError:
            return False
        return not all(map(self._allows, found))

    async def _found(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        try:
            return await self._inner.resolve(host, port, family)
        except UnicodeError:
            raise _Refused(f"{host!r} is no host name") from None

    def _allows(self, found: ResolveResult) -> bool:
        return self._reachable(ipaddress.ip_address(found["host"].partition("%")[0]))

    async def close(self) -> None:
        """Close the resolver below."""
        await self._inner.close()


class Downloads:
    """Fetches files. `reachable` says which addresses may be used: the public ones, unless a test says otherwise.

    With a proxy (`proxy_for` a URL) names are resolved there: a name is refused when it has an address here that
    must not be used, and one that is unknown here is left to the proxy.
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

        def drop(file: BinaryIO) -> None:
            file.close()
            part.unlink(missing_ok=True)

        try:
            with await in_thread(lambda: part.open("wb"), drop) as file:
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
        try:
            async with asyncio.timeout(timeout), self._answer(url) as response:
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
    async def _answer(self, url: str) -> AsyncGenerator[aiohttp.ClientResponse]:
        for _ in range(REDIRECTS + 1):
            async with self._get(_parsed(url)) as response:
                location = response.headers.get("Location")
                if response.status not in (301, 302, 303, 307, 308) or location is None:
                    if response.status != 200:
                        raise _failed(response.status, "the file cannot be fetched")
                    yield response
                    return
                url = _joined(url, location)
        raise _failed(310, f"more than {REDIRECTS} redirects")

    @asynccontextmanager
    async def _get(self, target: URL) -> AsyncGenerator[aiohttp.ClientResponse]:
        target = self._checked(target)
        proxy = self._proxy_for(str(target)) if self._proxy_for else None
        if proxy is not None:
            await self._check_name(target)
        # The proxy's own address is the operator's choice, and mostly a private one.
        resolver = _Resolver(self._reachable) if proxy is None else aiohttp.ThreadedResolver()
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as http,
            http.get(target, allow_redirects=False, proxy=proxy, ssl=self._ssl) as response,
        ):
            yield response

    def _checked(self, target: URL) -> URL:
        """Return `target`, an address in it in its usual form.  Raises: ConfigError when that must not be used."""
        address = _written(target.raw_host or "")
        if address is None:
            return target
        if not self._reachable(address):
            raise ConfigError(f"nothing is fetched from {address}: it is not public")
        return target.with_host(str(address))  # a proxy might read 010.0.0.1 in another way

    async def _check_name(self, target: URL) -> None:
        host = target.raw_host or ""
        if _written(host) is None and await _Resolver(self._reachable).refuses(host):
            raise ConfigError(f"nothing is fetched from {host}: it has an address that is not public")


def _parsed(url: str) -> URL:
    """Raises: ConfigError for what is no web address."""
    try:
        target = URL(url)
    except ValueError:
        raise ConfigError(f"{url!r} is no address") from None
    host = target.raw_host
    # A proxy might decode a host with "%" into one that was not checked.
    if target.scheme not in ("http", "https") or not host or "%" in host or target.user is not None:
        raise ConfigError(f"{url!r} is no http:// or https:// address")
    return target


def _joined(url: str, location: str) -> str:
    """Raises: ConfigError when `location` is no address."""
    try:
        return urljoin(url, location)
    except ValueError:
        raise ConfigError(f"the file has moved to {location!r}, which is no address") from None


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
