"""Where the store is: the URL of a Redis or Valkey server, of one behind Sentinels, or of a Cluster; and its client.

Owns the forms of the URL. What it holds besides hosts is never shown: an error names hosts alone. `redis` is
imported when a client is made, not before.
"""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from ..config import Secret
from ..errors import ConfigError

FORMS = (
    "redis://host:6379, rediss://host:6379 (TLS), unix:///path, redis+sentinel://host:26379,host:26379/master or "
    "redis+cluster://host:6379,host:6379"
)
PORTS = {"sentinel": 26379, "cluster": 6379}
SENTINEL_SECONDS = 0.5  # one that hangs must not use up the time in which the others could answer


class Address(Struct, frozen=True):
    """A URL, taken apart. `kind`: "server", "sentinel" or "cluster"."""

    kind: str
    url: Secret
    hosts: tuple[tuple[str, int], ...]
    tls: bool
    username: str | None
    password: Secret | None
    path: str
    options: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read a URL.  Raises: ConfigError, without the password."""
        try:
            return _parse(url)
        except ValueError:  # its text may hold the URL
            problem = (
                f"the URL of Redis is not understood: use {FORMS} (what was given is not shown: it may hold a secret)"
            )
        raise ConfigError(f"{problem}. Redis 地址无法识别，请检查 QQBOT_REDIS_URL")

    def __str__(self) -> str:
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts) or self.path
        return f"{hosts}/{self.path}" if self.kind == "sentinel" else hosts

    def client(self) -> Any:
        """Return a new client, which connects when it is used: no retries, one of its own for whoever asks."""
        from redis.asyncio import Redis  # noqa: PLC0415 - only who uses it pays for the import
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        retry = Retry(NoBackoff(), 0)
        if self.kind == "cluster":
            return self._cluster()
        if self.kind == "sentinel":
            return self._sentinel(retry)
        return Redis.from_url(self.url.reveal(), decode_responses=True, socket_timeout=None, retry=retry)

    def _login(self) -> dict[str, Any]:
        password = None if self.password is None else self.password.reveal()
        return {"username": self.username, "password": password, "ssl": self.tls, "decode_responses": True}

    def _cluster(self) -> Any:
        from redis.asyncio.cluster import ClusterNode, RedisCluster  # noqa: PLC0415

        nodes = [ClusterNode(host, port) for host, port in self.hosts]
        return RedisCluster(startup_nodes=nodes, socket_timeout=None, **self._login(), **dict(self.options))

    def _sentinel(self, retry: Any) -> Any:
        from redis.asyncio.sentinel import Sentinel  # noqa: PLC0415

        options = dict(self.options)
        watchers: dict[str, Any] = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
        watchers |= {"ssl": self.tls, "socket_timeout": SENTINEL_SECONDS, "socket_connect_timeout": SENTINEL_SECONDS}
        sentinel = Sentinel(self.hosts, sentinel_kwargs=watchers, socket_timeout=None, **self._login(), **options)
        return sentinel.master_for(self.path, retry=retry)


def _parse(url: str) -> Address:
    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    kind = kind or "server"
    if scheme not in ("redis", "rediss", "unix") or kind not in ("server", *PORTS):
        raise ValueError
    if scheme == "unix" and (kind != "server" or not parts.path):
        raise ValueError
    login, _, netloc = parts.netloc.rpartition("@")
    username, _, password = login.partition(":")
    hosts = tuple(_host(host, PORTS.get(kind, 6379)) for host in netloc.split(",")) if netloc else ()
    path = parts.path if scheme == "unix" else parts.path.strip("/")
    if (scheme != "unix" and not hosts) or (kind == "server" and len(hosts) > 1) or (kind == "sentinel" and not path):
        raise ValueError
    return Address(
        kind=kind,
        url=Secret(url),
        hosts=hosts,
        tls=scheme == "rediss",
        username=unquote(username) or None,
        password=Secret(unquote(password)) if password else None,
        path=path,
        options=tuple(parse_qsl(parts.query, strict_parsing=bool(parts.query))),
    )


def _host(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError
    return parts.hostname, parts.port or port
