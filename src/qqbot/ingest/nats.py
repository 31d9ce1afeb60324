"""`NatsSink` and `NatsSource`: events in a JetStream of NATS, read as a log.

Responsible for the stream (a subject for each partition), for order and fencing of what is published, for the owners of
the partitions (a record of each, in a bucket, written only if it is unchanged), and for acknowledgements: what is
finished is deleted, so that the stream holds what waits. Collaborators: `nats_connection` (requests), `aio.shares` (who
owns how many). Nothing is delivered by a timeout of the server: such repeats would come behind newer events.
"""

import asyncio
import hashlib
import logging
import math
import os
import re
import socket
import uuid
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeAlias, cast

from msgspec import MsgspecError, Struct

from .._visible import visible_line
from ..aio.background import background, repeat
from ..aio.clock import steady
from ..aio.shares import Shares
from ..aio.throttle import Throttle
from ..config import Secret, hidden
from ..errors import ConfigError, FencedOut, QQBotError
from ..lease import LeaseDeadline, Ownership
from ..models.codec import encode, pack, strict, unpacker
from ..models.gateway import ShardKey
from ..models.ingest import Envelope, Fence, Received
from .nats_connection import (
    DUPLICATE,
    EXISTS,
    FAILURES,
    FULL,
    GONE,
    NOT_FOUND,
    WRONG_SEQUENCE,
    Answer,
    Headers,
    JetStreamError,
    Link,
    Message,
    NatsAddress,
    NatsConnection,
    TooLarge,
    is_away,
    parsed,
    refused,
    wait_or,
    worded,
)

log = logging.getLogger(__name__)

PARTITIONS = 16
MAX_LENGTH = 100_000
MOST_PARTITIONS = 1024
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
OPTIONS = ("stream", "partitions", "max_length", "replicas")
VERSION = "1"
VERSION_HEADER = "Qqbot-Version"
FEW = 16  # events that are stored one by one
LARGEST_BATCH = 500  # messages that are stored all or none; the server allows 1000
MOST_AT_A_TIME = 16  # such batches of one process; the server allows 50 for each stream
ATTEMPTS = 3  # of a write, if another process writes meanwhile

TTL = 10.0
BEAT_SECONDS = 1.0
RENEWALS = 3  # in one ttl, so that two may fail
MARGIN = 0.1  # of the ttl: we stop that much earlier than another worker may begin, because clocks differ in speed
EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
HASTE = 4  # a failed renewal is retried after a quarter of the usual pause
PULL = 128  # events that the server may send ahead, for each partition
PULL_SECONDS = 30.0
HEARTBEAT_SECONDS = 5.0  # of the server, while nothing is published
CLOSE_SECONDS = 1.0
IDLE_SECONDS = 60.0  # after which the server forgets a reader
RETRY_SECONDS = 0.5
FLUSH_SECONDS = 0.05  # between two acknowledgements, so that each has many events
LATE_SECONDS = 1.0  # after which an event that waits for an earlier one is deleted by itself
LARGEST_FLUSH = 256
MOST_MARKS = 32
MOST_UNREADABLE = 1000

decode_envelope = unpacker(Envelope)


class _PartitionRecord(Struct):
    """Who owns a partition, and what its owners have begun.

    `owner`: '' if it is free. `stream`: when the stream was made. `marks`: of each owner, the last event that was
    delivered, as far as an event before it may be unfinished.
    """

    owner: str
    ttl: float
    stream: str
    marks: list[int] = []


decode_record = strict(_PartitionRecord)


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

    def partition_of(self, key: str) -> int:
        """Return the partition of an ordering key; the same in every process and release."""
        return zlib.crc32(key.encode("utf-8", "surrogatepass")) % self.partitions

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
            "discard": "new",
            "discard_new_per_subject": True,
            "max_msgs_per_subject": most,
            "allow_atomic": True,
            "allow_rollup_hdrs": True,
            "allow_direct": True,
            "metadata": {"qqbot-partitions": str(self.partitions)},
        }
        found = await _open(connection, wanted)
        config = found.config
        if not config.get("allow_atomic"):
            raise ConfigError(
                f"the stream {self.stream} cannot store batches as a whole: NATS 2.12 or later is needed, and "
                "allow_atomic. 需要 NATS 2.12 或更高版本，并启用 allow_atomic"
            )
        metadata: dict[str, str] = config.get("metadata") or {}
        known = metadata.get("qqbot-partitions", str(self.partitions))
        if known != str(self.partitions):
            raise ConfigError(
                f"the stream {self.stream} has {known} partitions, here {self.partitions} are asked for: use "
                f"partitions={known}, or another name. 分区数与已有的不一致，请改用 {known}"
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
        await _open(connection, wanted)


async def _open(connection: NatsConnection, wanted: Mapping[str, object]) -> Answer:
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


class _Options(NamedTuple):
    """What sink and source share."""

    address: NatsAddress
    name: str
    partitions: int
    max_length: int
    replicas: int


def _options(
    url: Secret, name: str | None, partitions: int | None, max_length: int | None, replicas: int | None
) -> _Options:
    """Return the options: those of the URL, unless others are given.  Raises: ConfigError."""
    address, found = parsed(url)
    if unknown := found.keys() - set(OPTIONS):
        raise ConfigError(
            f"the NATS URL has the unknown option {visible_line(min(unknown), 40)}: use {', '.join(OPTIONS)}. "
            "地址中有未知选项"
        )
    options = _Options(
        address,
        found.get("stream", "events") if name is None else name,
        _number(found, "partitions", PARTITIONS) if partitions is None else partitions,
        _number(found, "max_length", MAX_LENGTH) if max_length is None else max_length,
        _number(found, "replicas", 1) if replicas is None else replicas,
    )
    if not NAME.fullmatch(options.name):
        raise ConfigError(
            f"the stream's name {options.name!r:.80} is not valid: use 1 to 64 of A-Z, a-z, 0-9, '_' and '-'. "
            "流名称只能由 1 到 64 个字母、数字、下划线和连字符组成"
        )
    if not 1 <= options.partitions <= MOST_PARTITIONS:
        raise ConfigError(
            f"partitions must be from 1 to {MOST_PARTITIONS}. partitions 应在 1 到 {MOST_PARTITIONS} 之间"
        )
    if options.max_length < options.partitions:
        raise ConfigError(
            f"max_length must be at least {options.partitions}: one event for each partition. "
            f"max_length 至少应为 {options.partitions}"
        )
    if options.replicas not in range(1, 6):
        raise ConfigError("replicas must be from 1 to 5. replicas 应在 1 到 5 之间")
    return options


def _number(options: dict[str, str], name: str, default: int) -> int:
    text = options.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise ConfigError(f"the option {name}={text!r:.40} of the URL is not a whole number. 选项 {name} 应为整数")
    return int(text)


async def _reach(connection: NatsConnection, what: str) -> None:
    """Log if the server is away.  Raises: ConfigError if it refuses us."""
    try:
        await connection.api("INFO")
    except FAILURES as error:
        if not is_away(error):
            raise refused(error, what) from None
        log.warning("%s: %s does not answer, waiting until it does: %s", what, connection.shown, worded(error))


class NatsSink:
    """An `EventSink` in a JetStream: `Bot(sink=NatsSink("nats://..."))`.

    `name` and `partitions` have to be the same in the `NatsSource`; the number of partitions bounds that of workers,
    and is fixed once the name was used. `max_length`: events of one bot that wait at most; more are refused, so that
    the intake stops reading. `replicas`: servers of a cluster that store each event, for streams that are made here.

    A batch that fails has stored nothing, or in each partition its first events; those are not stored twice if it is
    sent again within two minutes. An
    event is as safe as the store: a server that must not lose one when it is killed needs `sync_interval: always`.

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
        self._options = _options(url, name, partitions, max_length, replicas)
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
            await _reach(connection, "NatsSink")
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

    async def _topic(self, connection: NatsConnection, app_id: str) -> NatsTopic:
        if (topic := self._topics.get(app_id)) is None:
            if app_id and not NAME.fullmatch(app_id):
                raise ConfigError(f"app_id={app_id!r:.80} cannot be part of a subject of NATS. app_id 无效")
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
                        f"the stream {topic.stream} is full: {self._most} events wait in a partition. Start workers, "
                        "or more of them. 事件流已满，请启动更多 worker"
                    ) from None
                if error.reason not in WRONG_SEQUENCE:
                    raise
                self._fences.clear()  # another process has published for the shard: look whether it is a later one
            except TooLarge:
                raise QQBotError(
                    f"an event of {max(map(len, bodies))} bytes is larger than the server allows: raise its "
                    "max_payload. 事件过大，请调大服务器的 max_payload"
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
    return topic.subject("event", topic.partition_of(envelope.key))


def _digest(bodies: Sequence[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for body in bodies:
        digest.update(body)
    return digest.hexdigest()


class _Entry(NamedTuple):
    """One message of a partition, as it was stored."""

    place: int
    data: bytes
    headers: Headers


class _Reader:
    """The messages of one partition from `start` on, over one connection; what is lost on the way ends it.

    The server sends at most `PULL` ahead. `wake` is set when there is something to take, or it has ended.
    """

    def __init__(self, connection: NatsConnection, link: Link, stream: str, subject: str, wake: asyncio.Event) -> None:
        self.ended = False
        self._connection = connection
        self._link = link
        self._stream = stream
        self._subject = subject
        self._wake = wake
        self._name = uuid.uuid4().hex
        self._inbox = link.client.new_inbox()
        self._subscription: Any = None
        self._entries: list[_Entry] = []
        self._expected = 1  # the number of the next message of this reader
        self._ahead = 0  # messages that the server may still send
        self._received_at = steady()

    async def open(self, start: int) -> None:
        """Let the server send.  Raises: one of FAILURES."""
        self._link.on_closed.add(self._end)
        self._subscription = await self._link.subscribe(self._inbox, self._receive)
        config = {
            "name": self._name,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": start,
            "ack_policy": "none",
            "filter_subject": self._subject,
            "inactive_threshold": _nanoseconds(IDLE_SECONDS),
            "mem_storage": True,
            "num_replicas": 1,
        }
        what = f"CONSUMER.CREATE.{self._stream}.{self._name}.{self._subject}"
        await self._connection.api(what, {"stream_name": self._stream, "config": config})

    async def take(self) -> list[_Entry]:
        """Return what has come, and let the server send more.  Raises: the library's errors."""
        entries, self._entries = self._entries, []
        if self._ahead <= 0:
            self._ahead = PULL
            pull = {
                "batch": PULL,
                "expires": _nanoseconds(PULL_SECONDS),
                "idle_heartbeat": _nanoseconds(HEARTBEAT_SECONDS),
            }
            subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"
            await self._link.client.publish(subject, encode(pull), reply=self._inbox)
        return entries

    async def wait(self) -> None:
        """Return when there is something to take, or the server is silent, which ends the reader."""
        if self._entries or self.ended or self._ahead <= 0:
            return
        await wait_or(self._wake, HEARTBEAT_SECONDS)
        if steady() - self._received_at > 2.5 * HEARTBEAT_SECONDS:
            self._end()

    async def close(self) -> None:
        """Let the server forget the reader."""
        self._end()
        self._link.on_closed.discard(self._end)
        if self._subscription is not None and self._link.is_open:
            with suppress(*FAILURES):
                async with asyncio.timeout(CLOSE_SECONDS):  # otherwise the server forgets it by itself
                    await self._subscription.unsubscribe()
                    await self._link.ask(f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._name}")

    def _end(self) -> None:
        self.ended = True
        self._wake.set()

    async def _receive(self, message: Message) -> None:
        """Keep a message; the callback of the subscription."""
        self._received_at = steady()
        headers = message.headers or {}
        if (status := headers.get("Status")) is not None and not message.reply.startswith("$JS.ACK."):
            if status == "408":
                self._ahead = 0
                self._wake.set()
            elif status != "100":
                self._end()
            return
        parts = message.reply.split(".")
        place, number = parts[5:7] if len(parts) == 9 else parts[7:9]  # later servers name the domain and the account
        if int(number) != self._expected:
            self._end()
        if not self.ended:
            self._expected += 1
            self._ahead -= 1
            self._entries.append(_Entry(int(place), message.data, headers))
            self._wake.set()


class NatsPartition:
    """One partition while this process owns it. It is its own `Ownership`."""

    def __init__(
        self, connection: NatsConnection, topic: NatsTopic, index: int, replicas: int, claim: "_Claim"
    ) -> None:
        self.shard = ShardKey(0, index, topic.partitions)
        self.length = 0  # events that are stored and not finished, as of the last beat
        self.given_up = asyncio.Event()  # no more events are wanted: it is drained, and then released
        self._connection = connection
        self._topic = topic
        self._replicas = replicas
        self._subject = topic.subject("event", index)
        self._claim = claim
        self._ttl = claim.ttl
        self._deadline = LeaseDeadline(claim.ttl * (1 - MARGIN), claim.sent_at)
        self._lost = False
        self._writing = asyncio.Lock()
        self._wake = asyncio.Event()  # there may be something to receive
        self._reader: _Reader | None = None
        self._link: Link | None = None  # the connection over which the stream was checked
        self._stream = ""  # when the stream was made that the places are of
        self._last = 0  # the place of the last message that came
        self._mark = 0  # the place of the last event that was delivered
        self._earlier = claim.record.marks  # those of earlier owners
        self._batch: list[Received] = []  # to be delivered, when that is stored
        self._open: deque[int] = deque()  # places of what came and is not deleted with all before it, in order
        self._finished: dict[int, float] = {}  # when each place among them was finished
        self._deleted: set[int] = set()  # those that were deleted alone
        self._point = 0  # everything up to this place is finished
        self._some_finished = asyncio.Event()
        self._warnings = Throttle()

    @property
    def lease(self) -> Ownership:
        """The right to handle its events."""
        return self

    def valid(self) -> bool:
        """True if this process may handle its events now, by our own clock."""
        return self._deadline.valid()

    def give_up(self) -> None:
        """Let `receive` return nothing from now on."""
        self.given_up.set()
        self._wake.set()

    async def receive(self) -> Sequence[Received]:
        """Wait for events; nothing if the partition is to be given up.  Raises: ConfigError."""
        while not self.given_up.is_set() and self.valid():
            try:
                if not self._batch:
                    self._batch = await self._next()
                if self._batch:
                    self._mark = self._last
                    if not await self._write():
                        return ()
                    batch, self._batch = self._batch, []
                    return batch
            except FAILURES as error:
                await log_outage(error, self._warnings)
                await wait_or(self.given_up, RETRY_SECONDS)
        return ()

    async def _next(self) -> list[Received]:
        """Return what has come; nothing if it has to be asked again."""
        reader = self._reader
        if reader is None or reader.ended:
            reader = await self._open_reader()
        entries = await reader.take()
        self._wake.clear()
        if not entries and not self.given_up.is_set():
            await reader.wait()
        return await self._received(entries)

    async def _open_reader(self) -> _Reader:
        """Read on from the last message that came."""
        if self._reader is not None:
            await self._reader.close()
        link = await self._checked_link()
        reader = _Reader(self._connection, link, self._topic.stream, self._subject, self._wake)
        self._reader = reader
        await reader.open(self._last + 1)
        return reader

    async def _checked_link(self) -> Link:
        """Return the connection. After another one, or a reader that ended, check that the stream is still the same.

        Places in a stream that was deleted, or that the server has lost, mean other events in the next one.
        """
        link = await self._connection.link()
        if link is not self._link or (self._reader is not None and self._reader.ended):
            made = await self._topic.open_stream(self._connection, 1, self._replicas)
            if made != (self._stream or self._claim.record.stream):
                self._earlier = []
                self._last = self._mark = self._point = 0
                self._open.clear()
                self._finished.clear()
                self._deleted.clear()
            self._stream, self._link = made, link
        return link

    async def _received(self, entries: Sequence[_Entry]) -> list[Received]:
        """Decode messages; what cannot be read is put aside."""
        found: list[Received] = []
        for place, data, headers in entries:
            version = headers.get(VERSION_HEADER)
            if version not in (None, VERSION) and version.isdigit():
                raise ConfigError(
                    f"the message {place} of {self._topic.stream} has the version {version}, this worker knows "
                    f"{VERSION}: update the workers before the intake. 请先升级 worker 再升级接收进程"
                )
            deliveries = 1 + sum(mark >= place for mark in self._earlier)
            self._open.append(place)
            try:
                found.append(Received(decode_envelope(data), (self._stream, place), deliveries))
            except (MsgspecError, ValueError, RecursionError) as error:
                why = visible_line(repr(error))
                log.error(  # noqa: TRY400 - the text explains it
                    "message %d of %s is no event: moved to %s: %s",
                    place,
                    self._topic.stream,
                    self._topic.unreadable,
                    why,
                )
                await self._put_aside(data, headers)
                self._finish(place)
            self._last = place
        return found

    async def _put_aside(self, data: bytes, headers: Headers) -> None:
        """Store what is no event, as long as the partition is ours."""
        topic = self._topic
        stream = {
            "name": topic.unreadable,
            "subjects": [f"{topic.unreadable}.*"],
            "storage": "file",
            "num_replicas": self._replicas,
            "max_msgs_per_subject": MOST_UNREADABLE,
        }
        kept = {name: value for name, value in headers.items() if not name.startswith("Nats-")}
        while self.valid():
            try:
                await _open(self._connection, stream)
                await self._connection.ask(f"{topic.unreadable}.{self.shard.index}", data, kept or None)
            except FAILURES as error:
                await log_outage(error, self._warnings)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _write(self, owner: str | None = None) -> bool:
        """Store the record, which keeps the partition ours; return False if it is not any more.

        Raises: one of FAILURES.
        """
        claim = self._claim
        async with self._writing:
            while self.valid():
                marks = [mark for mark in (*self._earlier, self._mark) if mark > self._point][-MOST_MARKS:]
                stream = self._stream or claim.record.stream
                record = _PartitionRecord(claim.owner if owner is None else owner, self._ttl, stream, marks)
                sent_at = steady()
                try:
                    claim.revision = await write_record(self._connection, claim.key, record, claim.revision)
                except JetStreamError as error:
                    if error.reason not in WRONG_SEQUENCE:
                        raise
                    # It may be ours: the answer to an earlier write was lost.
                    found = await self._connection.last(self._topic.bucket, claim.key)
                    if found is None or _record(claim.key, found.data).owner != claim.owner:
                        break
                    claim.revision = found.seq
                else:
                    if self._deadline.renew(sent_at):
                        return True
            self._lose()
            return False

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            log.warning(
                "partition %s is not ours any more: another worker owns it, the server lost its record, or %g s "
                "passed without an answer. 分区已失去",
                self.shard,
                self._ttl,
            )
        self._deadline.shut()
        self.give_up()

    async def keep(self) -> None:
        """Keep the partition ours until it is lost."""
        pause = self._ttl / RENEWALS
        while left := self._deadline.left():
            await asyncio.sleep(min(pause, left))
            pause = self._ttl / RENEWALS
            try:
                async with asyncio.timeout(self._deadline.left()):
                    await self._write()
            except FAILURES as error:
                if self._warnings.ready("keep"):
                    log.warning("partition %s could not be kept, trying again: %s", self.shard, worded(error))
                pause /= HASTE
        self._lose()

    def done(self, received: Received) -> None:
        """Mark an event as finished: it is deleted soon."""
        stream, place = cast("tuple[str, int]", received.place)
        if stream == self._stream:
            self._finish(place)

    def _finish(self, place: int) -> None:
        self._finished[place] = steady()
        self._some_finished.set()

    async def acknowledge(self) -> None:
        """Delete what is finished; one turn of a chore."""
        if self._finished.keys() - self._deleted:
            await wait_or(self._some_finished, LATE_SECONDS)
        else:
            await self._some_finished.wait()
        self._some_finished.clear()
        await asyncio.sleep(FLUSH_SECONDS)
        await self.flush(LATE_SECONDS)

    async def flush(self, late: float = 0.0) -> None:
        """Delete what is finished; after `late` seconds also what comes behind an unfinished event.

        While the server is away, it is tried as long as the partition is ours. If it refuses that, it is tried until
        the partition is given up.
        """
        while self._finished and self.valid():
            try:
                link = await self._checked_link()
                await self._delete_first(link)
                await self._delete_late(link, steady() - late)
            except FAILURES as error:
                if self._warnings.ready("done"):
                    log.warning("NatsSource: events cannot be acknowledged, trying again: %s", worded(error))
                if self.given_up.is_set() and not is_away(error):
                    return  # otherwise the end of the process waits until a person corrects something
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return  # what is left comes again to the next owner, and so it does if that is us

    async def _delete_first(self, link: Link) -> None:
        """Delete everything up to the first event that is not finished."""
        point, single = self._point, True
        for place in self._open:
            if place not in self._finished:
                break
            single &= place in self._deleted
            point = place
        if point == self._point:
            return
        stream = self._stream
        if not single:
            body = {"filter": self._subject, "seq": point + 1}
            await self._connection.api(f"STREAM.PURGE.{self._topic.stream}", body, link=link)
        if self._stream != stream:
            return
        while self._open and self._open[0] <= point:
            place = self._open.popleft()
            self._finished.pop(place, None)
            self._deleted.discard(place)
        self._point = point

    async def _delete_late(self, link: Link, before: float) -> None:
        """Delete what was finished `before` this moment, although an earlier event is not."""
        late = [place for place, at in self._finished.items() if at <= before and place not in self._deleted]
        for start in range(0, len(late), LARGEST_FLUSH):
            part = late[start : start + LARGEST_FLUSH]
            await asyncio.gather(*(self._delete(link, place) for place in part))

    async def _delete(self, link: Link, place: int) -> None:
        stream, body = self._stream, {"seq": place, "no_erase": True}
        try:
            await self._connection.api(f"STREAM.MSG.DELETE.{self._topic.stream}", body, link=link)
        except JetStreamError as error:
            if error.reason not in (*NOT_FOUND, GONE):  # an earlier request, whose answer was lost, has deleted it
                raise
        if self._stream == stream:
            self._deleted.add(place)

    async def release(self) -> None:
        """Let another worker have the partition at once, if it is still ours."""
        if self._reader is not None:
            await self._reader.close()
        try:
            with suppress(*FAILURES):
                if self.valid():
                    async with asyncio.timeout(self._deadline.left()):
                        await self._write("")
        finally:
            self._deadline.shut()


class _Claim:
    """The record of a partition since this process has written it."""

    def __init__(self, key: str, owner: str, ttl: float, sent_at: float, record: _PartitionRecord) -> None:
        self.key = key
        self.owner = owner
        self.ttl = ttl
        self.sent_at = sent_at
        self.record = record  # that of the owner before
        self.revision = 0


NatsPartitionWork: TypeAlias = Callable[[NatsPartition], Awaitable[None]]
"""What handles the events of one partition; it returns when that was given up, and what had begun has ended."""


class NatsSource:
    """An `EventSource` in a JetStream: `await bot.work(NatsSource("nats://..."))`.

    `url`, `name`, `partitions` and `replicas` as in `NatsSink`. `ttl`: seconds after which the partitions of a worker
    that died go to others. Workers of one bot divide the partitions evenly; one that joins gets its part when the
    others have finished what they had begun there.

    A worker stops acting `ttl` after it last wrote its record, less a tenth; another one takes the partition `ttl`
    after it saw that record last change, each by its own monotonic clock. Events are delivered only after a write that
    a later owner's would have refused.

    Raises: ConfigError for options that cannot be right.
    """

    def __init__(
        self,
        url: str | Secret,
        *,
        name: str | None = None,
        partitions: int | None = None,
        replicas: int | None = None,
        ttl: float = TTL,
    ) -> None:
        url = hidden(url)  # a URL holds a password, and a traceback may show the variables of its frames
        self._options = _options(url, name, partitions, None, replicas)
        if not 0 < ttl < math.inf:
            raise ConfigError("NatsSource(ttl=...) must be greater than 0 seconds, and finite. ttl 应大于 0")
        self._ttl = ttl
        self._connection: NatsConnection | None = None  # None while it is not entered
        self._stack = AsyncExitStack()
        self._shares: Shares[NatsPartition] | None = None  # None while it does not run

    @classmethod
    def from_url(cls, url: str | Secret) -> Self:
        """Return the source of `nats://host?stream=NAME&partitions=16`.  Raises: ConfigError."""
        return cls(url)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(NatsConnection(self._options.address))
            await _reach(connection, "NatsSource")
            self._stack = stack.pop_all()
        self._connection = connection
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection = None
        await self._stack.aclose()

    @property
    def lag(self) -> int:
        """How many events are stored in the own partitions, as of the last second."""
        return 0 if self._shares is None else sum(partition.length for partition in self._shares.owned.values())

    async def stop(self) -> None:
        """Give up all partitions; `run` returns when their work has ended."""
        if self._shares is not None:
            self._shares.stop()

    async def run(self, app_id: str, work: NatsPartitionWork) -> None:
        """Call `work` for each partition that this process owns, until `stop`.

        Raises: ConfigError if the server refuses us, or for another number of partitions; what `work` raises.
        """
        if self._connection is None:
            raise ConfigError("NatsSource is entered by the bot that reads: `async with source:` if you do so")
        if self._shares is not None:
            raise ConfigError("this NatsSource is being read already: make a second one")
        options = self._options
        topic = NatsTopic(app_id, options.name, options.partitions)
        workers = _NatsWorkers(self._connection, topic, options.replicas, self._ttl, work)
        self._shares = Shares(workers, topic.partitions, workers.name, min(BEAT_SECONDS, self._ttl / 4))
        try:
            await self._shares.run()
        finally:
            self._shares = None


class _Seen(NamedTuple):
    """The record of a partition, and since when it has not changed, by our own clock."""

    revision: int
    record: _PartitionRecord
    since: float


class _NatsWorkers:
    """The workers of one topic, and which partitions they own; what `Shares` needs of the broker."""

    failures: tuple[type[Exception], ...] = FAILURES

    def __init__(
        self, connection: NatsConnection, topic: NatsTopic, replicas: int, ttl: float, work: NatsPartitionWork
    ) -> None:
        self.name = f"{re.sub('[^A-Za-z0-9_-]', '_', socket.gethostname()[:64])}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._connection = connection
        self._topic = topic
        self._replicas = replicas
        self._ttl = ttl
        self._work = work
        self._opened = False
        self._seen: dict[str, _Seen] = {}  # by key: the records of the partitions
        self._warnings = Throttle()

    async def beat(self) -> int:
        """Report that this worker is alive; return how many are."""
        connection, topic = self._connection, self._topic
        if not self._opened:
            await topic.open_stream(connection, 1, self._replicas)
            await topic.open_bucket(connection, self._replicas)
        self._opened = False  # until this has succeeded: the bucket may be gone
        key = topic.key("worker", self.name)
        await connection.ask(key, b"", {"Nats-TTL": f"{max(math.ceil(self._ttl), 1)}s"})
        await self._observe()
        subjects = await self._count(topic.bucket, topic.key("worker", "*"))
        self._opened = True
        return max(len(subjects), 1)

    async def _observe(self) -> None:
        """Read the records of all partitions, and for how long each has not changed."""
        topic, now = self._topic, {}
        found = await self._connection.all_last(topic.bucket, topic.key("partition", "*"))
        read_at = steady()
        for key, stored in found.items():
            seen = self._seen.get(key)
            if seen is None or seen.revision != stored.seq:
                seen = _Seen(stored.seq, _record(key, stored.data), read_at)
            now[key] = seen
        self._seen = now

    async def _count(self, stream: str, subject: str) -> dict[str, int]:
        found = await self._connection.api(f"STREAM.INFO.{stream}", {"subjects_filter": subject})
        return (found.state.subjects if found.state is not None else None) or {}

    async def claim(self, index: int) -> NatsPartition | None:
        """Return the partition if it is free, or its owner has not written for its ttl."""
        connection, key = self._connection, self._topic.key("partition", index)
        revision, record, since = self._seen.get(key) or _Seen(0, _PartitionRecord("", 0.0, ""), 0.0)
        if record.owner and steady() - since <= record.ttl:
            return None
        owner, sent_at = f"{self.name}-{uuid.uuid4().hex[:8]}", steady()
        claim = _Claim(key, owner, self._ttl, sent_at, record)
        mine = _PartitionRecord(owner, self._ttl, record.stream, record.marks)
        try:
            claim.revision = await write_record(connection, key, mine, revision)
        except JetStreamError as error:
            if error.reason not in WRONG_SEQUENCE:
                raise
            return None  # another worker was faster
        return NatsPartition(connection, self._topic, index, self._replicas, claim)

    async def handle(self, partition: NatsPartition) -> None:
        """Let one partition be handled; release it at the end."""
        try:
            async with background(partition.keep(), name=f"qqbot partition {partition.shard} lease"):
                async with background(repeat(partition.acknowledge), name=f"qqbot partition {partition.shard}"):
                    await self._work(partition)
                await partition.flush()
        finally:
            await partition.release()

    async def look(self, owned: Collection[NatsPartition]) -> None:
        """Read how many events are stored in the own partitions."""
        counts = await self._count(self._topic.stream, self._topic.subject("event", "*"))
        for partition in owned:
            partition.length = counts.get(self._topic.subject("event", partition.shard.index), 0)

    async def leave(self) -> None:
        """Let the others not count this worker any more."""
        body = {"filter": self._topic.key("worker", self.name)}
        await self._connection.api(f"STREAM.PURGE.{self._topic.bucket}", body)

    async def outage(self, error: Exception) -> None:
        """Log that the server is away.  Raises: ConfigError if it refuses us."""
        await log_outage(error, self._warnings)


def _record(key: str, data: bytes) -> _PartitionRecord:
    try:
        return decode_record(data)
    except MsgspecError:
        raise ConfigError(
            f"the key {key} of NATS was not written by this package: use another stream=. 请换一个流名称"
        ) from None


async def write_record(connection: NatsConnection, key: str, record: _PartitionRecord, revision: int) -> int:
    """Write the record if it still has that revision; return the new one.  Raises: one of FAILURES."""
    return (await connection.ask(key, encode(record), {EXPECTED_SEQUENCE: str(revision)})).seq


async def log_outage(error: Exception, warnings: Throttle) -> None:
    """Log that the server is away.  Raises: ConfigError if it refuses us."""
    if not is_away(error):
        raise refused(error, "NatsSource") from None
    if warnings.ready("away"):
        log.warning("NatsSource: the server does not answer, waiting until it does: %s", worded(error))


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
