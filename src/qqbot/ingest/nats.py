"""`NatsSink`: stores events in a JetStream of NATS.

Responsible for the stream (a subject for each partition), and for what publishing promises: order, fencing, bounds.
Collaborators: `nats_source` reads it, `nats_connection` sends requests. A worker deletes what it has finished, so that
the stream holds what waits, and nothing unread is ever trimmed.
"""

import asyncio
import hashlib
import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import NamedTuple, Self

from msgspec import Struct

from .._visible import visible_line
from ..config import Secret, hidden, whole_number
from ..errors import ConfigError, FencedOut, QQBotError
from ..models.codec import pack, unpacker
from ..models.ingest import PARTITIONS, Envelope, Fence, check_partitions, partition_of
from .nats_connection import (
    DUPLICATE,
    EXISTS,
    FAILURES,
    FULL,
    NOT_FOUND,
    WRONG_SEQUENCE,
    Headers,
    JetStreamAnswer,
    JetStreamError,
    NatsAddress,
    NatsConnection,
    TooLarge,
    is_away,
    parsed,
    refused,
    worded,
)

log = logging.getLogger(__name__)

MAX_LENGTH = 100_000
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
OPTIONS = ("stream", "partitions", "max_length", "replicas")
FREE_SETTINGS = ("storage", "num_replicas", "max_msgs_per_subject", "metadata")
"""Of a stream that exists, what a person may have chosen otherwise, or is judged by itself."""
EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
VERSION = "1"
VERSION_HEADER = "Qqbot-Version"
FEW = 16  # events that are stored one by one
LARGEST_BATCH = 500  # messages that are stored all or none; the server allows 1000
MOST_AT_A_TIME = 16  # such batches of one process; the server allows 50 for each stream
ATTEMPTS = 3  # of a write, if another process writes meanwhile

decode_envelope = unpacker(Envelope)


class NatsTopic(Struct, frozen=True):
    """The stream of one bot under one name, and the bucket of its workers."""

    app_id: str
    name: str
    partitions: int

    @property
    def stream(self) -> str:
        """The name of the stream."""
        return f"qqbot_{self.app_id or '_'}_{self.name}"

    @property
    def bucket(self) -> str:
        """The stream behind the bucket, whose name is the same without `KV_`."""
        return f"KV_{self.stream}"

    @property
    def unreadable(self) -> str:
        """The stream for what is no event."""
        return f"{self.stream}_unreadable"

    def subject(self, *parts: object) -> str:
        """Return a subject of the stream."""
        return ".".join(("qqbot", self.app_id or "_", self.name, *map(str, parts)))

    def key(self, *parts: object) -> str:
        """Return a subject of the bucket."""
        return ".".join(("$KV", self.stream, *map(str, parts)))

    async def open_stream(self, connection: NatsConnection, most: int, replicas: int) -> str:
        """Make the stream, or check that it is ours; return when it was made.

        `most`: events that wait in a partition. The limit of a stream that exists is only raised: the server would
        delete what is above a lower one.

        Raises: ConfigError for another number of partitions or an older server, one of FAILURES.
        """
        wanted = {
            "name": self.stream,
            "subjects": [self.subject(">")],
            "storage": "file",
            "num_replicas": replicas,
            "retention": "limits",
            "discard": "new",
            "discard_new_per_subject": True,
            "max_msgs_per_subject": most,
            "no_ack": False,
            "deny_delete": False,
            "deny_purge": False,
            "allow_atomic": True,
            "allow_rollup_hdrs": True,
            "allow_direct": True,
            "metadata": {"qqbot-partitions": str(self.partitions)},
        }
        found = await open_stream_of(connection, wanted)
        config = found.config
        if not config.get("allow_atomic"):
            raise ConfigError(
                f"the stream {self.stream} cannot store batches as a whole: NATS 2.12 or later is needed, and "
                "allow_atomic. 需要 NATS 2.12 或更高版本，并启用 allow_atomic"
            )
        _check_config(config, wanted)
        metadata: dict[str, str] = config.get("metadata") or {}
        known = metadata.get("qqbot-partitions", str(self.partitions))
        if known != str(self.partitions):
            raise ConfigError(
                f"the stream {self.stream} has {known} partitions, not {self.partitions}: use partitions={known}, or "
                f"another name. 分区数与已有的不一致，请改用 {known}"
            )
        if 0 < config.get("max_msgs_per_subject", -1) < most:
            await connection.api(f"STREAM.UPDATE.{self.stream}", config | {"max_msgs_per_subject": most})
        return found.created

    async def open_bucket(self, connection: NatsConnection, replicas: int) -> None:
        """Make the bucket, if there is none.  Raises: one of FAILURES."""
        wanted = {
            "name": self.bucket,
            "subjects": [self.key(">")],
            "storage": "file",
            "num_replicas": replicas,
            "discard": "new",
            "max_msgs_per_subject": 1,
            "allow_msg_ttl": True,
            "allow_rollup_hdrs": True,
            "allow_direct": True,
            "deny_delete": True,
        }
        _check_config((await open_stream_of(connection, wanted)).config, wanted)


def _check_config(found: Mapping[str, object], wanted: Mapping[str, object]) -> None:
    """Check what decides whether events are kept, and come here.  Raises: ConfigError."""
    for name, value in wanted.items():
        if name not in FREE_SETTINGS and found.get(name, False) != value:
            raise ConfigError(
                f"the stream {wanted['name']} has {name}={visible_line(str(found.get(name)), 80)}, and {value} is "
                "needed: correct that, delete the stream, or use another name. "
                "流的设置与要求的不一致，请修改或删除该流，或换一个名称"
            )


async def open_stream_of(connection: NatsConnection, wanted: Mapping[str, object]) -> JetStreamAnswer:
    """Return what is known of a stream, which is made if there is none.  Raises: one of FAILURES."""
    info, create = f"STREAM.INFO.{wanted['name']}", f"STREAM.CREATE.{wanted['name']}"
    try:
        return await connection.api(info)
    except JetStreamError as error:
        if error.reason not in NOT_FOUND:
            raise
    try:
        return await connection.api(create, wanted)
    except JetStreamError as error:
        if error.reason != EXISTS:
            raise
    return await connection.api(info)  # another process has made it meanwhile


class NatsOptions(NamedTuple):
    """What sink and source share."""

    address: NatsAddress
    name: str
    partitions: int
    max_length: int
    replicas: int


def options_of(
    url: Secret, name: str | None, partitions: int | None, max_length: int | None, replicas: int | None
) -> NatsOptions:
    """Return the options: those of the URL, unless others are given.  Raises: ConfigError."""
    address, found = parsed(url)
    if unknown := found.keys() - set(OPTIONS):
        raise ConfigError(
            f"the NATS URL has the unknown option {visible_line(min(unknown), 40)}: use {', '.join(OPTIONS)}. "
            "地址中有未知选项"
        )
    options = NatsOptions(
        address,
        found.get("stream", "events") if name is None else name,
        whole_number(found, "partitions", PARTITIONS) if partitions is None else partitions,
        whole_number(found, "max_length", MAX_LENGTH) if max_length is None else max_length,
        whole_number(found, "replicas", 1) if replicas is None else replicas,
    )
    if not NAME.fullmatch(options.name):
        raise ConfigError(
            f"the stream's name {options.name!r:.80} is not valid: use 1 to 64 of A-Z, a-z, 0-9, '_' and '-'. "
            "流名称只能由 1 到 64 个字母、数字、下划线和连字符组成"
        )
    check_partitions(options.partitions)
    if options.max_length < options.partitions:
        raise ConfigError(
            f"max_length must be at least {options.partitions}: one event for each partition. "
            f"max_length 至少应为 {options.partitions}"
        )
    if options.replicas not in range(1, 6):
        raise ConfigError("replicas must be from 1 to 5. replicas 应在 1 到 5 之间")
    return options


async def reach(connection: NatsConnection, what: str) -> None:
    """Log if the server is away.  Raises: ConfigError if it refuses us."""
    try:
        await connection.api("INFO")
    except FAILURES as error:
        log_outage(error, connection, what)


def log_outage(error: Exception, connection: NatsConnection, what: str) -> None:
    """Log that the server is away, once a minute.  Raises: ConfigError if it refuses us."""
    if not is_away(error):
        raise refused(error, what) from None
    if connection.warnings.ready("away"):
        log.warning(
            "%s: %s does not answer, waiting until it does: %s. NATS 无响应，正在等待",
            what,
            connection.shown,
            worded(error),
        )


class NatsSink:
    """An `EventSink` in a JetStream: `Bot(sink=NatsSink("nats://..."))`; needs `pip install 'aioqqbot[nats]'`.

    `name` and `partitions` have to be the same in the `NatsSource`; the number of partitions bounds that of workers,
    and is fixed once the name was used. `max_length`: events of one bot that wait at most; more are refused, so that
    the intake stops reading. `replicas`: servers of a cluster that store each event, for streams that are made here.

    A batch that fails has stored nothing, or in each partition its first events; those are not stored twice if it is
    sent again within two minutes. The server itself refuses an earlier owner of a shard. An event is as safe as the
    store: a server that must not lose one when it is killed needs `sync_interval: always`.

    Raises: ConfigError for options that cannot be right; when it is entered, if the server refuses us.
    """

    def __init__(
        self,
        url: str | Secret,
        *,
        name: str | None = None,
        partitions: int | None = None,
        max_length: int | None = None,
        replicas: int | None = None,
    ) -> None:
        url = hidden(url)  # a URL holds a password, and a traceback may show the variables of its frames
        self._options = options_of(url, name, partitions, max_length, replicas)
        self._most = self._options.max_length // self._options.partitions
        self._connection: NatsConnection | None = None  # None while it is not entered
        self._stack = AsyncExitStack()
        self._topics: dict[str, NatsTopic] = {}  # of the bots whose stream is known to be ours
        self._fences: dict[str, tuple[int, int]] = {}  # by subject: the token that is stored, and its place
        self._room = asyncio.Semaphore(MOST_AT_A_TIME)

    @classmethod
    def from_url(cls, url: str | Secret) -> Self:
        """Return the sink of `nats://host?stream=NAME&partitions=16&max_length=100000`.  Raises: ConfigError."""
        return cls(url)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(NatsConnection(self._options.address))
            await reach(connection, "NatsSink")
            self._stack = stack.pop_all()
        self._connection, self._room = connection, asyncio.Semaphore(MOST_AT_A_TIME)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection = None
        self._topics.clear()
        self._fences.clear()
        await self._stack.aclose()

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        """Store the events, in order.

        Raises: FencedOut if a later owner of the shard has published; QQBotError while the stream is full, or for what
        the server refuses; ConfigError for another number of partitions; OSError and the library's errors.
        """
        connection = self._connection
        if connection is None:
            raise ConfigError("NatsSink is entered by the bot that publishes: `async with sink:` if you do so")
        parts = dict[str, list[Envelope]]()
        for envelope in batch:
            parts.setdefault(envelope.app_id, []).append(envelope)
        size = min(LARGEST_BATCH, self._most)
        for app_id, part in parts.items():
            topic = await self._topic(connection, app_id)
            for start in range(0, len(part), size):
                async with self._room:
                    try:
                        await self._publish(connection, topic, part[start : start + size], fence)
                    except Exception:
                        self._topics.pop(app_id, None)  # the stream may be gone, or a worker has made it again
                        raise

    async def check_for(self, app_id: str) -> None:
        """Make the stream of the bot, or check that it is ours.  Raises: ConfigError."""
        if (connection := self._connection) is not None:
            try:
                await self._topic(connection, app_id)
            except FAILURES as error:
                log_outage(error, connection, "NatsSink")

    async def _topic(self, connection: NatsConnection, app_id: str) -> NatsTopic:
        if (topic := self._topics.get(app_id)) is None:
            if app_id and not NAME.fullmatch(app_id):
                raise ConfigError(
                    f"app_id={app_id!r:.80} cannot be part of a subject of NATS. app_id 不能用作 NATS 的 subject"
                )
            topic = NatsTopic(app_id, self._options.name, self._options.partitions)
            await topic.open_stream(connection, self._most, self._options.replicas)
            self._topics[app_id] = topic
        return topic

    async def _publish(
        self, connection: NatsConnection, topic: NatsTopic, part: Sequence[Envelope], fence: Fence
    ) -> None:
        """Store a few events one after another in each partition, more of them as a whole.

        The latter costs the server some milliseconds more.
        """
        bodies = [pack(envelope) for envelope in part]
        store = self._as_a_whole if len(part) > FEW else self._one_by_one
        for _ in range(ATTEMPTS):
            try:
                await store(connection, topic, part, bodies, await self._expectation(connection, topic, fence))
            except JetStreamError as error:
                if error.reason == FULL:
                    raise QQBotError(
                        f"the stream {topic.stream} is full: {worded(error)}. Start workers, or more of them, or raise "
                        "the limit. 事件流已满，请启动更多 worker，或调大上限"
                    ) from None
                if error.reason not in WRONG_SEQUENCE:
                    raise
                self._fences.clear()  # another process has published for the shard: look whether it is a later one
            except TooLarge:
                largest = max(range(len(part)), key=lambda place: len(bodies[place]))
                raise QQBotError(
                    f"the event {visible_line(part[largest].id, 200)!r} of {len(bodies[largest])} bytes is larger than "
                    "the server allows: raise its max_payload. 事件过大，请调大服务器的 max_payload"
                ) from None
            else:
                return
        raise QQBotError(f"the stream {topic.stream}: other processes publish for the shard {fence.shard} as well")

    async def _one_by_one(
        self,
        connection: NatsConnection,
        topic: NatsTopic,
        part: Sequence[Envelope],
        bodies: Sequence[bytes],
        expectation: Headers,
    ) -> None:
        """Store each event when the one before in its partition is stored, so that a failure reorders nothing."""
        lanes = dict[str, list[bytes]]()
        for envelope, body in zip(part, bodies, strict=True):
            lanes.setdefault(_event_subject(topic, envelope), []).append(body)

        async def store(subject: str, lane: Sequence[bytes]) -> None:
            for body in lane:
                await connection.ask(subject, body, _VERSIONED | expectation | {"Nats-Msg-Id": _digest([body])})

        ends = await asyncio.gather(*(store(*lane) for lane in lanes.items()), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    async def _as_a_whole(
        self,
        connection: NatsConnection,
        topic: NatsTopic,
        part: Sequence[Envelope],
        bodies: Sequence[bytes],
        expectation: Headers,
    ) -> None:
        """Store all events or none. The first one stands for the batch, if its answer is lost and it comes again."""
        batch_id, messages = uuid.uuid4().hex, list[tuple[str, bytes, Headers | None]]()
        for place, (envelope, body) in enumerate(zip(part, bodies, strict=True), 1):
            headers = _VERSIONED | {"Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(place)}
            if place == 1:
                headers |= expectation | {"Nats-Msg-Id": _digest(bodies)}
            if place == len(part):
                headers["Nats-Batch-Commit"] = "1"
            messages.append((_event_subject(topic, envelope), body, headers))
        try:
            await connection.publish(messages)
        except JetStreamError as error:
            if error.reason != DUPLICATE:
                raise

    async def _expectation(self, connection: NatsConnection, topic: NatsTopic, fence: Fence) -> Headers:
        """Store our token; return the headers with which a batch is refused after a later one.  Raises: FencedOut."""
        if fence.shard is None:
            return {}
        shard = fence.shard
        subject = topic.subject("fence", shard.gen, shard.index, shard.count)
        token, place = self._fences.get(subject, (0, 0))
        if token != fence.token or not place:
            last = await connection.last(topic.stream, subject)
            token, place = (0, 0) if last is None else (int(last.data), last.seq)
            if token > fence.token:
                raise FencedOut(f"a later owner of shard {shard} has published", token=token)
            if token < fence.token or not place:
                headers = {EXPECTED_SEQUENCE: str(place), "Nats-Rollup": "sub"}  # which replaces the message
                place = (await connection.ask(subject, str(fence.token).encode(), headers)).seq
            self._fences[subject] = (fence.token, place)
        return {EXPECTED_SEQUENCE: str(place), f"{EXPECTED_SEQUENCE}-Subject": subject}


_VERSIONED = {VERSION_HEADER: VERSION}


def _event_subject(topic: NatsTopic, envelope: Envelope) -> str:
    return topic.subject("event", partition_of(envelope.key, topic.partitions))


def _digest(bodies: Sequence[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for body in bodies:
        digest.update(body)
    return digest.hexdigest()
