"""`PulsarSink`, `PulsarSource`: a partitioned topic of Apache Pulsar, or of TDMQ for Pulsar, between intake and logic.

Responsible for the form of a message, for the owners of the partitions (an Exclusive subscription to each; workers
announce themselves on a control topic), for what a dead worker had open (a second subscription follows what was
delivered), and for fencing. Collaborators: `pulsar-client`, which runs on threads of its own, and
`aio.partition_shares` (how many each worker owns), `partition_claims` (which are its own). It runs no handler, and
creates no partitioned topic: that needs the administration of the cluster.
"""

import asyncio
import logging
import math
import os
import re
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar, cast
from urllib.parse import parse_qsl, unquote

from msgspec import MsgspecError, Struct

from .._visible import visible_line
from ..aio.background import background, repeat
from ..aio.clock import steady
from ..aio.partition_shares import PartitionShares, new_worker_name
from ..aio.threads import Threads
from ..aio.throttle import Throttle
from ..aio.unawaited import take_error
from ..aio.until_done import until_done
from ..config import Secret, hidden
from ..errors import ConfigError, FencedOut, QQBotError
from ..lease import LeaseDeadline, Ownership
from ..models.codec import pack, unpacker
from ..models.gateway import ShardKey
from ..models.ingest import PARTITIONS, Envelope, Fence, Received, check_partitions, partition_of
from .partition_claims import PartitionClaims

try:
    pulsar: Any = import_module("pulsar")  # it has no types
    client_library: Any = import_module("pulsar.asyncio")
except ImportError:
    raise ConfigError(
        "Pulsar needs the package pulsar-client, which has wheels for Linux, macOS and Windows on common processors: "
        "pip install 'aioqqbot[pulsar]'. 使用 Pulsar 需要安装 pulsar-client：pip install 'aioqqbot[pulsar]'"
    ) from None

log = logging.getLogger(__name__)

T = TypeVar("T")
Place: TypeAlias = tuple[int, int]
"""Where a message is in its partition: ledger and entry. Later messages have a larger one."""

VERSION = "1"
WORKERS, BEGUN = "qqbot-workers", "qqbot-begun"
"""The subscriptions of each partition: what is not finished; what no worker got, which also decides who owns it."""
TTL = 10.0
BEAT_SECONDS = 1.0
LISTEN_SECONDS = 0.15
GREETING_SECONDS = 0.4  # in which the other workers answer one that begins
WATCH_SECONDS = 0.1
OPERATION_SECONDS = 5
CALL_SECONDS = 10.0  # of any call: the library does not end each of them by itself
CLOSE_SECONDS, LATE_SECONDS = 5.0, 0.3
RETRY_SECONDS = 0.5
LARGEST_BATCH = 128
MOST_PENDING = 500  # messages of one partition on their way to the broker

FAILURES: tuple[type[Exception], ...] = (client_library.PulsarException, TimeoutError)
"""What the library, and a broker that is away, make a call raise."""

FINAL = (
    "AuthenticationError",
    "AuthorizationError",
    "InvalidConfiguration",
    "InvalidTopicName",
    "InvalidUrl",
    "TopicNotFound",
    "TopicTerminated",
    "UnsupportedVersionError",
)
"""Results that stay until a person corrects something."""

SERVICES = {"pulsar": "pulsar", "pulsar+ssl": "pulsar+ssl", "pulsar+http": "http", "pulsar+https": "https"}
"""By the scheme of our URL: that of the library, which looks brokers up by HTTP too."""

FORM = "pulsar://:TOKEN@host:6650/tenant/namespace?topic=NAME&partitions=16"
TOPIC = re.compile(r"(?!.*-partition-)[A-Za-z0-9._=-]{1,128}")
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s\[\]:]+)(:\d{1,5})?")

decode_envelope = unpacker(Envelope)


def _into_a_live_loop(answer: Callable[..., None]) -> Callable[..., None]:
    """Return the library's way to answer a call, but one that does nothing after the end of the loop.

    It raises there otherwise, in a thread of C++, which aborts the process.
    """

    def guarded(*arguments: object, **named: object) -> None:
        with suppress(RuntimeError):
            answer(*arguments, **named)

    return guarded


for _name in ("_set_future", "_set_future_v2"):
    setattr(client_library, _name, _into_a_live_loop(getattr(client_library, _name)))


class _ShardClaim(Struct, frozen=True, tag="claim"):
    """On the control topic: the owner of a shard with this token publishes from here on."""

    shard: str
    token: int


class _WorkerBeat(Struct, frozen=True, tag="beat"):
    """On the control topic: a worker is alive, and owns these partitions, or is about to.

    `partitions`: each belongs to the first worker that announces it, until that worker does not any more. `leaves`: it
    wants no partitions, and releases these. `began`: the place of its first beat, None in that one.
    """

    worker: str
    partitions: list[int] = []
    leaves: bool = False
    began: Place | None = None


class _ReaderHello(Struct, frozen=True, tag="hello"):
    """On the control topic: the place after which its sender reads."""


_Control: TypeAlias = _ShardClaim | _WorkerBeat | _ReaderHello
_decode_control = unpacker(cast("type[_Control]", _ShardClaim | _WorkerBeat | _ReaderHello))


class _PulsarTopic(Struct, frozen=True):
    """The broker, and the topic in it."""

    service: str
    namespace: str
    topic: str
    partitions: int
    token: Secret | None
    ca: str | None

    @property
    def full_topic(self) -> str:
        """The topic with its tenant and namespace."""
        return f"persistent://{self.namespace}/{self.topic}"


def _address(url: str | Secret, topic: str | None, partitions: int | None) -> _PulsarTopic:
    """Return what `url` names; the arguments come before its options.  Raises: ConfigError, without the token."""
    base, _, query = hidden(url).reveal().partition("?")
    del url  # a traceback may show the variables of its frames
    scheme, found, rest = base.partition("://")
    service = SERVICES.get(scheme.lower()) if found else None
    place, _, path = rest.partition("/")
    user, _, hosts = place.rpartition("@")
    options = dict(parse_qsl(query, keep_blank_values=True))
    namespace = path.strip("/") or "public/default"
    token = options.pop("token", "") or unquote(user.partition(":")[2])
    topic = options.pop("topic", "events") if topic is None else topic
    number = options.pop("partitions", str(PARTITIONS)) if partitions is None else str(partitions)
    ca = options.pop("ca", None)
    # A special character in the token ends it, and the rest would be taken for a path, or the name of an option.
    readable = "@" not in f"{path}{query}" and all(map(HOST.fullmatch, hosts.split(",")))
    if service is None or not readable or namespace.count("/") != 1:
        raise ConfigError(
            f"the Pulsar URL (not shown) cannot be used: expected {FORM}; special characters of a token are written as "
            "%XX. Pulsar 地址无法使用，请检查格式；token 中的特殊字符请写成 %XX"
        )
    if user and ":" not in user:
        raise ConfigError(f"the Pulsar URL has a user: the token is its password, as in {FORM}. token 前应有冒号")
    if options:
        unknown = ", ".join(visible_line(name, 20) for name in sorted(options))
        raise ConfigError(
            f"the Pulsar URL has unknown options: {unknown}; known: topic, partitions, token, ca. 地址中有未知选项"
        )
    if not TOPIC.fullmatch(topic):
        raise ConfigError(
            f"topic={topic[:40]!r} is not a valid name: use 1 to 128 of A-Z, a-z, 0-9, '.', '_', '=' and '-', without "
            "'-partition-'; tenant and namespace stand in the path of the URL. "
            "topic 名称无法使用；租户和命名空间请写在地址的路径里"
        )
    count = int(number) if number.isascii() and number.isdigit() and len(number) < 5 else 0
    check_partitions(count)
    return _PulsarTopic(f"{service}://{hosts}", namespace, topic, count, Secret(token) if token else None, ca)


def _is_final(error: Exception) -> bool:
    """True if a person has to correct something; every other of the `FAILURES` may pass."""
    return isinstance(error, client_library.PulsarException) and _result(error) in FINAL


def _result(error: Exception) -> str:
    untyped: Any = error
    return str(untyped.error().name)


def _worded(error: Exception) -> str:
    """Return an error of the library in one line."""
    return _result(error) if isinstance(error, client_library.PulsarException) else type(error).__name__


def _refused(error: Exception, what: str, address: _PulsarTopic) -> ConfigError:
    """Return the error for a broker that will not serve us until a person corrects something."""
    return ConfigError(
        f"{what}: Pulsar refuses us for {address.full_topic}: {_worded(error)}. Check the token and its rights, and "
        f"that the topics {address.topic} and {address.topic}-control exist. "
        "Pulsar 拒绝访问，请检查 token 及其权限，以及 topic 是否已创建"
    )


class _PulsarConnection:
    """A client of the library within one event loop; its calls end before the loop does.

    The library answers from its own threads. A call that is given up goes on there, so it stays a task of ours, and the
    client is closed before the loop may be: an answer to a closed loop would raise in the library's thread.
    """

    def __init__(self, address: _PulsarTopic, what: str) -> None:
        self.address = address
        self.what = what
        self._warnings = Throttle()
        self._calls: set[asyncio.Future[Any]] = set()
        if address.ca is not None and not Path(address.ca).is_file():
            raise ConfigError(f"{what}: ca={visible_line(address.ca, 200)} is no file. 找不到 ca 指定的证书文件")
        try:
            self.client: Any = client_library.Client(
                address.service,
                authentication=pulsar.AuthenticationToken(address.token.reveal()) if address.token else None,
                operation_timeout_seconds=OPERATION_SECONDS,
                connection_timeout_ms=OPERATION_SECONDS * 1000,
                tls_trust_certs_file_path=address.ca or ssl.get_default_verify_paths().cafile,
                tls_validate_hostname=True,
                # It would write to stdout; a logger of Python would be called by its threads until the process ends.
                logger=pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull),
            )
        except (RuntimeError, TypeError, ValueError):
            raise ConfigError(
                f"the Pulsar URL cannot be used: expected {FORM}. Pulsar 地址无法使用，请检查格式"
            ) from None

    def start(self, call: Awaitable[T]) -> "asyncio.Future[T]":
        """Begin a call, which goes on even if no task waits for it any more."""
        future = asyncio.ensure_future(call)
        self._calls.add(future)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, call: "asyncio.Future[Any]") -> None:
        self._calls.discard(call)
        take_error(call)  # its caller may have given up

    async def call(self, call: Awaitable[T]) -> T:
        """Return the result of a call.  Raises: what the library raises; TimeoutError if it does not do so in time."""
        async with asyncio.timeout(CALL_SECONDS):
            return await asyncio.shield(self.start(call))

    def drop(self, thing: Any) -> None:
        """Close a producer, a consumer or a reader; do not wait for that."""
        if thing is not None:
            self.start(thing.close())

    async def close(self) -> None:
        """Close the client, and let all calls end, also if this is cancelled."""
        closing = asyncio.create_task(self._close(), name="qqbot pulsar close")
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait([closing])
            raise

    async def _close(self) -> None:
        # Not by the asyncio side, which learns of the end from a thread that goes on for a moment, and then aborts the
        # process if the interpreter has ended meanwhile; this call returns when the library's threads have ended.
        threads = Threads(1, "qqbot pulsar")
        try:
            await asyncio.wait([self.start(threads.submit(self.client._client.close))], timeout=CLOSE_SECONDS)
        finally:
            threads.close()
        late = set(self._calls)  # the library answers what the end of the client has cut short, but not always
        if late:
            await asyncio.wait(late, timeout=LATE_SECONDS)
            for call in late:
                call.cancel()
            await asyncio.wait(late)

    async def partitions(self) -> list[str]:
        """Return the topics of the partitions.  Raises: ConfigError for another number; what the library raises."""
        address = self.address
        names: list[str] = await self.call(self.client.get_topic_partitions(address.full_topic))
        if names == [address.full_topic] and address.partitions > 1:
            raise ConfigError(
                f"the topic {address.full_topic} does not exist, or has no partitions: create it with "
                f"{address.partitions} partitions. topic 不存在或没有分区，请创建 {address.partitions} 个分区的 topic"
            )
        if len(names) != address.partitions:
            raise ConfigError(
                f"the topic {address.full_topic} has {len(names)} partitions, not {address.partitions}: "
                f"use partitions={len(names)}, or create the topic with {address.partitions}. "
                f"topic 的分区数与要求的不一致，请改用 {len(names)}，或创建 {address.partitions} 个分区的 topic"
            )
        return names

    async def producer(self, topic: str) -> Any:
        """Return a producer that sends each message by itself, so that each can be acknowledged by itself."""
        return await self.call(
            self.client.create_producer(
                topic,
                batching_enabled=False,
                max_pending_messages=2 * MOST_PENDING,
                send_timeout_millis=OPERATION_SECONDS * 1000,
            )
        )

    async def consumer(self, topic: str, subscription: str, queue: int, *, exclusive: bool = False) -> Any:
        """Return a consumer; while an exclusive one has to wait for another one, the library tries for a while."""
        subscribing = self.start(
            self.client.subscribe(
                topic,
                subscription,
                consumer_type=pulsar.ConsumerType.Exclusive if exclusive else pulsar.ConsumerType.Shared,
                initial_position=pulsar.InitialPosition.Earliest,
                receiver_queue_size=queue,
            )
        )
        try:
            return await asyncio.shield(subscribing)
        except asyncio.CancelledError:
            subscribing.add_done_callback(self._leave)
            raise

    def _leave(self, subscribing: "asyncio.Future[Any]") -> None:
        """Release a subscription that is not wanted any more."""
        if not subscribing.cancelled() and subscribing.exception() is None:
            self.drop(subscribing.result())

    def away(self, error: Exception) -> None:
        """Log that the broker is away.  Raises: ConfigError if it refuses us."""
        if _is_final(error):
            raise _refused(error, self.what, self.address) from None
        if self._warnings.ready():
            log.warning(
                "%s: %s does not answer, or refuses the token; waiting until it does: %s. "
                "Pulsar 无响应或拒绝了 token，正在等待",
                self.what,
                self.address.service,
                _worded(error),
            )

    def back(self) -> None:
        """Let the next outage be logged at once."""
        self._warnings.reset()


class _ControlTopic:
    """What workers and sinks announce to each other, from the moment that this one began to read."""

    def __init__(self, connection: _PulsarConnection, hear: Callable[[_Control, Place], None]) -> None:
        self._connection = connection
        self._hear = hear
        self._lock = asyncio.Lock()
        self._producer: Any = None
        self._reader: Any = None
        self._position: Any = None  # the id of the last message that was read

    async def send(self, message: _Control) -> Place:
        """Store a message; return its place.  Raises: what the library raises."""
        async with self._lock:
            await self._open()
            try:
                return _place(await self._send(message))
            except FAILURES:
                self._drop()
                raise

    async def catch_up(self) -> None:
        """Return when all was read that was stored when this was called.  Raises: what the library raises."""
        async with self._lock:
            await self._open()
            call = self._connection.call
            try:
                async with asyncio.timeout(OPERATION_SECONDS):
                    while await call(self._reader.has_message_available()):
                        message = await call(self._reader.read_next())
                        self._position = message.message_id()
                        with suppress(MsgspecError):  # a newer release may announce more
                            self._hear(_decode_control(message.data()), _place(self._position))
            except BaseException:  # a call that is given up may have taken a message: read again after the last one
                self._drop()
                raise

    async def _open(self) -> None:
        connection = self._connection
        if self._reader is not None:
            return
        topic = f"{connection.address.full_topic}-control"
        try:
            names: list[str] = await connection.call(connection.client.get_topic_partitions(topic))
            self._producer = await connection.producer(names[0])
            if self._position is None:
                self._position = await self._send(_ReaderHello())
            self._reader = await connection.call(connection.client.create_reader(names[0], self._position))
        except BaseException:
            self._drop()
            raise

    async def _send(self, message: _Control) -> Any:
        return await self._connection.call(self._producer.send(pack(message)))

    def _drop(self) -> None:
        self._connection.drop(self._producer)
        self._connection.drop(self._reader)
        self._producer = self._reader = None


@asynccontextmanager
async def _connected(address: _PulsarTopic, what: str) -> AsyncGenerator[_PulsarConnection]:
    """Yield a connection; log if the broker is away.  Raises: ConfigError if it refuses us."""
    connection = _PulsarConnection(address, what)
    try:
        try:
            await connection.partitions()
        except FAILURES as error:
            connection.away(error)
        yield connection
    finally:
        await connection.close()


class PulsarSink:
    """An `EventSink` in a partitioned topic of Pulsar: `Bot(sink=PulsarSink("pulsar://host:6650/tenant/namespace"))`.

    Needs `pip install 'aioqqbot[pulsar]'`. `url`: with the token as its password, `pulsar+ssl://` for TLS. `topic` and
    `partitions` have to be the same in the `PulsarSource`; the topic has to exist, and serves one bot. Sinks announce
    the fencing token of each shard on the topic `NAME-control`, and refuse a smaller one from then on. What an earlier
    owner was sending at that moment may still be stored; the workers drop its events by their id.

    Raises: ConfigError for options that cannot be right; when it is entered, if Pulsar refuses us or the topic has
    another number of partitions.
    """

    def __init__(self, url: str | Secret, *, topic: str | None = None, partitions: int | None = None) -> None:
        self._url: Secret = hidden(url)
        del url  # it holds a token, and a traceback may show the variables of its frames
        self._address = _address(self._url, topic, partitions)
        self._opened: _OpenPulsarSink | None = None  # None while it is not entered
        self._stack = AsyncExitStack()

    @classmethod
    def from_url(cls, url: str | Secret) -> Self:
        """Return the sink of `pulsar://:TOKEN@host:6650/tenant/namespace?topic=NAME&partitions=16`.

        Raises: ConfigError.
        """
        return cls(url)

    async def __aenter__(self) -> Self:
        stack = AsyncExitStack()
        opened = _OpenPulsarSink(await stack.enter_async_context(_connected(self._address, "PulsarSink")))
        async with stack:
            await opened.begin()
            self._stack = stack.pop_all()
        self._opened = opened
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened = None
        await self._stack.aclose()

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        """Store the events, in order.

        Raises: FencedOut if a later owner of the shard has published; QQBotError while the topic is full, or for an
        event that is too large; ConfigError
        if Pulsar refuses us, or for another number of partitions; what the library raises.
        """
        if self._opened is None:
            raise ConfigError("PulsarSink is entered by the bot that publishes: `async with sink:` if you do so")
        await self._opened.publish(batch, fence)


class _OpenPulsarSink:
    """A sink while it is entered."""

    def __init__(self, connection: _PulsarConnection) -> None:
        self._connection = connection
        self._address = connection.address
        self._control = _ControlTopic(connection, self._heard)
        self._names: list[str] = []  # of the partitions; empty until they were checked
        self._producers: dict[int, Any] = {}
        self._locks: dict[int, asyncio.Lock] = {}  # one batch of a partition at a time keeps the order
        self._tokens: dict[str, int] = {}  # the largest that was announced, by shard
        self._kept: set[int] = set()  # the partitions that have a subscription, without which Pulsar keeps nothing

    def _heard(self, message: _Control, _: Place) -> None:
        if isinstance(message, _ShardClaim):
            self._tokens[message.shard] = max(message.token, self._tokens.get(message.shard, 0))

    async def begin(self) -> None:
        """Begin to read what other sinks announce: a later owner of a shard comes after this.  Raises: ConfigError."""
        try:
            await self._control.catch_up()
        except FAILURES as error:
            self._connection.away(error)

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        """Store the events, in order.  Raises: see `PulsarSink.publish`."""
        parts = dict[int, list[Envelope]]()
        for envelope in batch:
            parts.setdefault(partition_of(envelope.key, self._address.partitions), []).append(envelope)
        try:
            if not self._names:
                self._names = await self._connection.partitions()
            await self._check(fence)
            ends = await asyncio.gather(*(self._store(*part) for part in parts.items()), return_exceptions=True)
            for end in ends:
                if end is not None:
                    raise end
        except FAILURES as error:
            if _is_final(error):
                raise _refused(error, "PulsarSink", self._address) from None
            if _worded(error) == "MessageTooBig":
                largest = max(batch, key=lambda envelope: len(envelope.raw))
                raise QQBotError(
                    f"the event {visible_line(largest.id, 200)!r} of {len(pack(largest))} bytes is larger than the "
                    "broker allows: raise its maxMessageSize. 事件过大，请调大服务器的 maxMessageSize"
                ) from error
            if "Quota" in _worded(error):
                raise QQBotError(
                    f"the topic {self._address.full_topic} is full, its backlog quota is used up. Start workers, or "
                    "more of them. topic 的积压已达上限，请启动更多 worker"
                ) from error
            raise

    async def _check(self, fence: Fence) -> None:
        """Announce a new token; refuse one that is too small.  Raises: FencedOut, what the library raises."""
        if fence.shard is None:
            return
        shard = f"{fence.shard.gen}:{fence.shard}"
        await self._control.catch_up()
        if self._tokens.get(shard, -1) < fence.token:
            await self._control.send(_ShardClaim(shard, fence.token))
            await self._control.catch_up()
        if (largest := self._tokens.get(shard, -1)) > fence.token:
            raise FencedOut(f"a later owner of shard {fence.shard} has published", token=largest)

    async def _store(self, index: int, part: Sequence[Envelope]) -> None:
        """Store the events of one partition.  Raises: what the library raises."""
        async with self._locks.setdefault(index, asyncio.Lock()):
            if index not in self._kept:
                await self._subscribe(index)
            producer = self._producers.get(index)
            if producer is None:
                producer = self._producers[index] = await self._connection.producer(self._names[index])
            try:
                for start in range(0, len(part), MOST_PENDING):
                    chunk = part[start : start + MOST_PENDING]
                    await asyncio.gather(*(producer.send(pack(each), properties={"v": VERSION}) for each in chunk))
            except FAILURES:
                self._connection.drop(self._producers.pop(index))
                raise

    async def _subscribe(self, index: int) -> None:
        """Create the subscription of the workers before the first event: Pulsar keeps nothing that has none."""
        self._connection.drop(await self._connection.consumer(self._names[index], WORKERS, 0))  # 0: takes no messages
        self._kept.add(index)


class PulsarPartition:
    """One partition while this process owns it: the only consumer of `BEGUN`. It is its own `Ownership`."""

    def __init__(self, connection: _PulsarConnection, topic: str, shard: ShardKey, deadline: LeaseDeadline) -> None:
        self.shard = shard
        self.deadline = deadline
        self.claimed = asyncio.Event()  # no other worker was the first to announce it
        self.unread = 0  # messages that have not come here, as of the last beat
        self.given_up = asyncio.Event()  # no more events are wanted: it is drained, and then released
        self._connection = connection
        self._topic = topic
        self._consumer: Any = None
        self._begun: Any = None
        self._lost = False
        self._earlier: Place = (-1, -1)  # what is before this place was delivered to an earlier owner, or here
        self._read: Place = (-1, -1)  # the last message that came here
        self._came: deque[Any] = deque()  # messages that were not delivered yet
        self._open: dict[Place, Any] = {}  # the ids of messages that came here and are not acknowledged
        self._finished: deque[Place] = deque()  # to be acknowledged
        self._some_finished = asyncio.Event()
        self._acknowledging = asyncio.Lock()  # the last turn waits for what the chore has begun
        self._changed = asyncio.Event()  # messages came, were delivered, or the partition is given up
        self._warnings = Throttle()

    @property
    def lease(self) -> Ownership:
        """The right to handle its events.

        It ends with the connection, and `TTL` seconds after the last beat that the broker has stored: a broker lets
        go of a connection that is silent after 30 s at the earliest (`keepAliveIntervalSeconds`).
        """
        return self

    @property
    def lag(self) -> int:
        """How many messages of the partition are not finished, as far as it is known."""
        return len(self._open) + self.unread

    def valid(self) -> bool:
        """True if this process may handle its events now."""
        if self._lost or not self.deadline.valid():
            return False
        return bool(self._begun._consumer.is_connected())  # its asyncio side does not show it

    def give_up(self) -> None:
        """Let `receive` return nothing from now on."""
        self.given_up.set()
        self._changed.set()

    async def open(self) -> None:
        """Own the partition.  Raises: what the library raises; then it is not owned."""
        call = self._connection.call
        try:
            self._begun = await self._connection.consumer(self._topic, BEGUN, 1, exclusive=True)
            self._consumer = await self._connection.consumer(self._topic, WORKERS, LARGEST_BATCH)
            # A message of ours ends what earlier owners can have had: so there is always one that none of them had.
            producer = await self._connection.producer(self._topic)
            try:
                await call(producer.send(b"", properties={"v": VERSION, "qqbot": "owner"}))
            finally:
                self._connection.drop(producer)
            async with asyncio.timeout(OPERATION_SECONDS):
                self._earlier = _place((await call(self._begun.receive())).message_id())
        except BaseException:
            self._let_go()
            raise

    def _let_go(self) -> None:
        if not self._lost:
            self._lost = True
            self._connection.drop(self._consumer)
            self._connection.drop(self._begun)

    async def release(self) -> None:
        """Release the partition; what was acknowledged is stored before another worker gets it."""
        if self._begun is not None and not self._lost:
            self._lost = True
            for consumer in (self._consumer, self._begun):
                with suppress(*FAILURES):
                    await self._connection.call(consumer.close())

    async def fill(self) -> None:
        """Receive messages, not many more than were delivered."""
        while not self._lost:
            try:
                message = await self._consumer.receive()  # not given up before the consumer is: a message would be lost
            except FAILURES:  # the consumer was closed
                self._let_go()
                self.give_up()
                return
            self._take(message)
            while len(self._came) >= LARGEST_BATCH and not self._lost:
                self._changed.clear()
                await self._changed.wait()

    def _take(self, message: Any) -> None:
        message_id = message.message_id()
        place = _place(message_id)
        if place in self._open:  # the library has connected again, and gets once more what is open here
            return
        self._read = max(self._read, place)
        if "qqbot" in message.properties():  # no event: if this acknowledgement is lost, it comes again
            self._connection.start(self._consumer.acknowledge(message_id))
            return
        self._open[place] = message_id
        self._came.append(message)
        self._changed.set()

    async def receive(self) -> Sequence[Received]:
        """Wait for events; nothing if the partition is to be given up.  Raises: ConfigError."""
        while not self.given_up.is_set() and self.valid():
            if not self._came:
                self._changed.clear()
                await self._changed.wait()
                continue
            messages = list(self._came)
            self._came.clear()
            self._changed.set()
            found = [received for message in messages if (received := await self._received(message)) is not None]
            self._connection.start(self._begun.acknowledge_cumulative(messages[-1]))
            self._earlier = max(self._earlier, _after(_place(messages[-1].message_id())))
            if found:
                return found
        return ()

    async def _received(self, message: Any) -> Received | None:
        """Decode a message; what cannot be read is put aside.  Raises: ConfigError for one of a newer release."""
        place = _place(message.message_id())
        version = message.properties().get("v", "")
        if version != VERSION and version.isdigit():
            raise ConfigError(
                f"the message {place[0]}:{place[1]} of {self._topic} has the version {visible_line(version, 20)}, this "
                f"worker knows {VERSION}: update the workers before the intake. 请先升级 worker 再升级接收进程"
            )
        try:
            if version != VERSION:
                raise ValueError("it has no version")  # noqa: TRY301 - one place logs what is no event
            return Received(decode_envelope(message.data()), place, 2 if place < self._earlier else 1)
        except (MsgspecError, ValueError, RecursionError) as error:
            aside = f"{self._connection.address.full_topic}-unreadable"
            why = visible_line(repr(error))
            log.error("message %d:%d of %s is no event, moved to %s: %s", *place, self._topic, aside, why)  # noqa: TRY400 - the text explains it
            await self._put_aside(aside, message)
            self._acknowledge(place)
            return None

    async def _put_aside(self, topic: str, message: Any) -> None:
        try:
            producer = await self._connection.producer(topic)
            try:
                await self._connection.call(producer.send(message.data(), properties=dict(message.properties())))
            finally:
                self._connection.drop(producer)
        except FAILURES as error:
            log.error("%s cannot be written, the message is dropped: %s. 无法写入，消息已丢弃", topic, _worded(error))  # noqa: TRY400 - a broker's answer

    def done(self, received: Received) -> None:
        """Mark an event as finished: it is acknowledged soon."""
        self._acknowledge(cast("Place", received.place))

    def _acknowledge(self, place: Place) -> None:
        self._finished.append(place)
        self._some_finished.set()

    async def acknowledge(self) -> None:
        """Acknowledge what is finished; one turn of a chore."""
        await self._some_finished.wait()
        self._some_finished.clear()
        await self.flush()

    async def flush(self) -> None:
        """Acknowledge what is finished now, as long as the partition is ours."""
        async with self._acknowledging:
            await self._flush()

    async def _flush(self) -> None:
        while self._finished and self.valid():
            places = [self._finished[place] for place in range(min(len(self._finished), LARGEST_BATCH))]
            ids = [self._open[place] for place in places if place in self._open]  # it may be marked twice
            try:
                await asyncio.gather(*map(self._consumer.acknowledge, ids))
            except FAILURES as error:
                if self._warnings.ready("done"):
                    log.warning("PulsarSource: events cannot be acknowledged, trying again: %s", _worded(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                for place in places:
                    self._finished.popleft()
                    self._open.pop(place, None)

    async def look(self) -> None:
        """Read how many messages are stored after those that came here, as far as their ids tell."""
        if self._consumer is None:
            return
        try:
            ledger, entry = _place(await self._connection.call(self._consumer.get_last_message_id()))
        except FAILURES:  # nothing is stored yet, or the connection is away
            return
        read_ledger, read_entry = self._read
        self.unread = max(entry - read_entry if ledger == read_ledger else (entry + 1) * (ledger > read_ledger), 0)

    async def watch(self) -> None:
        """Give the partition up when it is lost."""
        while self.valid():  # noqa: ASYNC110 - the library reports no lost connection
            await asyncio.sleep(WATCH_SECONDS)
        if not self._lost:
            log.warning(
                "PulsarSource: partition %s is lost: the connection or the worker's beat has stopped", self.shard
            )
            self._let_go()
        self.give_up()


PulsarPartitionWork: TypeAlias = Callable[[PulsarPartition], Awaitable[None]]
"""What handles the events of one partition; it returns when that was given up, and what had begun has ended."""


class PulsarSource:
    """An `EventSource` in a partitioned topic of Pulsar: `await bot.work(PulsarSource("pulsar://host:6650/tenant/ns"))`.

    `url`, `topic` and `partitions` as in `PulsarSink`. `ttl`: seconds after which a worker without a beat is dead. The
    workers divide the partitions evenly; one that joins gets its part when the others have finished what they had begun
    there. The owner of a partition is the only consumer of an Exclusive subscription; it reads a Shared one, for which
    Pulsar keeps each acknowledgement. (With Failover, Pulsar would give the partition to the next worker before the
    last one has finished; with Key_Shared no worker would know what it owns.)

    An event that an earlier worker had begun is marked; if that worker was killed, the mark may be missing on what it
    began in its last 0.1 s, because the library sends acknowledgements that often. A process that forks has to make its
    sinks and sources in the child.

    Raises: ConfigError for options that cannot be right.
    """

    def __init__(
        self, url: str | Secret, *, topic: str | None = None, partitions: int | None = None, ttl: float = TTL
    ) -> None:
        self._url: Secret = hidden(url)
        del url  # it holds a token, and a traceback may show the variables of its frames
        self._address = _address(self._url, topic, partitions)
        if not 0 < ttl < math.inf:
            raise ConfigError(
                "PulsarSource(ttl=...) must be greater than 0 seconds, and finite. ttl 应大于 0，且不能无限大"
            )
        self._ttl = ttl
        self._shares: PartitionShares[PulsarPartition] | None = None  # None while it does not run

    @classmethod
    def from_url(cls, url: str | Secret) -> Self:
        """Return the source of `pulsar://:TOKEN@host:6650/tenant/namespace?topic=NAME&partitions=16`.

        Raises: ConfigError.
        """
        return cls(url)

    @property
    def lag(self) -> int:
        """How many events of the own partitions are not finished, as of the last second."""
        return 0 if self._shares is None else sum(partition.lag for partition in self._shares.owned.values())

    async def stop(self) -> None:
        """Give up all partitions; `run` returns when their work has ended."""
        if self._shares is not None:
            self._shares.stop()

    async def run(self, app_id: str, work: PulsarPartitionWork) -> None:  # noqa: ARG002 - the topic is of one bot
        """Call `work` for each partition that this process owns, until `stop`.

        Raises: ConfigError if Pulsar refuses us, or for another number of partitions; what `work` raises.
        """
        if self._shares is not None:
            raise ConfigError("this PulsarSource is being read already: make a second one")
        name = new_worker_name()
        shares = self._shares = PartitionShares(self._address.partitions, name, min(BEAT_SECONDS, self._ttl / 4))
        try:
            async with _connected(self._address, "PulsarSource") as connection:
                workers = _PulsarWorkers(connection, shares, name, self._ttl, work)
                async with background(repeat(workers.listen), name="qqbot pulsar workers"):
                    await shares.run(workers)
        finally:
            self._shares = None


class _OtherWorker(NamedTuple):
    """Another worker, and when its last beat came, by our own clock."""

    began: Place
    leaves: bool
    came_at: float


class _PulsarWorkers:
    """The workers of one topic, and which partitions they own; what `PartitionShares` needs of the broker."""

    failures: tuple[type[Exception], ...] = FAILURES

    def __init__(
        self,
        connection: _PulsarConnection,
        shares: PartitionShares[PulsarPartition],
        name: str,
        ttl: float,
        work: PulsarPartitionWork,
    ) -> None:
        self._connection = connection
        self._control = _ControlTopic(connection, self._heard)
        self._shares = shares
        self._name = name
        self._ttl = ttl
        self._work = work
        self._names: list[str] = []  # of the partitions; empty until they were checked
        self._began: Place | None = None  # None: the others do not know this worker
        self._beat_at = 0.0
        self._met = False  # the others have answered the first beat: what they own must not be asked for
        self._others: dict[str, _OtherWorker] = {}
        self._claims = PartitionClaims()
        self._greeted = False  # a worker was heard for the first time: it has to know what is owned here

    def _heard(self, message: _Control, place: Place) -> None:
        if not isinstance(message, _WorkerBeat):
            return
        self._claims.announce(message.worker, message.partitions)
        if message.worker != self._name:
            self._greeted |= message.worker not in self._others and not message.leaves
            self._others[message.worker] = _OtherWorker(message.began or place, message.leaves, steady())

    async def listen(self) -> None:
        """Answer a worker that begins; one turn of a chore."""
        await asyncio.sleep(LISTEN_SECONDS)
        with suppress(*FAILURES):  # the next beat logs it
            await self._control.catch_up()
        if self._greeted:
            self._greeted = False
            self._shares.hurry()

    async def beat(self) -> tuple[int, int]:
        """Report that this worker is alive; return how many are, and how many of them began before."""
        if not self._names:
            self._names = await self._connection.partitions()
        began = await self._report()
        if not self._met:
            await asyncio.sleep(GREETING_SECONDS)
        await self._control.catch_up()
        self._met = True
        self._connection.back()
        now = steady()
        self._others = {name: other for name, other in self._others.items() if now - other.came_at < self._ttl}
        self._claims.keep({self._name, *self._others})
        for index, partition in self._shares.owned.items():
            owner = self._claims.owner(index)
            if owner == self._name:
                partition.claimed.set()
            elif owner is not None and not partition.claimed.is_set():
                partition.give_up()
        others = [(other.began, name) for name, other in self._others.items() if not other.leaves]
        return 1 + len(others), sum(other < (began, self._name) for other in others)

    async def _report(self, *, leaves: bool = False) -> Place:
        """Announce what is owned, which keeps it ours; return the place of the first such message."""
        owned = dict(self._shares.owned)  # as of now: what is claimed meanwhile is not announced
        sent_at = steady()
        if sent_at - self._beat_at >= self._ttl:
            self._began, self._met = None, False
        place = await self._control.send(_WorkerBeat(self._name, list(owned), leaves, self._began))
        self._began, self._beat_at = self._began or place, sent_at
        for partition in owned.values():
            partition.deadline.renew(sent_at)
        return self._began

    async def claim(self, index: int) -> PulsarPartition | None:
        """Return the partition, to be opened, if no other worker has announced it; let the next beat do so."""
        if self._claims.owner(index) not in (None, self._name):
            return None
        self._shares.hurry()
        deadline = LeaseDeadline(self._ttl, steady())
        return PulsarPartition(self._connection, self._names[index], ShardKey(0, index, len(self._names)), deadline)

    async def handle(self, partition: PulsarPartition) -> None:
        """Own one partition, if it is free, and let it be handled."""
        name = f"qqbot partition {partition.shard}"
        try:
            async with background(partition.given_up.wait(), name=name) as (given_up,), until_done(given_up):
                await partition.claimed.wait()  # two that subscribe at a time would hold each other up
                await partition.open()
        except FAILURES as error:
            if _is_final(error):
                raise _refused(error, "PulsarSource", self._connection.address) from None
            return  # another worker still has it, or the broker is away, which the next beat logs
        if not partition.given_up.is_set():
            async with background(partition.fill(), repeat(partition.acknowledge), partition.watch(), name=name):
                await self._work(partition)
                await partition.flush()

    async def look(self, owned: Collection[PulsarPartition]) -> None:
        """Read how many events of the own partitions have not come here."""
        for partition in owned:
            await partition.look()

    async def leave(self) -> None:
        """Let the others not count this worker any more; what it still owns remains its own."""
        if self._began is not None:  # otherwise they do not know it
            await self._report(leaves=True)

    async def outage(self, error: Exception) -> None:
        """Log that the broker is away.  Raises: ConfigError if it refuses us."""
        self._connection.away(error)


def _place(message_id: Any) -> Place:
    return message_id.ledger_id(), message_id.entry_id()


def _after(place: Place) -> Place:
    return place[0], place[1] + 1
