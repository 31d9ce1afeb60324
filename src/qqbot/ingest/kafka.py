"""`KafkaSink`, `KafkaSource`: Apache Kafka, or a server that speaks its protocol, between intake and workers.

Responsible for the form of a record, for fencing, for the consumer group and its rebalances, and for the committed
points. Collaborators: aiokafka, of the extra `kafka`; `source` and `forwarder` have the Protocols. An event stays in
its topic until the topic's retention deletes it: reading it deletes nothing. It runs no handler.
"""

import asyncio
import logging
import math
import re
import ssl
import zlib
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from importlib import import_module
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import parse_qsl, unquote

from msgspec import MsgspecError

from .._visible import visible_line
from ..aio.clock import steady
from ..aio.ending import end_tasks
from ..aio.throttle import Throttle
from ..config import Secret, hidden
from ..errors import ConfigError, FencedOut, QQBotError
from ..lease import LeaseDeadline, Ownership
from ..models.codec import pack, unpacker
from ..models.gateway import ShardKey
from ..models.ingest import Envelope, Fence, Received
from ..models.watermark import Watermark

try:
    # The library has no types; so its modules are values here.
    aiokafka: Any = import_module("aiokafka")
    admin: Any = import_module("aiokafka.admin")
    errors: Any = import_module("aiokafka.errors")
    create_conn: Any = import_module("aiokafka.conn").create_conn
except ModuleNotFoundError as missing:
    raise ConfigError(
        "Kafka needs the package aiokafka: pip install 'aioqqbot[kafka]'. "
        "使用 Kafka 需要安装 aiokafka：pip install 'aioqqbot[kafka]'"
    ) from missing

log = logging.getLogger(__name__)

TOPIC = "qqbot-events"
PARTITIONS = 16
MOST_PARTITIONS = 1024
VERSION, VERSION_HEADER = b"1", "v"
LARGEST_BATCH = 128  # events that are delivered at a time
LARGEST_REQUEST = 900_000  # bytes; a server accepts 1 MiB unless it is told otherwise
MARKED_AHEAD = 256  # events that count as begun before they are, so that few deliveries wait for a commit
SESSION_SECONDS, REBALANCE_SECONDS = 10.0, 30.0
SPARE_SECONDS = 2.0  # of a rebalance, for the commit after the drain
HEARTBEAT_SECONDS = 0.5
BEAT_SECONDS = 1.0
COMMIT_SECONDS = 0.1  # between two commits of what is finished
OPERATION_SECONDS = 5.0
FETCH_SECONDS = 0.05  # for which the server keeps a request for new events open; Tansu answers only then
CLOSE_SECONDS, CLOSE_ATTEMPTS = 2.0, 10
RETRY_SECONDS = 0.5
FOREVER = 2**31 - 1  # milliseconds; a worker that is full reads nothing, and keeps its partitions all the same

FAILURES: tuple[type[Exception], ...] = (errors.KafkaError, OSError)
"""All errors of a call of the library, an expired `asyncio.timeout` included."""

REFUSALS: tuple[type[Exception], ...] = (
    errors.SaslAuthenticationFailed,
    errors.AuthenticationFailedError,
    errors.AuthenticationMethodNotSupported,
    errors.UnsupportedSaslMechanismError,
    errors.IllegalSaslStateError,
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.IncompatibleBrokerVersion,
    ssl.SSLCertVerificationError,
)
"""Errors that stay until a person corrects something."""

decode_envelope = unpacker(Envelope)

_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
_SCHEMES = ("kafka", "kafka+ssl")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_OPTIONS = (
    *("topic", "partitions", "idempotence", "session_timeout", "rebalance_timeout"),
    *("sasl_mechanism", "ssl_cafile", "ssl_certfile", "ssl_keyfile"),
)
FORM = "kafka://user:password@host:9092,host:9092?topic=NAME&partitions=16, or kafka+ssl:// for TLS"


class Cluster:
    """The servers that a URL names, and how they are reached. Its repr shows no secret."""

    def __init__(self, url: Secret) -> None:
        self.options = dict[str, str]()
        self.servers: list[str] = []
        self.client: dict[str, Any] = {}  # for the constructors of the library; it may hold a password
        self.warnings = Throttle()
        if (wrong := self._read(url.reveal())) is not None:
            raise ConfigError(
                f"the Kafka URL cannot be used: {wrong}. Expected: {FORM}; special characters of a password are "
                "written as %XX. Kafka 地址无法使用，请检查格式；密码中的特殊字符请写成 %XX"
            )

    def __repr__(self) -> str:
        return f"Cluster({', '.join(self.servers)})"

    def _read(self, url: str) -> str | None:
        """Take a URL apart; return what is wrong with it. It raises nothing, as its variables hold the password."""
        base, _, query = url.partition("?")
        scheme, found, place = base.partition("://")
        if not found or scheme.lower() not in _SCHEMES:
            return "it has another scheme"
        self.options = dict(parse_qsl(query, keep_blank_values=True))
        if unknown := [name for name in self.options if name not in _OPTIONS]:
            return f"the option {visible_line(unknown[0], 40)!r} is unknown, the options are {', '.join(_OPTIONS)}"
        login, _, hosts = place.rstrip("/").rpartition("@")
        for host in hosts.split(","):
            name, colon, port = host.rpartition(":")
            if not (name if colon else port) or (colon and not (port.isascii() and port.isdigit())) or "/" in host:
                return "its hosts are not understood"
            self.servers.append(host if colon else f"{host}:9092")
        tls = scheme.lower() == "kafka+ssl"
        self.client = {"bootstrap_servers": self.servers, "security_protocol": "SSL" if tls else "PLAINTEXT"}
        if tls and (wrong := self._read_certificates()) is not None:
            return wrong
        return self._read_login(login, tls=tls)

    def _read_certificates(self) -> str | None:
        try:
            context = ssl.create_default_context(cafile=self.options.get("ssl_cafile"))
            if (own := self.options.get("ssl_certfile")) is not None:
                context.load_cert_chain(own, self.options.get("ssl_keyfile"))
        except (OSError, ValueError):
            return "a file of its options ssl_cafile, ssl_certfile or ssl_keyfile cannot be read"
        self.client["ssl_context"] = context
        return None

    def _read_login(self, login: str, *, tls: bool) -> str | None:
        mechanism = self.options.get("sasl_mechanism", "PLAIN")
        if mechanism not in _MECHANISMS:
            return f"its option sasl_mechanism is none of {', '.join(_MECHANISMS)}"
        user, found, password = login.partition(":")
        if not login:
            return "its option sasl_mechanism needs user:password@" if "sasl_mechanism" in self.options else None
        if not found:
            return "its user has no password"
        self.client |= {
            "security_protocol": "SASL_SSL" if tls else "SASL_PLAINTEXT",
            "sasl_mechanism": mechanism,
            "sasl_plain_username": unquote(user),
            "sasl_plain_password": unquote(password),
        }
        return None

    def number(self, name: str, default: int) -> int:
        """Return a whole number of the URL's options.  Raises: ConfigError."""
        text = self.options.get(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) <= 12):
            raise ConfigError(f"the option {name} of the URL is not a whole number. 地址中的选项 {name} 应为整数")
        return int(text)

    def seconds(self, name: str, default: float) -> float:
        """Return a number of seconds of the URL's options.  Raises: ConfigError."""
        text = self.options.get(name, str(default))
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
            raise ConfigError(f"the option {name} of the URL is not a number of seconds. 地址中的选项 {name} 应为秒数")
        return float(text)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false of the URL's options.  Raises: ConfigError."""
        text = self.options.get(name, str(default).lower())
        if text not in ("true", "false"):
            raise ConfigError(
                f"the option {name} of the URL is neither true nor false. 地址中的选项 {name} 应为 true 或 false"
            )
        return text == "true"

    async def away(self, error: BaseException, what: str) -> None:
        """Log that the servers cannot be used now, once a minute.  Raises: ConfigError if they refuse us."""
        refusal = error if isinstance(error, REFUSALS) else await self._refusal()
        if refusal is not None:
            raise ConfigError(
                f"{what}: Kafka refuses us: {worded(refusal)}. Check user, password, certificates and rights. "
                "Kafka 拒绝访问，请检查用户名、密码、证书和权限"
            ) from None
        if self.warnings.ready(what):
            log.warning(
                "%s: Kafka at %s does not answer, waiting until it does: %s",
                *(what, ", ".join(self.servers), worded(error)),
            )

    async def _refusal(self) -> BaseException | None:
        """Return why the first server that answers refuses us: the library reports that it is away."""
        options = {name: value for name, value in self.client.items() if name != "bootstrap_servers"}
        for server in self.servers:
            host, _, port = server.rpartition(":")
            try:
                async with asyncio.timeout(OPERATION_SECONDS):
                    connection = await create_conn(
                        host.strip("[]"),
                        int(port),
                        client_id="qqbot",
                        request_timeout_ms=_ms(OPERATION_SECONDS),
                        **options,
                    )
            except REFUSALS as error:
                return error
            except KeyError:  # the library looks for the server's signature in the server's error
                refused: Exception = errors.SaslAuthenticationFailed("the user or the password is wrong")
                return refused
            except FAILURES:
                continue
            await connection.close()
            return None
        return None

    async def prepare(self, topic: str, partitions: int, others: Sequence[tuple[str, int]] = ()) -> None:
        """Make the topics that do not exist; `others` are compacted.

        Raises: ConfigError if Kafka refuses us, if `topic` has another number of partitions, or may not be made; what
        the library raises.
        """
        if (refusal := await self._refusal()) is not None:
            raise refusal
        client = admin.AIOKafkaAdminClient(**self.client, request_timeout_ms=_ms(OPERATION_SECONDS))
        try:
            await _whole(client.start())
            known = set(await client.list_topics())
            wanted = [_new_topic(topic, partitions, {})]
            wanted += [_new_topic(name, count, {"cleanup.policy": "compact"}) for name, count in others]
            if missing := [each for each in wanted if each.name not in known]:
                answer = await client.create_topics(missing)
                for name, code, *_ in answer.topic_errors:
                    _check_created(name, partitions, errors.for_code(code))
            (found,) = await client.describe_topics([topic])
        finally:
            await _whole(client.close())
        error = errors.for_code(found["error_code"])
        if error is not errors.NoError or not found["partitions"]:
            raise error() if error is not errors.NoError else errors.LeaderNotAvailableError
        if len(found["partitions"]) != partitions:
            raise ConfigError(
                f"the topic {topic!r} has {len(found['partitions'])} partitions, here {partitions} are asked for: use "
                f"partitions={len(found['partitions'])}, or another topic. 分区数与已有的不一致，请改用 "
                f"{len(found['partitions'])}"
            )


def _new_topic(name: str, partitions: int, configs: Mapping[str, str]) -> Any:
    topic = admin.NewTopic(name, partitions, 1, topic_configs=configs)
    topic.replication_factor = -1  # what the server is configured to: the library's constructor refuses it
    return topic


def _check_created(name: str, partitions: int, error: Any) -> None:
    if error is errors.NoError or error is errors.TopicAlreadyExistsError:
        return
    if issubclass(error, (*REFUSALS, errors.InvalidReplicationFactorError, errors.PolicyViolationError)):
        raise ConfigError(
            f"the topic {name!r} does not exist and cannot be made here ({error.__name__}): make it, with {partitions} "
            "partitions if it is that of the events. 主题不存在且无法自动创建，请手动创建"
        )
    raise error()


def check_topic(topic: str, partitions: int) -> None:
    """Check the options that sink and source share.  Raises: ConfigError."""
    if not _TOPIC_NAME.fullmatch(topic):
        raise ConfigError(
            f"topic={topic!r} is not a valid name: use 1 to 200 of A-Z, a-z, 0-9, '.', '_' and '-'. "
            "主题名只能由 1 到 200 个字母、数字、点、下划线和连字符组成"
        )
    if not 1 <= partitions <= MOST_PARTITIONS:
        raise ConfigError(
            f"partitions must be from 1 to {MOST_PARTITIONS}. partitions 应在 1 到 {MOST_PARTITIONS} 之间"
        )


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of an ordering key; the same in every process and release."""
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % partitions


def worded(error: BaseException) -> str:
    """Return an error of the library in one line."""
    return visible_line(f"{type(error).__name__}: {error}")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


async def _whole(part: Coroutine[Any, Any, Any]) -> None:
    """Let a part of the library end if we are cancelled, for a while: it would leave a connection open."""
    task = asyncio.create_task(part, name="qqbot kafka")
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait([task], timeout=CLOSE_SECONDS)
        finally:
            await end_tasks([task])
            if task.done() and not task.cancelled():
                task.exception()  # the cancellation is raised instead
        raise


async def _stop(end: Any, client: Any) -> None:
    """Stop a producer or consumer of the library, also if its server is away or we are cancelled.

    Its `stop` waits for requests that are under way: those are ended by closing the connections.
    """
    stopping = asyncio.create_task(end.stop(), name="qqbot kafka stop")
    interruption: asyncio.CancelledError | None = None
    for _ in range(CLOSE_ATTEMPTS):
        try:
            await asyncio.wait([stopping], timeout=CLOSE_SECONDS)
        except asyncio.CancelledError as error:
            interruption = error  # raised below: the library would leave its tasks and connections behind
        if stopping.done():
            break
        for connection in list(client._conns.values()):
            connection.close()
    await end_tasks([stopping])
    if (
        not stopping.done() or stopping.cancelled() or stopping.exception() is not None
    ):  # the library gives up at the first error
        await _whole(client.close())
    if interruption is not None:
        raise interruption


def _abandon(producer: Any) -> None:
    """Let all that a producer has not stored fail: its `stop` waits for that, with idempotence for ever."""
    accumulator = producer._message_accumulator
    batches = {batch for queue in accumulator._batches.values() for batch in queue} | accumulator._pending_batches
    accumulator._pending_batches |= batches  # one that was sent before leaves it when it fails
    accumulator.fail_all(errors.ProducerClosed())
    for batch in batches:
        for future in (batch.future, batch._drain_waiter):
            if future.done() and not future.cancelled():
                future.exception()  # as no caller may wait for it any more


class KafkaSink:
    """An `EventSink` in Kafka: `Bot(sink=KafkaSink("kafka://host:9092"))`; needs `pip install 'aioqqbot[kafka]'`.

    `url`: the servers, user and password, TLS by `kafka+ssl://`; the other arguments are options of the URL as well.
    `topic` and `partitions` have to be the same in the `KafkaSource`; a topic that does not exist is made.
    `idempotence`: False for a server without idempotent producers.

    A batch is stored by one request for each partition, acknowledged by all replicas in sync. The largest token of
    each shard is kept in the compacted topic `TOPIC-owners`, and is read before each batch: an earlier owner that was
    suspended is refused. It is no transaction: a batch that is under way when a later owner begins is stored too, and
    the workers drop its events by their ids.

    Raises: ConfigError for options that cannot be right; when it is entered, if the servers refuse us.
    """

    def __init__(
        self,
        url: str | Secret,
        *,
        topic: str | None = None,
        partitions: int | None = None,
        idempotence: bool | None = None,
    ) -> None:
        cluster = self._cluster = Cluster(hidden(url))
        del url  # it holds a password, and a traceback may show the variables of its frames
        self._topic = cluster.options.get("topic", TOPIC) if topic is None else topic
        self._partitions = cluster.number("partitions", PARTITIONS) if partitions is None else partitions
        self._idempotence = cluster.flag("idempotence", default=True) if idempotence is None else idempotence
        check_topic(self._topic, self._partitions)
        self._entered = False
        self._publisher: _Publisher | None = None  # None while Kafka is away
        self._opening = asyncio.Lock()

    @classmethod
    def from_url(cls, url: str | Secret) -> Self:
        """Return the sink of `kafka://host:9092?topic=NAME&partitions=16`.  Raises: ConfigError."""
        url = hidden(url)  # a traceback may show the variables of its frames
        return cls(url)

    async def __aenter__(self) -> Self:
        try:
            await self._opened()
        except FAILURES as error:
            await self._cluster.away(error, "KafkaSink")
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.close()

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        """Store the events, in order.

        Raises: FencedOut if a later owner of the shard has published; QQBotError while Kafka does not store them;
        ConfigError if it refuses us, or for another number of partitions.
        """
        if not self._entered:
            raise ConfigError("KafkaSink is entered by the bot that publishes: `async with sink:` if you do so")
        publisher: _Publisher | None = None
        try:
            publisher = await self._opened()
            async with asyncio.timeout(OPERATION_SECONDS):
                await publisher.publish(batch, fence)
        except FAILURES as error:
            # What was sent may still be under way, and the library repeats it for ever: a new producer does not.
            await self._discard(publisher)
            await self._cluster.away(error, "KafkaSink")
            raise QQBotError(f"Kafka has not stored the events: {worded(error)}") from error
        except asyncio.CancelledError:
            await self._discard(publisher)
            raise

    async def _opened(self) -> "_Publisher":
        async with self._opening:
            if self._publisher is None:
                publisher = _Publisher(self._cluster, self._topic, self._partitions, idempotence=self._idempotence)
                try:
                    async with asyncio.timeout(2 * OPERATION_SECONDS):
                        await publisher.open()
                except BaseException:
                    await publisher.close()
                    raise
                self._publisher = publisher
            return self._publisher

    async def _discard(self, publisher: "_Publisher | None") -> None:
        if publisher is not None and self._publisher is publisher:
            self._publisher = None
            await publisher.close()


class _Publisher:
    """The connections of a sink, until one of its batches fails."""

    def __init__(self, cluster: Cluster, topic: str, partitions: int, *, idempotence: bool) -> None:
        self._cluster = cluster
        self._topic = topic
        self._partitions = partitions
        self._owners = aiokafka.TopicPartition(f"{topic}-owners", 0)
        self._producer: Any = aiokafka.AIOKafkaProducer(
            **cluster.client,
            acks="all",
            enable_idempotence=idempotence,
            max_batch_size=LARGEST_REQUEST,
            request_timeout_ms=_ms(OPERATION_SECONDS),
        )
        self._reader: Any = aiokafka.AIOKafkaConsumer(
            **cluster.client,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_ms(FETCH_SECONDS) // 10,
            request_timeout_ms=_ms(OPERATION_SECONDS),
        )
        self._read = 0  # the offset up to which the owners are known
        self._tokens: dict[str, int] = {}  # the largest of each shard
        self._reading = asyncio.Lock()

    async def open(self) -> None:
        """Connect.  Raises: ConfigError, what the library raises."""
        await self._cluster.prepare(self._topic, self._partitions, [(self._owners.topic, 1)])
        await _whole(self._producer.start())
        await _whole(self._reader.start())
        self._reader.assign([self._owners])
        self._reader.pause(self._owners)  # it answers no other request while it waits for records
        first = await self._reader.beginning_offsets([self._owners])
        self._read = first[self._owners]
        self._reader.seek(self._owners, self._read)
        await self._learn()

    async def close(self) -> None:
        """Give up what is under way, and disconnect."""
        _abandon(self._producer)
        try:
            await _stop(self._producer, self._producer.client)
        finally:
            await _stop(self._reader, self._reader._client)

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        """Store the events.  Raises: FencedOut, what the library raises."""
        if fence.shard is not None:
            await self._claim(f"{fence.shard.gen}:{fence.shard}", fence)
        parts = dict[int, list[Envelope]]()
        for envelope in batch:
            parts.setdefault(partition_of(envelope.key, self._partitions), []).append(envelope)
        ends = await asyncio.gather(
            *(self._publish(index, part) for index, part in parts.items()), return_exceptions=True
        )
        for end in ends:
            if end is not None:
                raise end

    async def _publish(self, index: int, part: Sequence[Envelope]) -> None:
        """Store events of one partition; each request is stored as a whole, and none before the one in front."""
        request = self._producer.create_batch()
        for envelope in part:
            if not _append(request, envelope):
                await self._send(request, self._topic, index)
                request = self._producer.create_batch()
                _append(request, envelope)
        await self._send(request, self._topic, index)

    async def _send(self, request: Any, topic: str, index: int) -> None:
        stored = await self._producer.send_batch(request, topic, partition=index)
        await stored

    async def _claim(self, shard: str, fence: Fence) -> None:
        """Check that no later owner has published, and let the earlier ones know of us.  Raises: FencedOut."""
        await self._learn()
        if self._tokens.get(shard, -1) < fence.token:
            request = self._producer.create_batch()
            request.append(timestamp=None, key=shard.encode(), value=b"%d" % fence.token)
            await self._send(request, *self._owners)
            await self._learn()
        if (largest := self._tokens.get(shard, -1)) > fence.token:
            raise FencedOut(f"a later owner of shard {fence.shard} has published", token=largest)

    async def _learn(self) -> None:
        """Read the tokens that are stored by now."""
        async with self._reading:
            end = (await self._reader.end_offsets([self._owners]))[self._owners]
            if end <= self._read:
                return
            self._reader.resume(self._owners)
            try:
                while self._read < end:
                    found = await self._reader.getmany(self._owners, timeout_ms=_ms(OPERATION_SECONDS))
                    for record in found.get(self._owners, ()):
                        self._remember(record)
                    # Compaction may have deleted the last records.
                    self._read = max(self._read, await self._reader.position(self._owners))
            finally:
                self._reader.pause(self._owners)

    def _remember(self, record: Any) -> None:
        with suppress(ValueError, AttributeError):  # it is not ours
            shard, token = record.key.decode(), int(record.value)
            self._tokens[shard] = max(token, self._tokens.get(shard, token))


def _append(request: Any, envelope: Envelope) -> bool:
    key = envelope.key.encode("utf-8", "surrogatepass")
    headers = [(VERSION_HEADER, VERSION)]
    return request.append(timestamp=envelope.ts, key=key, value=pack(envelope), headers=headers) is not None


class KafkaPartition:
    """One partition while this process owns it. It is its own `Ownership`."""

    def __init__(self, session: "_Session", index: int, start: int, begun: int) -> None:
        self.shard = ShardKey(0, index, session.partitions)
        self.place = aiokafka.TopicPartition(session.topic, index)
        self.given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.delivered = start  # the offset after the last event that was delivered
        self.committed = start
        self.marked = begun  # up to here the events count as begun
        self.watermark = Watermark(start - 1)
        self._session = session
        self._begun = begun  # by earlier owners
        self._lost = False

    @property
    def lease(self) -> Ownership:
        """The right to handle its events."""
        return self

    @property
    def finished(self) -> int:
        """The offset before which all events are finished."""
        return self.watermark.low + 1

    @property
    def settled(self) -> bool:
        """True if the group knows what was begun and what is finished."""
        return self.committed == self.finished and self.marked == self.delivered

    def valid(self) -> bool:
        """True if this process may handle its events now."""
        return not self._lost and self._session.deadline.valid()

    def give_up(self) -> None:
        """Let `receive` return nothing from now on."""
        if not self.given_up.done():
            self.given_up.set_result(None)

    def lose(self) -> None:
        """End the lease."""
        self._lost = True
        self.give_up()

    async def receive(self) -> Sequence[Received]:
        """Wait for events; nothing if the partition is to be given up.  Raises: ConfigError."""
        while not self.given_up.done() and self.valid():
            found = self._received(await self._session.records(self))
            if not found:
                continue
            last = self.watermark.high + 1
            while last > self.marked and not self.given_up.done():
                await self._session.mark(self, last + MARKED_AHEAD)
            if self.given_up.done() or not self.valid():
                break
            self.delivered = last
            return found
        return ()

    def _received(self, records: Sequence[Any]) -> list[Received]:
        """Decode records; what cannot be read is logged, and is finished."""
        found: list[Received] = []
        for record in records:
            if not self.watermark.accept(record.offset):
                continue
            try:
                envelope = self._decoded(record)
            except (TypeError, MsgspecError, ValueError, RecursionError) as error:
                why = visible_line(repr(error))
                log.error("record %d of %s is no event, and is skipped: %s", record.offset, self.place, why)  # noqa: TRY400 - the text explains it
                self._finish(record.offset)
                continue
            if envelope.app_id and envelope.app_id != self._session.app_id:  # the workers of that bot have it too
                self._finish(record.offset)
                continue
            found.append(Received(envelope, record.offset, 2 if record.offset < self._begun else 1))
        return found

    def _decoded(self, record: Any) -> Envelope:
        """Return the envelope of a record.  Raises: ConfigError for one of a newer release, ValueError and others."""
        version = dict(record.headers).get(VERSION_HEADER)
        if version == VERSION:
            return decode_envelope(record.value)
        if version is None or not version.isdigit():
            raise ValueError("it has no version")
        raise ConfigError(
            f"the record {record.offset} of {self.place} has the version {visible_line(version.decode(), 20)}, this "
            f"worker knows {VERSION.decode()}: update the workers before the intake. 请先升级 worker 再升级接收进程"
        )

    def done(self, received: Received) -> None:
        """Mark an event as finished: it is committed soon, when all before it are finished."""
        if isinstance(received.place, int):
            self._finish(received.place)

    def _finish(self, offset: int) -> None:
        self.watermark.finish(offset)
        self._session.some_finished.set()


KafkaPartitionWork: TypeAlias = Callable[[KafkaPartition], Awaitable[None]]
"""What handles the events of one partition; it returns when that was given up, and what had begun has ended."""


class KafkaSource:
    """An `EventSource` in Kafka: `await bot.work(KafkaSource("kafka://host:9092"))`.

    `url`, `topic` and `partitions` as in `KafkaSink`. The workers of a bot are one consumer group, `TOPIC.APP_ID`;
    what was begun is committed as the offsets of the group `TOPIC.APP_ID.begun`. `session_timeout`: seconds after
    which the partitions of a worker that died go to others. `rebalance_timeout`: seconds for which a rebalance waits
    for what has begun; it has to be longer than `Bot(drain=)`.

    A lease ends `session_timeout` seconds after the last commit that the server has answered, or when the partition is
    given up, whichever is first. A server that restarts may give the partition to another worker earlier.

    Raises: ConfigError for options that cannot be right.
    """

    def __init__(
        self,
        url: str | Secret,
        *,
        topic: str | None = None,
        partitions: int | None = None,
        session_timeout: float | None = None,
        rebalance_timeout: float | None = None,
    ) -> None:
        cluster = self._cluster = Cluster(hidden(url))
        del url  # it holds a password, and a traceback may show the variables of its frames
        self._topic = cluster.options.get("topic", TOPIC) if topic is None else topic
        self._partitions = cluster.number("partitions", PARTITIONS) if partitions is None else partitions
        session = cluster.seconds("session_timeout", SESSION_SECONDS) if session_timeout is None else session_timeout
        rebalance = cluster.seconds("rebalance_timeout", REBALANCE_SECONDS)
        rebalance = rebalance if rebalance_timeout is None else rebalance_timeout
        check_topic(self._topic, self._partitions)
        if not (2 * SPARE_SECONDS <= rebalance < math.inf and 2 * BEAT_SECONDS <= session < math.inf):
            raise ConfigError(
                f"KafkaSource: session_timeout must be at least {2 * BEAT_SECONDS:g} s, rebalance_timeout at least "
                f"{2 * SPARE_SECONDS:g} s, both finite. 超时时间过短"
            )
        self._session_timeout = session
        self._rebalance_timeout = rebalance
        self._session: _Session | None = None  # None while it does not run
        self._stopping: asyncio.Event | None = None

    @classmethod
    def from_url(cls, url: str | Secret) -> Self:
        """Return the source of `kafka://host:9092?topic=NAME&partitions=16`.  Raises: ConfigError."""
        url = hidden(url)  # a traceback may show the variables of its frames
        return cls(url)

    @property
    def lag(self) -> int:
        """How many events of the own partitions are not finished, as of the last second."""
        return 0 if self._session is None else self._session.lag

    async def stop(self) -> None:
        """Give up all partitions; `run` returns when their work has ended."""
        if self._stopping is not None:
            self._stopping.set()
        if self._session is not None:
            self._session.stop()

    async def run(self, app_id: str, work: KafkaPartitionWork) -> None:
        """Call `work` for each partition that this process owns, until `stop`.

        Raises: ConfigError if Kafka refuses us, or for another number of partitions; what `work` raises.
        """
        if self._stopping is not None:
            raise ConfigError("this KafkaSource is being read already: make a second one")
        stopping = self._stopping = asyncio.Event()
        try:
            while not stopping.is_set():
                try:
                    await self._cluster.prepare(self._topic, self._partitions)
                    if not stopping.is_set():
                        self._session = self._new_session(app_id, work)
                        await self._session.run()
                except FAILURES as error:
                    await self._cluster.away(error, "KafkaSource")
                    with suppress(TimeoutError):
                        async with asyncio.timeout(RETRY_SECONDS):
                            await stopping.wait()
        finally:
            self._session = self._stopping = None

    def _new_session(self, app_id: str, work: KafkaPartitionWork) -> "_Session":
        return _Session(
            self._cluster,
            self._topic,
            self._partitions,
            app_id,
            work,
            session_timeout=self._session_timeout,
            rebalance_timeout=self._rebalance_timeout,
        )


class _Session:
    """One membership in the consumer group, until it is stopped or lost. It listens to its own rebalances."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        partitions: int,
        app_id: str,
        work: KafkaPartitionWork,
        *,
        session_timeout: float,
        rebalance_timeout: float,
    ) -> None:
        self.topic = topic
        self.partitions = partitions
        self.app_id = app_id
        self.lag = 0
        self.some_finished = asyncio.Event()
        self._life = session_timeout - HEARTBEAT_SECONDS  # a heartbeat of the library may be that much older
        self.deadline = LeaseDeadline(self._life, float("-inf"))
        self._cluster = cluster
        self._handle = work
        self._drain = rebalance_timeout - SPARE_SECONDS
        self._owned: dict[KafkaPartition, asyncio.Task[None]] = {}
        self._assigned: Collection[Any] = ()  # given to us, and not begun yet
        self._generation = -1  # of the group, when our partitions were assigned
        self._over = False  # no new partitions: the session ends with its work
        self._failure: BaseException | None = None
        self._looked = float("-inf")
        self._committing = asyncio.Lock()
        group = f"{topic}.{app_id}"
        self._consumer: Any = aiokafka.AIOKafkaConsumer(
            **cluster.client,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=_ms(session_timeout),
            heartbeat_interval_ms=_ms(HEARTBEAT_SECONDS),
            rebalance_timeout_ms=_ms(rebalance_timeout),
            max_poll_interval_ms=FOREVER,
            fetch_max_wait_ms=_ms(FETCH_SECONDS),
            # A worker waits for the others as long as a rebalance may take.
            request_timeout_ms=_ms(rebalance_timeout + OPERATION_SECONDS),
        )
        # Of its own, because a server answers nothing else on a connection that waits for events.
        self._marks: Any = aiokafka.AIOKafkaConsumer(
            **cluster.client,
            group_id=f"{group}.begun",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=_ms(OPERATION_SECONDS),
        )

    def stop(self) -> None:
        """Give up all partitions; the session ends when their work has."""
        self._over = True
        for partition in self._owned:
            partition.give_up()
        self.some_finished.set()

    async def run(self) -> None:
        """Own partitions until it is stopped or lost.  Raises: ConfigError, what the work or the library raises."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(_stop, self._marks, self._marks._client)
            stack.push_async_callback(_stop, self._consumer, self._consumer._client)
            stack.push_async_callback(self._end)
            await _whole(self._marks.start())
            places = [aiokafka.TopicPartition(self.topic, index) for index in range(self.partitions)]
            self._marks.assign(places)
            self._marks.pause(*places)
            await _whole(self._consumer.start())
            self._consumer.subscribe([self.topic], listener=self)
            while not self._over or self._owned:
                await self._turn()
                if self._failure is not None:
                    raise self._failure
                with suppress(TimeoutError):
                    async with asyncio.timeout(BEAT_SECONDS):
                        await self.some_finished.wait()
                    self.some_finished.clear()
                    if not self._over:
                        await asyncio.sleep(COMMIT_SECONDS)

    async def _end(self) -> None:
        """End the leases, and what work is left: its events are those of the next owner."""
        self.deadline.shut()
        self._over = True
        for partition in self._owned:
            partition.lose()
        await end_tasks(self._owned.values())

    async def _turn(self) -> None:
        """Begin with what was assigned, and commit what is finished."""
        self._consumer._coordinator.check_errors()  # else only reading raises them
        try:
            if self._assigned and not self._over:
                await self._begin(self._assigned)
            if self._owned and self.deadline.valid():
                await self._commit(list(self._owned))
                if steady() - self._looked > BEAT_SECONDS:
                    self._looked = steady()
                    await self._look()
        except FAILURES as error:
            await self._cluster.away(error, "KafkaSource")
        if self._owned and not self._over and not self.deadline.valid():
            log.warning("KafkaSource: its partitions may be those of another worker by now, and are given up")
            self.stop()
        for partition, task in list(self._owned.items()):
            if task.done() and (partition.settled or not partition.valid()):
                self._owned.pop(partition)
                partition.lose()

    async def _begin(self, places: Collection[Any]) -> None:
        """Start the work of partitions that were assigned to us, once the group has confirmed that they still are."""
        generation = self._current_generation
        async with asyncio.timeout(OPERATION_SECONDS):
            first = await self._marks.beginning_offsets(list(places))
            starts, marks = dict[Any, int](), dict[Any, int]()
            for place in places:
                committed = await self._consumer.committed(place)
                marks[place] = await self._marks.committed(place) or 0
                starts[place] = first[place] if committed is None else committed
                if starts[place] < first[place]:
                    log.error(
                        "%s: the retention of the topic has deleted %d events before they were handled. "
                        "事件在处理之前已被主题的保留策略删除",
                        *(place, first[place] - starts[place]),
                    )
                    starts[place] = first[place]
            sent_at = steady()
            await self._consumer.commit(starts)
        if self._assigned is not places or self._current_generation != generation:
            return  # a rebalance has begun
        self._assigned, self._generation = (), generation
        self.deadline = LeaseDeadline(self._life, sent_at)
        for place, start in starts.items():
            self._consumer.seek(place, start)
            partition = KafkaPartition(self, place.partition, start, marks[place])
            task = asyncio.create_task(self._work(partition), name=f"qqbot partition {partition.shard}")
            self._owned[partition] = task

    @property
    def _current_generation(self) -> int:
        """The generation under which the library commits: without a membership it does so without any."""
        generation: int = self._consumer._coordinator.generation  # no public call returns it
        return generation

    async def _work(self, partition: KafkaPartition) -> None:
        """Let one partition be handled."""
        try:
            await self._handle(partition)
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._failure = self._failure or error
        finally:
            self.some_finished.set()

    async def _commit(self, partitions: Sequence[KafkaPartition]) -> None:
        """Commit what is finished; a commit that succeeds renews the leases.  Raises: what the library raises."""
        async with self._committing, asyncio.timeout(OPERATION_SECONDS):
            points = {each: each.finished for each in partitions if each.finished != each.committed}
            points = points or {each: each.finished for each in partitions[:1]}
            sent_at = steady()
            try:
                await self._consumer.commit({each.place: point for each, point in points.items()})
            except errors.CommitFailedError as error:
                if not isinstance(error.__cause__, errors.RebalanceInProgressError):
                    self.deadline.shut()
                    return
            else:
                for partition, point in points.items():
                    partition.committed = point
            if self._current_generation == self._generation:  # else it was no proof
                self.deadline.renew(sent_at)
            # A rebalance may have ended some meanwhile.
            tasks = {each: self._owned[each] for each in partitions if each in self._owned}
            exact = {each: each.delivered for each, task in tasks.items() if task.done()}
            ahead = {each: each.delivered + MARKED_AHEAD for each in tasks if each not in exact}
            await self._mark({each: mark for each, mark in exact.items() if mark != each.marked})
            await self._mark({each: mark for each, mark in ahead.items() if mark - each.marked > MARKED_AHEAD // 2})

    async def _mark(self, marks: Mapping[KafkaPartition, int]) -> None:
        if marks:
            await self._marks.commit({each.place: mark for each, mark in marks.items()})
        for partition, mark in marks.items():
            partition.marked = mark

    async def mark(self, partition: KafkaPartition, mark: int) -> None:
        """Commit up to where the events of a partition count as begun, unless Kafka is away.  Raises: ConfigError."""
        try:
            async with asyncio.timeout(OPERATION_SECONDS):
                await self._mark({partition: mark})
        except FAILURES as error:
            await self._cluster.away(error, "KafkaSource")
            await asyncio.sleep(RETRY_SECONDS)

    async def _look(self) -> None:
        """Count the events that are not finished."""
        async with asyncio.timeout(OPERATION_SECONDS):
            ends = await self._marks.end_offsets([partition.place for partition in self._owned])
        counts = [
            (ends.get(each.place, 0) - each.watermark.high - 1, each.watermark.unfinished) for each in self._owned
        ]
        self.lag = sum(max(waiting, 0) + unfinished for waiting, unfinished in counts)

    async def records(self, partition: KafkaPartition) -> Sequence[Any]:
        """Wait for records of a partition; nothing after a while, or if it is given up."""
        try:
            found = await self._consumer.getmany(partition.place, timeout_ms=0, max_records=LARGEST_BATCH)
            if not found:
                found = await self._wait(partition)
        except FAILURES as error:
            self._failure = self._failure or error
            self.stop()
            return ()
        return [record for records in found.values() for record in records]

    async def _wait(self, partition: KafkaPartition) -> Mapping[Any, Sequence[Any]]:
        getting = self._consumer.getmany(partition.place, timeout_ms=_ms(BEAT_SECONDS), max_records=LARGEST_BATCH)
        reading = asyncio.create_task(getting, name=f"qqbot kafka {partition.shard}")
        try:
            await asyncio.wait([reading, partition.given_up], return_when=asyncio.FIRST_COMPLETED)
        finally:
            reading.cancel()
            await asyncio.wait([reading])
        found: Mapping[Any, Sequence[Any]] = {} if reading.cancelled() else reading.result()
        return found

    async def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        """Let the partitions be begun. The library calls it."""
        self._assigned = list(assigned)
        self.some_finished.set()

    async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:  # noqa: ARG002 - it is all of them
        """Let what has begun end, commit it, and end the leases; then other workers get the partitions."""
        self._assigned = ()
        owned = dict(self._owned)
        try:
            for partition in owned:
                partition.give_up()
            if owned:
                await asyncio.wait(owned.values(), timeout=self._drain)
                await end_tasks(owned.values())
                # The library logs what this raises.
                if self.deadline.valid():
                    await self._commit([partition for partition in owned if partition in self._owned])
        finally:
            for partition in owned:
                partition.lose()
                self._owned.pop(partition, None)
            self.some_finished.set()


aiokafka.ConsumerRebalanceListener.register(_Session)
