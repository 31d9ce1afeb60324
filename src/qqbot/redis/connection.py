"""Where processes meet: the Redis or Valkey that a URL names, and the part that the names of its keys share.

Responsible for making a client from a URL, and for judging the errors of a store. It does not decide what is stored,
nor what happens while the store is down: its users do. Like them it imports redis, and is loaded at first use.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext, suppress
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    AuthorizationError,
    DataError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    RedisClusterException,
    RedisError,
    ResponseError,
)

from ..aio.threads import Threads
from ..config import Secret, hidden, scheme_shown
from ..errors import ConfigError
from .names import resolve_names, resolve_names_of_cluster

Client: TypeAlias = Redis | RedisCluster

T = TypeVar("T")

OPERATION_SECONDS = 2.0
SENTINEL_SECONDS = 0.5  # one that hangs must not use up the time in which the others could answer
REDIS_PORT, SENTINEL_PORT = 6379, 26379
CLUSTER_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


FAILURES = (RedisError, RedisClusterException, OSError)
"""All errors of a command that failed, an expired `asyncio.timeout` included."""

NO_MASTER = "the master's name is missing after the hosts"
RAW = {"NEVER_DECODE": True}
"""Options of a command whose answer stays bytes, also if the client decodes: a value may not be UTF-8."""

FINAL = (AuthenticationError, AuthenticationWrongNumberOfArgsError, AuthorizationError, DataError, NoPermissionError)
FINAL_WORDS = re.compile(
    r"NOPERM|NOAUTH|WRONGPASS|WRONGTYPE|hash to the same slot|permission|can't (?:run|access)|"
    r"unknown (?:redis )?command|authentication required|invalid (?:username|password)|wrong number of arg|"
    r"DB index is out of range|Cluster mode is not enabled",
    re.IGNORECASE,
)
"""What a server's error contains if it stays until a person corrects it; scripts wrap errors in their own words."""


def is_away(error: Exception) -> bool:
    """True if the command may succeed later: the store is down, busy, fails over, or cannot write at the moment.

    A wrong password, a missing right, an unknown command and a key of another type remain until a person corrects
    them; every other of the `FAILURES` may pass.
    """
    if isinstance(error, FINAL) or is_moved(error):
        return False
    worded = isinstance(error, (ResponseError, RedisClusterException))
    return not (worded and FINAL_WORDS.search(str(error)))


def is_moved(error: Exception) -> bool:
    """True if a node of a Cluster was asked that does not have the key: the client of a Cluster follows that itself.

    Older releases of redis-py know the answer in that client only.
    """
    return isinstance(error, MovedError) or (isinstance(error, ResponseError) and str(error).startswith("MOVED "))


class Script:
    """A Lua script; a server that does not know it yet gets its text with the call.

    Not by SCRIPT LOAD: the client of a Cluster sends that to every master, so that one master which is down would stop
    calls whose keys it does not have.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Client, keys: Sequence[str], arguments: Sequence[object]) -> Any:
        """Return the script's answer, with bytes for text.  Raises: what the library raises."""
        untyped: Any = client  # the library's methods are partly untyped
        send = untyped.execute_command
        rest = (len(keys), *keys, *arguments)
        try:
            return await send("EVALSHA", self._sha, *rest, **RAW)
        except NoScriptError:
            return await send("EVAL", self._text, *rest, **RAW)


async def repeated(client: Client, command: Callable[[], Awaitable[T]]) -> T:
    """Return the answer of a command that may be sent twice: if the store is away, try once more by a new connection.

    Servers close idle connections, and after a failover behind one address the old ones lead to the old master.
    """
    try:
        return await command()
    except FAILURES as error:
        if not is_away(error):
            raise
    await drop_idle(client)
    return await command()


async def drop_idle(client: Client) -> None:
    """Let the next command open a connection: the server behind an old one may no longer be the master."""
    pool: Any = getattr(client, "connection_pool", None)  # the client of a Cluster looks for the masters by itself
    if pool is not None:
        with suppress(*FAILURES):
            await pool.disconnect(inuse_connections=False)


def hash_tag(app_id: str, cluster: str, option: str = "cluster") -> str:
    """Return the hash tag of all keys of a cluster, so that a Redis Cluster keeps them on one node.

    Raises: ConfigError for an invalid name; `option` is what gave it.
    """
    if not CLUSTER_NAME.fullmatch(cluster):
        raise ConfigError(
            f"{option}={cluster!r} is not a valid name: use 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'. "
            "名称只能由 1 到 64 个字母、数字、点、下划线和连字符组成"
        )
    return f"{{{app_id}:{cluster}}}"


def opened(store: Client | str | Secret) -> AbstractAsyncContextManager[Client]:
    """Return the client itself, which stays open at the end; for a URL a new client, see `connected`."""
    return connected(store) if isinstance(store, str | Secret) else nullcontext(store)


@asynccontextmanager
async def connected(url: str | Secret) -> AsyncGenerator[Client]:
    """Yield a client of the store at `url`, with connections of its own; nothing is sent yet.

    redis://, rediss:// and unix:// as the redis library reads them; `redis+sentinel://host:port,host:port/master/0`
    and `redis+cluster://host:port,host:port`, with rediss for TLS and `user:password@` in front. A command has no
    deadline and is not retried: its caller decides on both, see `within`.

    Raises: ConfigError for another URL, without showing its password.
    """
    url = hidden(url)  # a traceback may show the variables of its frames
    address = _parsed(url)
    address.settings.update(socket_timeout=None, socket_connect_timeout=None)
    async with AsyncExitStack() as stack:
        threads = Threads(2, "qqbot redis")
        stack.callback(threads.close)
        try:
            client = _client(address, stack, threads)
        except (TypeError, ValueError, *FAILURES):
            raise _refused(url, "an option after the '?' is not known to the redis library") from None
        stack.push_async_callback(_close, client)
        yield client


async def _close(client: Client) -> None:
    """Close `client` completely: if it is cancelled, the library leaves connections open."""
    closing = asyncio.create_task(client.aclose())
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await asyncio.wait([closing])
        raise


async def within(seconds: float, command: Awaitable[T]) -> T:
    """Return the answer of a command.

    A cancellation that the library swallowed is raised again: it sends with `asyncio.wait_for` if the client has a
    socket_timeout, and below Python 3.12 that can lose a cancellation.

    Raises: TimeoutError after `seconds`, what the library raises.
    """
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    try:
        async with asyncio.timeout(seconds):
            return await command
    finally:
        if task.cancelling() > before:
            raise asyncio.CancelledError


def check_url(url: str | Secret) -> None:
    """Check `url` without connecting.  Raises: ConfigError as `connected` does."""
    url = hidden(url)  # a traceback may show the variables of its frames
    address = _parsed(url)
    if address.kind == "sentinel" and not address.path:
        raise _refused(url, NO_MASTER)


def shown(url: str) -> str:
    """Return `url` without its user, password and options, which may be secret."""
    scheme, found, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}" if found else "(no URL)"


def _refused(url: Secret, why: str) -> ConfigError:
    return ConfigError(
        f"the Redis URL (scheme {scheme_shown(url)}, the rest is not shown) cannot be used: {why}. Expected: "
        "redis://user:password@host:6379/0, rediss:// for TLS, redis+sentinel://host:26379,host:26379/master or "
        "redis+cluster://host:6379,host:6379; special characters of a password are written as %XX. "
        "Redis 地址无法使用，请检查格式；密码中的特殊字符请写成 %XX"
    )


class _Address(NamedTuple):
    """A URL taken apart; `settings` are arguments of the redis library."""

    kind: str
    hosts: list[tuple[str, int]]
    path: str
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return f"_Address(kind={self.kind!r})"  # the settings hold the password


def _parsed(url: Secret) -> _Address:
    """Take a URL apart.  Raises: ConfigError."""
    found = _taken_apart(url.reveal())
    if isinstance(found, str):
        raise _refused(url, found)
    return found


def _taken_apart(url: str) -> _Address | str:
    """Return the parts of a URL, or what is wrong with it; it raises nothing, as its variables hold the password."""
    scheme, _, rest = url.partition("://")
    base, _, kind = scheme.partition("+")
    if base not in ("redis", "rediss", "unix") or kind not in ("", "sentinel", "cluster"):
        return "it has another scheme"
    try:
        parts = urlsplit(f"//{rest}")
        if (wrong := _misread(base, kind, parts)) is not None:
            return wrong
        if not kind:
            _ = parts.port  # raises ValueError
            return _Address(kind, [], "", {"url": url})
        user, at, hosts = parts.netloc.rpartition("@")
        port = SENTINEL_PORT if kind == "sentinel" else REDIS_PORT
        pairs = [_host(text, port) for text in hosts.split(",")]
        # The library parses the rest: user, password, options. It does not use the host here.
        settings = dict(parse_url(f"{base}://{user}{at}unused?{parts.query}"))
    except ValueError:
        return "its hosts or options are not understood"
    settings.pop("host")
    if settings.pop("connection_class", None) is not None:
        settings["ssl"] = True
    return _Address(kind, pairs, parts.path.strip("/"), settings)


def _misread(base: str, kind: str, parts: SplitResult) -> str | None:
    """Return what the library would read in another way than it was meant, or only when it connects."""
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    place = "" if base == "unix" else parts.path.strip("/")
    if parts.fragment or "@" in place or any("@" in name for name in options):
        return "an '@' or a '#' stands behind its host"
    if not kind and not re.fullmatch("[0-9]{0,9}", place):
        return "the number of its database is not understood"
    if kind == "cluster" and place not in ("", "0"):
        return "a Cluster has the database 0 only"
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        if name in options and not os.access(options[name], os.R_OK):
            return f"the file of its option {name} cannot be read"
    return None


def _host(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError
    return parts.hostname, parts.port or port


def _client(address: _Address, stack: AsyncExitStack, threads: Threads) -> Client:
    match address.kind:
        case "sentinel":
            return _watched(address, stack, threads)
        case "cluster":
            # One retry, because the client looks for other nodes only after a command failed on a dead one.
            nodes = [ClusterNode(host, port) for host, port in address.hosts]
            client = RedisCluster(startup_nodes=nodes, retry=Retry(NoBackoff(), 1), **address.settings)
            resolve_names_of_cluster(client, threads)
            return client
        case _:
            return _tried(Redis.from_url(**address.settings, retry=_never()), threads)  # pyright: ignore[reportUnknownMemberType]


def _watched(address: _Address, stack: AsyncExitStack, threads: Threads) -> Redis:
    """Return a client of the master that the Sentinels report."""
    name, _, number = address.path.partition("/")
    if not name:
        raise _refused(Secret("redis+sentinel://"), NO_MASTER)
    for_sentinels = {key: value for key, value in address.settings.items() if key.startswith("ssl")}
    for_sentinels |= {"socket_timeout": SENTINEL_SECONDS, "socket_connect_timeout": SENTINEL_SECONDS}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        address.hosts, sentinel_kwargs={**for_sentinels, "retry": _never()}, **address.settings
    )
    for watcher in sentinel.sentinels:
        resolve_names(watcher, threads)
        stack.push_async_callback(_close, watcher)
    options: dict[str, Any] = {"db": int(number or 0), "retry": _never()}
    return _tried(sentinel.master_for(unquote(name), **options), threads)  # pyright: ignore[reportUnknownMemberType]


def _tried(client: Redis, threads: Threads) -> Redis:
    """Make one connection without opening it: only then does the library check its options."""
    resolve_names(client, threads)
    make: Any = client.connection_pool.make_connection
    make()
    return client


def _never() -> Retry:
    return Retry(NoBackoff(), 0)
