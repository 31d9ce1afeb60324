"""Downloads of the files that users sent, limited in size and time, and from public addresses only.

Responsible for requests to addresses that a user chose: they must not reach the bot's own network.
Collaborators: `files` opens files in threads, `network` describes errors.
It knows no messages and sends no token.
"""

import asyncio
import errno
import ipaddress
import re
import secrets
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from ssl import SSLContext
from typing import BinaryIO
from urllib.parse import quote, urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ..aio.threads import Threads
from ..errors import ConfigError, ConnectionFailed, MediaError, Timeout
from .files import error_words, in_thread
from .network import cause_of, exact
from .resolver import ThreadResolver, lookup

MAX_BYTES = 64 * 1024 * 1024
TIMEOUT = 120.0  # seconds
REDIRECTS = 5
CHUNK = 64 * 1024
LONGEST_URL = 16 * 1024  # characters

_NOT_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_NO_UTF8 = re.compile("[\udc80-\udcff]+")  # bytes of a header as aiohttp decodes them

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Reachable = Callable[[Address], bool]
"""Returns True if connections to an address are allowed."""

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
LOOPBACK = ipaddress.IPv4Address("127.0.0.1")


def is_public(address: Address) -> bool:
    """True if `address` is on the public internet; an IPv6 address that embeds an IPv4 address is judged by that."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner)
    return address in GLOBAL_UNICAST and address.is_global and address.teredo is None


def is_public_or_loopback(address: Address) -> bool:
    """True if `address` is public or loopback: a platform on this machine keeps its files here too."""
    return address.is_loopback or is_public(address)


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in NAT64:  # an IPv6-only network answers it for every host that has IPv4 only
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour


def _written(host: str) -> Address | None:
    """Return the address that `host` spells, also in the old short forms (127.1, 2130706433); None for a name."""
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


def _scratch(part: Path, path: Path) -> BinaryIO:
    """Return the new file `part`, opened for writing, if its content can become that of `path`.

    Raises: ConfigError, OSError.
    """
    try:
        if not path.is_symlink() and path.exists() and not path.is_file():
            raise ConfigError(f"{path} is not a regular file: give the path of a file")
        path.lstat()  # refuses what `exists` takes for a file that is not there
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno != errno.ENAMETOOLONG:
            raise
        raise ConfigError(f"{str(path)!r:.200} cannot be the name of a file: {error_words(error)}") from None
    return part.open("xb")  # fails if the name exists, also as a symbolic link


class _Refused(OSError):
    """Connections to this name or address are not allowed."""


class _Resolver(AbstractResolver):
    """Resolves names to allowed addresses only, so that the connection uses an address that was checked."""

    def __init__(self, reachable: Reachable, threads: Threads) -> None:
        self._threads = threads
        self._reachable = reachable

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the allowed addresses of `host`.  Raises: OSError if it has none."""
        usable = [each for each in await self._found(host, port, family) if self._allows(each)]
        if not usable:
            raise _Refused(f"{host} has no public address")
        return usable

    async def refuses(self, host: str) -> bool:
        """True if any address of `host` is not allowed; a name that is unknown here has no address."""
        try:
            found = await self._found(host, 0, socket.AF_UNSPEC)
        except OSError:
            return False
        return not all(map(self._allows, found))

    async def _found(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        try:
            return await self._threads.run(partial(lookup, host, port, family))
        except ValueError:
            raise _Refused(f"{host!r:.200} is not a host name") from None

    def _allows(self, found: ResolveResult) -> bool:
        return self._reachable(ipaddress.ip_address(found["host"].partition("%")[0]))

    async def close(self) -> None:
        """Do nothing: the owner of the threads closes them."""


class Downloads:
    """Downloads files. `reachable` decides which addresses are allowed; the default is public ones only.

    A proxy (`proxy_for` returns its URL) resolves names itself: a name is refused if any of the addresses that it has
    here is not allowed, and a name that is unknown here is left to the proxy. `threads` look up names and write files.
    """

    def __init__(
        self,
        *,
        reachable: Reachable = is_public,
        proxy_for: Callable[[str], str | None] | None = None,
        ssl_context: SSLContext | None = None,
        threads: Threads | None = None,
    ) -> None:
        self._reachable = reachable
        # Not those that the gateway connects with: users choose these hosts, and their name servers may hang.
        self._threads = threads or Threads(4, "qqbot downloads")
        self._proxy_for = proxy_for  # asked for each redirect, since a proxy may serve some hosts only
        self._ssl: SSLContext | bool = ssl_context or True

    async def fetch(self, url: str, *, max_bytes: int = MAX_BYTES, timeout: float = TIMEOUT) -> bytes:
        """Return the bytes at `url`, at most `max_bytes`; `timeout` in seconds.

        Raises: ConfigError for an invalid address or one that is not public, MediaError if the file is too large or
        refused, ConnectionFailed, Timeout.
        """
        data = bytearray()
        async with self._opened(url, max_bytes, timeout) as chunks:
            async for chunk in chunks:
                data += chunk
        return bytes(data)

    async def save(self, url: str, path: Path, *, max_bytes: int = MAX_BYTES, timeout: float = TIMEOUT) -> int:
        """Write the bytes at `url` to `path` and return how many; a failure leaves no file, and the one that was there.

        They go to a scratch file in the same folder first, which then takes the place of `path`, also of a symbolic
        link; its target is left alone.

        Raises: what `fetch` raises; ConfigError for a name that no file can have, or if `path` is no regular file;
        OSError if it cannot be written.
        """
        size = 0
        part = path.parent / f".qqbot-{secrets.token_hex(8)}.part"

        def drop(file: BinaryIO) -> None:
            file.close()
            part.unlink(missing_ok=True)

        file = await in_thread(self._threads, lambda: _scratch(part, path), drop)
        try:
            with file:
                async with self._opened(url, max_bytes, timeout) as chunks:
                    async for chunk in chunks:
                        await self._threads.run(partial(file.write, chunk))
                        size += len(chunk)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
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
                raise ConfigError(f"downloads from there are not allowed: {error.os_error}") from None
            raise ConnectionFailed(f"the download failed: {cause_of(error)}") from None
        except aiohttp.InvalidURL:
            raise ConfigError(f"{url!r:.200} is not an address") from None
        except aiohttp.ClientError as error:
            raise ConnectionFailed(f"the download failed: {cause_of(error)}") from None

    @asynccontextmanager
    async def _answer(self, url: str) -> AsyncGenerator[aiohttp.ClientResponse]:
        for _ in range(REDIRECTS + 1):
            async with self._get(_parsed(url)) as response:
                location = response.headers.get("Location")
                if response.status not in (301, 302, 303, 307, 308) or location is None:
                    if response.status != 200:
                        raise _failed(response.status, "the file cannot be downloaded")
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
        # The operator chose the address of the proxy, and it is usually a private one.
        resolver = _Resolver(self._reachable, self._threads) if proxy is None else ThreadResolver(self._threads)
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
        """Return `target` with its address in the usual form.  Raises: ConfigError if the address is not allowed."""
        address = _written(target.raw_host or "")
        if address is None:
            return target
        if not self._reachable(address):
            raise ConfigError(f"downloads from {address} are not allowed: it is not public")
        return target.with_host(str(address))  # a proxy might read 010.0.0.1 differently

    async def _check_name(self, target: URL) -> None:
        host = target.raw_host or ""
        if _written(host) is None and await _Resolver(self._reachable, self._threads).refuses(host):
            raise ConfigError(f"downloads from {host} are not allowed: it has an address that is not public")


def _parsed(url: str) -> URL:
    """Return `url` parsed.  Raises: ConfigError if it is not a web address."""
    if len(url) > LONGEST_URL:
        raise ConfigError(f"{url!r:.200}... has {len(url)} characters; an address has at most {LONGEST_URL}")
    if _NOT_TEXT.search(url):
        raise ConfigError(f"{url!r:.200} is not an address: it contains a control character or half a character")
    try:
        target = exact(url)
    except ValueError:
        raise ConfigError(f"{url!r:.200} is not an address") from None
    host = target.raw_host
    # A proxy might decode a host with "%" into one that was not checked.
    if target.scheme not in ("http", "https") or not host or "%" in host or target.user is not None:
        raise ConfigError(f"{url!r:.200} is not an http:// or https:// address")
    return target


def _joined(url: str, location: str) -> str:
    """Return the address of a redirect, unchanged if it is whole.  Raises: ConfigError if it is not an address."""
    location = _NO_UTF8.sub(lambda found: quote(found[0], errors="surrogateescape"), location)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", location):
        return location
    try:
        return urljoin(url, location)
    except ValueError:
        raise ConfigError(f"the file has moved to {location!r:.200}, which is not an address") from None


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
