"""`NatsConnection`: requests to a NATS server and its JetStream, over one connection at a time.

Responsible for the URL, for opening a new connection after one has ended, for deadlines, and for judging errors.
Collaborators: nats-py speaks the protocol; its own reconnecting is off, because it would send later what was given up
meanwhile. It does not know what is stored.
"""

import asyncio
import ssl
from base64 import b64decode
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from socket import AF_UNSPEC
from typing import Any, NamedTuple, Self, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import MsgspecError, Struct

from .._visible import visible_line
from ..aio.ending import end_tasks
from ..aio.threads import Threads
from ..aio.throttle import Throttle
from ..api.resolver import lookup
from ..config import Secret
from ..errors import ConfigError, NoThread, QQBotError
from ..models.codec import encode, strict

try:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.errors import AuthorizationError, MaxPayloadError
    from nats.errors import Error as NatsError
except ImportError:
    raise ConfigError(
        "NATS needs the package nats-py: pip install 'aioqqbot[nats]'. "
        "使用 NATS 需要安装 nats-py：pip install 'aioqqbot[nats]'"
    ) from None

OPERATION_SECONDS = 5.0
CONNECT_SECONDS = 2.0  # for each address
PING_SECONDS = 10  # a connection that does not answer two pings has ended
PORT = 4222
NO_RESPONDERS = "503"
WRONG_SEQUENCE = (10071, 10164)
NOT_FOUND = (10037, 10059)  # message, stream
GONE = 10043  # a message that was deleted
EXISTS = 10058  # a stream, with other settings
FULL = 10077
DUPLICATE = 10201
LASTING = (10039, 10074, 10076)  # not enabled, no cluster for replicas: answered with 50x, but no waiting helps

Headers: TypeAlias = dict[str, str]
Message: TypeAlias = Msg
TooLarge = MaxPayloadError  # so that other modules need not import the library before this one has looked for it


class JetStreamError(QQBotError):
    """JetStream refused a request; `code` as in HTTP, `reason` names it exactly."""

    def __init__(self, code: int, reason: int, text: str) -> None:
        super().__init__(f"JetStream refuses: {text} ({code}/{reason})")
        self.code = code
        self.reason = reason


class NatsRefused(QQBotError):
    """The server refuses this user."""


FAILURES: tuple[type[Exception], ...] = (NatsError, OSError, JetStreamError, NatsRefused)
"""All errors of a request that failed, an expired `asyncio.timeout` included."""


def is_away(error: Exception) -> bool:
    """True if a later request may succeed without a correction by a person."""
    if isinstance(error, JetStreamError):
        # A stream that is missing is made again by the next user of it.
        return (error.code >= 500 and error.reason not in LASTING) or error.reason in NOT_FOUND
    return not isinstance(error, NatsRefused | ssl.SSLCertVerificationError | TooLarge)


def worded(error: Exception) -> str:
    """Return an error in one line."""
    return visible_line(f"{type(error).__name__}: {error}".removesuffix(": "))


def refused(error: Exception, what: str) -> ConfigError:
    """Return the error for a server that will not serve us until a person corrects something."""
    return ConfigError(
        f"{what}: NATS refuses us: {worded(error)}. Check user, password and rights in its URL, and that "
        "JetStream is enabled. NATS 拒绝访问，请检查地址中的用户名、密码和权限，并确认已启用 JetStream"
    )


class _ApiError(Struct):
    code: int = 500
    err_code: int = 0
    description: str = ""


class _StreamState(Struct):
    subjects: dict[str, int] | None = None


class _StoredMessage(Struct):
    seq: int
    data: str = ""  # Base64


class JetStreamAnswer(Struct):
    """The fields of JetStream's answers that are read here."""

    error: _ApiError | None = None
    seq: int = 0
    created: str = ""
    config: dict[str, Any] = {}
    state: _StreamState | None = None
    message: _StoredMessage | None = None


class Stored(NamedTuple):
    """The last message of a subject."""

    seq: int
    data: bytes


_decode = strict(JetStreamAnswer)


class NatsAddress(NamedTuple):
    """A URL taken apart, without its options."""

    tls: bool
    hosts: list[tuple[str, int]]
    user: Secret | None
    password: Secret | None
    token: Secret | None

    @property
    def shown(self) -> str:
        """The address without what may be secret."""
        return f"{'tls' if self.tls else 'nats'}://{','.join(f'{host}:{port}' for host, port in self.hosts)}"


def parsed(url: Secret) -> tuple[NatsAddress, dict[str, str]]:
    """Return the address and the options of a URL.  Raises: ConfigError, without showing its password."""
    found = _taken_apart(url.reveal())
    if isinstance(found, str):
        raise ConfigError(
            f"the NATS URL (not shown) cannot be used: {found}. Expected: nats://user:password@host:4222,host:4222 or "
            "nats://token@host, tls:// for TLS; special characters of a password are written as %XX. "
            "NATS 地址无法使用，请检查格式；密码中的特殊字符请写成 %XX"
        )
    return found


def _taken_apart(url: str) -> tuple[NatsAddress, dict[str, str]] | str:
    """Return the parts of a URL, or what is wrong with it; it raises nothing, as its variables hold the password."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in ("nats", "tls"):
        return "it has another scheme"
    try:
        parts = urlsplit(f"//{rest}")
        credentials, found, hosts = parts.netloc.rpartition("@")
        pairs = list[tuple[str, int]]()
        for text in hosts.split(","):
            host = urlsplit(f"//{text}")
            if not host.hostname or " " in host.hostname or host.port == 0:
                return "a host is missing, or a host or a port is wrong"
            pairs.append((host.hostname, PORT if host.port is None else host.port))
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        return "a host or a port is wrong"
    if parts.path not in ("", "/") or parts.fragment or "@" in parts.query:  # it may be the rest of a password
        return "it has a path, or a '#' or an '@' at a wrong place"
    user, colon, password = credentials.partition(":")
    first = Secret(unquote(user)) if found else None
    if colon:
        return NatsAddress(scheme.lower() == "tls", pairs, first, Secret(unquote(password)), None), options
    return NatsAddress(scheme.lower() == "tls", pairs, None, None, first), options


class _Client(Client):
    """The library's client, changed in two points.

    It does not try to send for the last time: if that fails, it leaves its tasks behind. And it never sends a password
    without TLS if TLS was asked for: the library does whatever the server, or one in between, says.
    """

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if initial_connection and "tls" in self.options:
            if not (info.get("tls_required") or info.get("tls_available")):
                raise NatsRefused("the server offers no TLS, and the URL asks for it: enable TLS there, or use nats://")
            info["tls_required"] = True
        await super()._process_info(info, initial_connection)

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        self._pending, self._pending_data_size = [], 0
        await super()._close(status, do_cbs)


class Link:
    """One open connection: answers to requests come to an inbox of its own.

    `on_closed` are called when it has ended, or `refusal` is set: the server names no request that lacks a right.
    """

    def __init__(self) -> None:
        self.client = _Client()
        self.on_closed: set[Callable[[], None]] = set()
        self.refusal: NatsRefused | None = None
        self._waiting: dict[str, asyncio.Future[Message]] = {}
        self._inbox = ""
        self._count = 0
        self._error: Exception = ConnectionError("the connection to the server has ended")

    @property
    def is_open(self) -> bool:
        """True until it has ended."""
        return self.client.is_connected

    async def open(self, url: str, host: str, address: NatsAddress, context: ssl.SSLContext | None) -> None:
        """Connect to one server.  Raises: NatsRefused, OSError, the library's errors."""
        options: dict[str, Any] = {
            "allow_reconnect": False,
            "connect_timeout": CONNECT_SECONDS,
            "max_reconnect_attempts": 1,
            "reconnect_time_wait": 0,
            "ping_interval": PING_SECONDS,
            "error_cb": self._report,
            "closed_cb": self._ended,
            "name": "qqbot",
        }
        for name in ("user", "password", "token"):
            if (value := getattr(address, name)) is not None:
                options[name] = value.reveal()
        if context is not None:
            options.update(tls=context, tls_hostname=host)
        connect: Any = self.client.connect
        try:
            await connect([url], **options)
            self._inbox = self.client.new_inbox()
            await self.subscribe(f"{self._inbox}.*", self._receive)
        except (NatsError, NatsRefused, OSError) as error:
            failure = _judged(self._error if type(self._error) is not ConnectionError else error)
            raise failure.with_traceback(None) from None  # the library's frames hold the password
        finally:
            options.clear()  # a traceback may show the variables of its frames

    async def subscribe(self, subject: str, callback: Callable[[Message], Awaitable[None]]) -> Any:
        """Let the messages of a subject come to `callback`; return the library's subscription."""
        client: Any = self.client  # its methods are partly untyped
        return await client.subscribe(subject, cb=callback)

    async def _report(self, error: Exception) -> None:
        """Keep the error for requests."""
        self._error = _judged(error if isinstance(error, FAILURES) else ConnectionError(worded(error)))
        if isinstance(self._error, NatsRefused):
            self.refusal = self._error
            await self._ended()

    async def _ended(self) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(self._error)
        for callback in list(self.on_closed):
            callback()

    async def _receive(self, message: Message) -> None:
        answer = self._waiting.get(message.subject)
        if answer is not None and not answer.done():
            answer.set_result(message)

    async def ask(self, subject: str, payload: bytes = b"", headers: Headers | None = None) -> Message:
        """Return the answer to a request, whenever it comes.  Raises: OSError, the library's errors."""
        self._count += 1
        inbox = f"{self._inbox}.{self._count}"
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[inbox] = answer
        try:
            if not self.is_open:
                raise self._error
            await self.client.publish(subject, payload, reply=inbox, headers=headers)
            message = await answer
        finally:
            del self._waiting[inbox]
        self._check_status((message.headers or {}).get("Status"))
        return message

    async def ask_all(self, subject: str, payload: bytes) -> list[Message]:
        """Return all answers to a request: the last one has a status.  Raises: OSError, the library's errors."""
        found, ended, status = list[Message](), asyncio.Event(), ""

        async def receive(message: Message) -> None:
            nonlocal status
            status = (message.headers or {}).get("Status", "")
            if status:
                ended.set()
            else:
                found.append(message)

        inbox = self.client.new_inbox()
        subscription = await self.subscribe(inbox, receive)
        self.on_closed.add(ended.set)
        try:
            await self.client.publish(subject, payload, reply=inbox)
            await ended.wait()
            if not status:
                raise self._error
        finally:
            self.on_closed.discard(ended.set)
            if self.is_open:
                await subscription.unsubscribe()
        self._check_status(status)
        return found

    def _check_status(self, status: str | None) -> None:
        if status == NO_RESPONDERS:
            raise ConnectionError("JetStream does not answer: it is not enabled, or has no leader")

    async def close(self) -> None:
        """End the connection, and what the library runs for it."""
        client: Any = self.client
        tasks = [getattr(client, name, None) for name in ("_reading_task", "_ping_interval_task", "_flusher_task")]
        closing = asyncio.create_task(self._close(), name="qqbot nats close")
        try:
            await asyncio.shield(closing)
        finally:
            await end_tasks([closing, *(task for task in tasks if task is not None)])

    async def _close(self) -> None:
        with suppress(NatsError, OSError):
            async with asyncio.timeout(CONNECT_SECONDS):
                await self.client.close()


def _judged(error: Exception) -> Exception:
    """Return a refusal of the server as such."""
    text = str(error).lower()
    final = ("authorization violation", "permissions violation", "authentication expired", "authentication revoked")
    if isinstance(error, AuthorizationError) or any(words in text for words in final):
        return NatsRefused(visible_line(str(error)))
    return error


class NatsConnection:
    """Requests to the servers of one address: an async context manager, entered in the loop that uses it.

    A request opens a connection if there is none. Each has `OPERATION_SECONDS`; one without an answer ends the
    connection, as the next one may lead to a server that lives.
    """

    def __init__(self, address: NatsAddress) -> None:
        self.warnings = Throttle()  # of all that use it: the same outage is logged once
        self._address = address
        self._threads = Threads(2, "qqbot nats")
        self._opening = asyncio.Lock()
        self._link: Link | None = None
        self._next = 0  # the host that is tried first
        self._context = ssl.create_default_context() if address.tls else None

    @property
    def shown(self) -> str:
        """The address without what may be secret."""
        return self._address.shown

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            await self._drop(self._link)
        finally:
            self._threads.close()

    async def link(self) -> Link:
        """Return the open connection, or open one.  Raises: one of FAILURES."""
        async with self._opening:
            if self._link is not None and self._link.is_open:
                return self._link
            await self._drop(self._link)
            failure: Exception = ConnectionError("there is no address")
            hosts = self._address.hosts
            for step in range(len(hosts)):
                place = (self._next + step) % len(hosts)
                try:
                    self._link = await self._connect(*hosts[place])
                except (NatsError, NatsRefused, OSError) as error:
                    failure = error
                else:
                    self._next = place
                    return self._link
            raise failure

    async def _connect(self, host: str, port: int) -> Link:
        failure: Exception = OSError(None, f"{host!r} has no address")
        for found in await self._addresses(host, port):
            link, task = Link(), asyncio.current_task()
            assert task is not None
            before = task.cancelling()
            try:
                async with asyncio.timeout(2 * CONNECT_SECONDS):
                    await link.open(_url(self._address.tls, found, port), host, self._address, self._context)
                _raise_cancellation(task, before)
            except BaseException as error:
                await link.close()
                if not isinstance(error, NatsError | NatsRefused | OSError):
                    raise
                failure = error
            else:
                return link
        raise failure

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        with suppress(ValueError):
            return [str(ip_address(host))]
        try:
            found = await self._threads.run(partial(lookup, host, port, AF_UNSPEC))
        except (NoThread, ValueError) as error:
            raise OSError(None, str(error)) from None
        return [each["host"] for each in found]

    async def _drop(self, link: Link | None) -> None:
        if link is not None:
            if link is self._link:
                self._link = None
            await link.close()

    async def ask(
        self, subject: str, payload: bytes = b"", headers: Headers | None = None, *, link: Link | None = None
    ) -> JetStreamAnswer:
        """Return JetStream's answer; by `link` alone, if one is given.  Raises: one of FAILURES."""
        return await self.publish([(subject, payload, headers)], link=link)

    async def publish(
        self, messages: Sequence[tuple[str, bytes, Headers | None]], *, link: Link | None = None
    ) -> JetStreamAnswer:
        """Send messages over one connection; return the answer to the last one.  Raises: one of FAILURES."""
        try:
            async with asyncio.timeout(OPERATION_SECONDS):
                if link is None:
                    link = await self.link()
                *others, (subject, payload, headers) = messages
                for other in others:
                    await link.client.publish(other[0], other[1], headers=other[2])
                message = await link.ask(subject, payload, headers)
        except TimeoutError:
            await self._drop(link)
            raise TimeoutError(f"no answer within {OPERATION_SECONDS:g} s") from None
        return _checked(message.data)

    async def api(self, what: str, body: object = None, *, link: Link | None = None) -> JetStreamAnswer:
        """Call JetStream's API.  Raises: one of FAILURES."""
        return await self.ask(f"$JS.API.{what}", b"" if body is None else encode(body), link=link)

    async def all_last(self, stream: str, subjects: str) -> dict[str, Stored]:
        """Return the last message of each subject, from any server that has the stream.  Raises: one of FAILURES."""
        link: Link | None = None
        try:
            async with asyncio.timeout(OPERATION_SECONDS):
                link = await self.link()
                request = encode({"multi_last": [subjects]})
                messages = await link.ask_all(f"$JS.API.DIRECT.GET.{stream}", request)
        except TimeoutError:
            await self._drop(link)
            raise TimeoutError(f"no answer within {OPERATION_SECONDS:g} s") from None
        headers = [message.headers or {} for message in messages]
        return {
            each["Nats-Subject"]: Stored(int(each["Nats-Sequence"]), message.data)
            for each, message in zip(headers, messages, strict=True)
        }

    async def last(self, stream: str, subject: str) -> Stored | None:
        """Return the last message of a subject, from the leader of the stream.  Raises: one of FAILURES."""
        try:
            message = (await self.api(f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})).message
        except JetStreamError as error:
            if error.reason in NOT_FOUND:
                return None
            raise
        return None if message is None else Stored(message.seq, b64decode(message.data))


def _checked(data: bytes) -> JetStreamAnswer:
    try:
        answer = _decode(data)
    except MsgspecError as error:
        raise JetStreamError(500, 0, f"an answer cannot be read: {error}") from None
    if answer.error is not None:
        raise JetStreamError(answer.error.code, answer.error.err_code, visible_line(answer.error.description))
    return answer


def _raise_cancellation(task: "asyncio.Task[Any]", before: int) -> None:
    """Raise a cancellation again that the library has swallowed: it waits by `asyncio.wait_for`, which can lose one."""
    if task.cancelling() > before:
        raise asyncio.CancelledError


def _url(tls: bool, address: str, port: int) -> str:
    return f"{'tls' if tls else 'nats'}://{f'[{address}]' if ':' in address else address}:{port}"


async def wait_or(event: asyncio.Event, seconds: float) -> None:
    """Return when `event` is set, or after `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
