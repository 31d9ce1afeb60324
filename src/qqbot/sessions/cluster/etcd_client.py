"""A small client of etcd's v3 API by its JSON gateway: transactions, reads and a watch, over aiohttp.

Responsible for the URL, the members of an etcd and which of them is asked, the token of a user, the deadline of a call
and the meaning of what etcd refuses. Collaborators: `etcd_store` knows which keys there are.
Requests never go through a proxy and follow no redirect. A call may reach two members, if the first does not answer in
time, and the first may carry it out late: so each transaction has to compare what it relies on.
"""

import asyncio
import contextlib
import io
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple, Self, TypeAlias, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import aiohttp
from msgspec import MsgspecError, Struct
from yarl import URL

from ..._visible import visible_line
from ...aio.threads import Threads
from ...api.network import NETWORK_ERRORS
from ...api.resolver import ThreadResolver
from ...config import Secret, is_host, printable, scheme_shown
from ...errors import ConfigError, NoThread
from ...models.codec import Decode, encode, fast
from .store import StoreAway

PORT = 2379
MOST_OPERATIONS = 100  # in one transaction: etcd allows 128 (--max-txn-ops)
MOST_ANSWER_BYTES = 64 * 1024 * 1024
LONGEST_LINE = 4096  # of a watch in which nothing has happened

UNREADABLE = (MsgspecError, ValueError, RecursionError)
"""What decoding raises for JSON that is not ours."""

PERMISSION_DENIED, UNAUTHENTICATED = 7, 16  # codes of gRPC
OLD_TOKEN = ("invalid auth token", "revision of auth store is old", "user name is empty")
NO_ENTRY = ("authentication failed", "authentication is not enabled", "permission denied", "user name not found")
NO_SPACE = "database space exceeded"
REFUSING = (400, 401, 403, 421)  # etcd gives the reason as plain text: a certificate or host name that it does not want
AUTHENTICATE, RANGE = "/v3/auth/authenticate", "/v3/kv/range"
TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")

Body: TypeAlias = dict[str, object]
T = TypeVar("T")


class EtcdRefused(Exception):
    """etcd refuses the user, or is none with this API: that stays until a person corrects it. `user`: the former."""

    def __init__(self, words: str, *, user: bool) -> None:
        super().__init__(words)
        self.user = user


class Header(Struct, frozen=True):
    """Where an answer comes from."""

    cluster_id: str
    revision: int


class KeyValue(Struct, frozen=True):
    """One key as it is stored."""

    key: bytes = b""
    value: bytes = b""
    create_revision: int = 0
    mod_revision: int = 0


class Found(Struct, frozen=True):
    """What a read found."""

    header: Header
    kvs: tuple[KeyValue, ...] = ()


class _Keys(Struct, frozen=True):
    kvs: tuple[KeyValue, ...] = ()


class _Operation(Struct, frozen=True):
    response_range: _Keys | None = None


class TxnAnswer(Struct, frozen=True):
    """What came of a transaction: whether all comparisons held, and what its reads found, in order."""

    header: Header
    succeeded: bool = False
    responses: tuple[_Operation, ...] = ()

    @property
    def found(self) -> list[tuple[KeyValue, ...]]:
        """The keys that each read found."""
        return [each.response_range.kvs for each in self.responses if each.response_range is not None]


class _Token(Struct, frozen=True):
    token: str = ""


class _Error(Struct, frozen=True):
    error: object = None
    message: str = ""
    code: int = 0


class _Watched(Struct, frozen=True):
    created: bool = False
    canceled: bool = False
    events: tuple[object, ...] = ()


class _WatchLine(Struct, frozen=True):
    result: _Watched = _Watched(canceled=True)


class _ServerVersion(Struct, frozen=True):
    etcdserver: str = ""


_found, _answer, _watched = fast(Found), fast(TxnAnswer), fast(_WatchLine)
_token, _version, _error = fast(_Token), fast(_ServerVersion), fast(_Error)


# What a transaction consists of


def get(key: str, *, prefix: bool = False, **options: object) -> Body:
    """Return the operation that reads a key, or all that begin with it."""
    return {"request_range": range_of(key, prefix=prefix) | options}


def put(key: str, value: str) -> Body:
    """Return the operation that writes a key."""
    return {"request_put": {"key": key.encode(), "value": value.encode()}}


def delete(key: str, *, prefix: bool = False, end: str = "") -> Body:
    """Return the operation that deletes a key, all that begin with it, or all from it up to `end`."""
    return {"request_delete_range": range_of(key, prefix=prefix, end=end)}


def unchanged(key: str, mod_revision: int) -> Body:
    """Return the comparison that holds while a key is as it was at `mod_revision`; 0: while it does not exist."""
    return {"key": key.encode(), "target": "MOD", "result": "EQUAL", "mod_revision": str(mod_revision)}


def range_of(key: str, *, prefix: bool = False, end: str = "") -> Body:
    """Return the fields that name a key or a range of keys."""
    first = key.encode()
    last = end.encode() or (first[:-1] + bytes([first[-1] + 1]) if prefix else b"")
    return {"key": first, "range_end": last} if last else {"key": first}


# The URL


class _EtcdUrl(NamedTuple):
    """A URL taken apart."""

    members: list[str]
    user: str
    password: Secret
    tls: dict[str, str]


def check_url(url: Secret) -> None:
    """Check `url` without connecting.  Raises: ConfigError, without showing its password."""
    _parsed(url)


def shown(url: Secret) -> str:
    """Return the URL's scheme and hosts."""
    scheme, _, rest = url.reveal().strip().partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"


def _parsed(url: Secret) -> _EtcdUrl:
    found = _taken_apart(url.reveal().strip())
    if isinstance(found, str):
        raise _unusable(url, found)
    return found


def _unusable(url: Secret, why: str) -> ConfigError:
    return ConfigError(
        f"the etcd URL (scheme {scheme_shown(url)}, the rest is not shown) cannot be used: {why}. Expected: "
        "etcd://user:password@host:2379,host2:2379, or etcds:// for TLS, with "
        f"{', '.join(TLS_OPTIONS)} after a '?'; special characters of a password are written as %XX. "
        "etcd 地址无法使用，请检查格式；密码中的特殊字符请写成 %XX"
    )


def _taken_apart(url: str) -> _EtcdUrl | str:
    """Return the parts of a URL, or what is wrong with it; it raises nothing, as its variables hold the password."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("etcd", "etcds") or not url.isprintable():  # urlsplit leaves line breaks out, also of a password
        return "it has another scheme, or a line break inside"
    try:
        parts = urlsplit(f"//{rest}")
        user, _, hosts = parts.netloc.rpartition("@")
        name, _, password = user.partition(":")
        members = [_member(text, "https" if scheme == "etcds" else "http") for text in hosts.split(",")]
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        return "its hosts or options are not understood"
    if parts.path.strip("/") or parts.fragment:
        return "nothing but options may follow the hosts"
    lonely = "ssl_keyfile" in options and "ssl_certfile" not in options
    if lonely or options.keys() - (set(TLS_OPTIONS) if scheme == "etcds" else set()):
        return "an option after the '?' is not known, or a key has no certificate"
    if user and not (name and password):
        return "a user needs a name and a password"
    return _EtcdUrl(members, unquote(name), Secret(unquote(password)), options)


def _member(text: str, scheme: str) -> str:
    parts = urlsplit(f"//{text}")
    name = URL(f"{scheme}://{text}").raw_host or ""  # in ASCII
    if not is_host(name) or parts.username is not None or parts.port == 0:
        raise ValueError
    host = f"[{name}]" if ":" in name else name
    return f"{scheme}://{host}:{parts.port or PORT}"


# The client


class EtcdClient:
    """The members of one etcd; an async context manager that opens and closes the connections."""

    def __init__(self, url: Secret) -> None:
        self._address = _parsed(url)
        self._token = Secret("")  # of the user; '' until it is asked for, and after etcd refused it
        self._asking: asyncio.Lock  # for a token: made inside the loop
        self._session: aiohttp.ClientSession
        self._current = 0  # the member that answered last
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            threads = Threads(2, "qqbot etcd")
            stack.callback(threads.close)
            tls: ssl.SSLContext | bool = True
            if self._address.members[0].startswith("https:"):
                tls = await threads.run(self._tls)
            connector = aiohttp.TCPConnector(limit=0, resolver=ThreadResolver(threads), ssl=tls)
            session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
            self._session = await stack.enter_async_context(session)
            self._asking, self._token = asyncio.Lock(), Secret("")
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    def _tls(self) -> ssl.SSLContext:
        """Return what the options say.  Raises: ConfigError for a file that cannot be used."""
        ca, certificate, key = (self._address.tls.get(name) for name in TLS_OPTIONS)
        try:
            context = ssl.create_default_context(cafile=ca)
            if certificate is not None:
                context.load_cert_chain(certificate, key, password="")  # without one, OpenSSL asks at the terminal
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the etcd URL names a certificate that cannot be used ({type(error).__name__}: {error}): check "
                f"{', '.join(TLS_OPTIONS)}. etcd 地址中的证书文件无法使用，请检查这些选项"
            ) from None
        return context

    async def txn(
        self, compare: Sequence[Body], success: Sequence[Body], failure: Sequence[Body] = (), *, until: float
    ) -> TxnAnswer:
        """Carry out `success` if all comparisons hold, else `failure`; all of it at once.

        `until`: the deadline, by the clock of the loop.  Raises: StoreAway, EtcdRefused.
        """
        body: Body = {"compare": compare, "success": success, "failure": failure}
        answer = await self._call("/v3/kv/txn", body, _answer, until)
        done = success if answer.succeeded or not compare else failure
        if len(answer.found) != sum("request_range" in each for each in done):
            raise StoreAway("an answer to another transaction")
        return answer

    async def range(self, key: str, *, prefix: bool = False, until: float, **options: object) -> Found:
        """Read a key, or all that begin with it; `options` are fields of the request.

        Raises: StoreAway, EtcdRefused.
        """
        return await self._call(RANGE, range_of(key, prefix=prefix) | options, _found, until)

    async def cluster_ids(self, key: str, *, until: float) -> set[str]:
        """Return the ids of the etcds that the members of the URL belong to, as far as they answer when `key` is read.

        A member that is not of the same etcd as the others would split the cluster in two.
        """
        members, found = self._address.members, set[str]()
        for left, member in zip(range(len(members), 0, -1), members, strict=True):
            now = asyncio.get_running_loop().time()
            with contextlib.suppress(StoreAway, EtcdRefused):
                async with within(now + (until - now) / left):
                    found.add((await self._ask(member, RANGE, range_of(key), _found)).header.cluster_id)
        return found

    async def version(self, *, until: float) -> str:
        """Return the version of the server, '' if it names none.  Raises: StoreAway, EtcdRefused."""
        return (await self._call("/version", None, _version, until)).etcdserver

    async def changed(self, prefix: str, revision: int) -> None:
        """Return when a key that begins with `prefix` changed at `revision` or later, or when no watch is possible.

        Raises: StoreAway, EtcdRefused. The caller sets the deadline.
        """
        request: Body = {"create_request": range_of(prefix, prefix=True) | {"start_revision": str(revision)}}
        member = self._address.members[self._current]
        async with self._sent(member, "/v3/watch", request, await self._token_of(member)) as response:
            line = bytearray()
            async for chunk in response.content.iter_any():
                line += chunk
                *whole, rest = line.split(b"\n")
                if len(rest) > LONGEST_LINE or any(map(_is_news, whole)):
                    return
                line = rest

    # Calls

    async def _call(self, path: str, body: Body | None, decode: Decode[T], until: float) -> T:
        """Ask one member after another until one answers, at least twice.  Raises: StoreAway, EtcdRefused."""
        members = self._address.members
        failures = list[StoreAway | EtcdRefused]()
        for left in range(max(len(members), 2), 0, -1):
            now, number = asyncio.get_running_loop().time(), self._current
            if now >= until:
                break
            try:
                async with within(now + (until - now) / min(left, len(members))):
                    return await self._ask(members[number], path, body, decode)
            except (StoreAway, EtcdRefused) as error:
                if isinstance(error, EtcdRefused) and error.user:
                    raise  # every member has the same users
                failures.append(error)
                if self._current == number:  # else another call has moved on already
                    self._current = (number + 1) % len(members)
        away = [error for error in failures if isinstance(error, StoreAway)]
        raise (away or failures or [StoreAway("no answer in time")])[-1]

    async def _ask(self, member: str, path: str, body: Body | None, decode: Decode[T]) -> T:
        token = await self._token_of(member)
        try:
            return await self._answer(member, path, body, decode, token)
        except _OldToken:
            if self._token is token:  # else another call has a new one already
                self._token = Secret("")
        try:
            return await self._answer(member, path, body, decode, await self._token_of(member))
        except _OldToken as old:
            raise EtcdRefused(str(old), user=True) from None

    async def _token_of(self, member: str) -> Secret:
        """Return the token of the user, '' if there is no user."""
        if not self._address.user:
            return self._token
        async with self._asking:
            if not self._token:
                body = self._credentials()
                token = Secret((await self._answer(member, AUTHENTICATE, body, _token, self._token)).token)
                if not token or not printable(token.reveal()):  # no header can carry it
                    raise StoreAway(f"{member} answers, but not as etcd does")
                self._token = token
            return self._token

    def _credentials(self) -> Secret:
        """Return the body that asks for a token."""
        return Secret(encode({"name": self._address.user, "password": self._address.password.reveal()}).decode())

    async def _answer(self, member: str, path: str, body: Body | Secret | None, decode: Decode[T], token: Secret) -> T:
        """Send one request to one member.  Raises: StoreAway, EtcdRefused."""
        async with self._sent(member, path, body, token) as response:
            data = await _read(response)
        if response.status != 200:
            raise _refusal(response.status, data, renewable=bool(token))
        try:
            return decode(data)
        except UNREADABLE:
            raise StoreAway(f"{member} answers, but not as etcd does") from None

    @asynccontextmanager
    async def _sent(
        self, member: str, path: str, body: Body | Secret | None, token: Secret
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Yield the answer's head.  Raises: StoreAway if the connection fails, also later."""
        try:
            async with self._session.request(
                "GET" if body is None else "POST",
                URL(member + path, encoded=True),
                data=None if body is None else _sendable(body),
                headers={"Authorization": token.reveal()} if token else {},
                timeout=aiohttp.ClientTimeout(total=None),  # the caller sets the deadline
                allow_redirects=False,  # a redirect would carry the password and the token elsewhere
            ) as response:
                yield response
                return
        except TimeoutError:
            raise
        except NETWORK_ERRORS as error:
            away = StoreAway(_cause(member, error))
        # Raised outside of the except block: some exceptions of aiohttp carry the request's headers, with the token.
        raise away


def _sendable(body: Body | Secret) -> io.BytesIO:
    """Return the bytes of a body as aiohttp sends them in parts: the record of a large cluster has more than 1 MB."""
    return io.BytesIO(body.reveal().encode() if isinstance(body, Secret) else encode(body))


def _is_news(line: bytearray) -> bool:
    """True if something happened, also if it is the end of the watch."""
    if not line.strip():
        return False
    try:
        found = _watched(bytes(line)).result
    except UNREADABLE:
        return True
    return found.canceled or bool(found.events)


class _OldToken(Exception):
    """The user needs another token: this one is too old, or another member does not know it."""


@asynccontextmanager
async def within(until: float) -> AsyncGenerator[None]:
    """Set a deadline, by the clock of the loop.  Raises: StoreAway when it has passed."""
    try:
        async with asyncio.timeout_at(until):
            yield
            return
    except TimeoutError:
        pass
    raise StoreAway("no answer in time")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MOST_ANSWER_BYTES:
            raise StoreAway(f"the answer has more than {MOST_ANSWER_BYTES} bytes")
    return bytes(body)


def _cause(member: str, error: Exception) -> str:
    """Return what went wrong, without what was sent."""
    tls = error.__cause__
    if isinstance(tls, ssl.SSLError):
        words = tls.verify_message if isinstance(tls, ssl.SSLCertVerificationError) else tls.reason or str(tls)
        return visible_line(f"{member}: TLS failed ({words}): check {', '.join(TLS_OPTIONS)}. TLS 失败，请检查证书选项")
    if isinstance(error, aiohttp.ServerDisconnectedError) or isinstance(tls, ConnectionResetError):
        other = "no TLS, write etcd://" if member.startswith("https:") else "TLS, write etcds://"
        return f"{member}: it closed the connection; if it expects {other}. 对方关闭了连接，请检查它是否启用了 TLS"
    if isinstance(error, aiohttp.ClientConnectorError | NoThread):
        return visible_line(f"{member}: {error}")
    return f"{member}: the connection broke ({type(error).__name__})"


def _refusal(status: int, data: bytes, *, renewable: bool) -> Exception:
    """Return the error for an answer that is none; `renewable`: a token was sent."""
    try:
        found = _error(data)
    except UNREADABLE:
        found = _Error()
    words = visible_line(found.message or (found.error if isinstance(found.error, str) else ""))
    if renewable and (found.code == UNAUTHENTICATED or any(each in words for each in OLD_TOKEN)):
        return _OldToken(words)
    if found.code in (PERMISSION_DENIED, UNAUTHENTICATED) or any(each in words for each in (*OLD_TOKEN, *NO_ENTRY)):
        return EtcdRefused(words, user=True)
    if not words and status in (301, 302, 303, 307, 308, 404, 405):
        return EtcdRefused(
            f"HTTP {status}, so this is no etcd from 3.4 on, or it runs with --enable-grpc-gateway=false", user=False
        )
    if not words and status in REFUSING:
        text = visible_line(data.decode(errors="replace").strip())
        return EtcdRefused(f"HTTP {status}{text and ': '}{text}", user=False)
    if NO_SPACE in words:
        words += ": compact and defragment it, then `etcdctl alarm disarm`. etcd 空间已满，请压缩、整理碎片并解除告警"
    return StoreAway(words or f"HTTP {status}")
