"""`NatsSource`: reads the events that a `NatsSink` has stored, as a log.

Responsible for the owners of the partitions (a record of each, in a bucket, written only if it is unchanged), for what
a dead worker had open, and for acknowledgements. Collaborators: `nats` (names and entries), `nats_connection`
(requests), `aio.partition_shares` (how many each worker owns). Nothing is delivered by a timeout of the server: such
repeats would come behind newer events. It runs no handler.
"""

import asyncio
import logging
import math
import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, suppress
from itertools import takewhile
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeAlias, cast

from msgspec import MsgspecError, Struct

from .._visible import visible_line
from ..aio.background import background, repeat
from ..aio.clock import steady
from ..aio.partition_shares import PartitionShares, new_worker_name
from ..config import Secret, hidden
from ..errors import ConfigError
from ..lease import LeaseDeadline, Ownership
from ..models.codec import encode, strict
from ..models.gateway import ShardKey
from ..models.ingest import Received
from .nats import (
    EXPECTED_SEQUENCE,
    VERSION,
    VERSION_HEADER,
    NatsTopic,
    decode_envelope,
    log_outage,
    open_stream_of,
    options_of,
    reach,
)
from .nats_connection import (
    FAILURES,
    GONE,
    NOT_FOUND,
    WRONG_SEQUENCE,
    Headers,
    JetStreamError,
    Link,
    Message,
    NatsConnection,
    is_away,
    wait_or,
    worded,
)

log = logging.getLogger(__name__)

TTL = 10.0
BEAT_SECONDS = 1.0
RENEWALS = 3  # in one ttl, so that two may fail
MARGIN = 0.1  # of the ttl: we stop that much earlier than another worker may begin, because clocks differ in speed
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
        self._connection = connection
        self._link = link
        self._stream = stream
        self._subject = subject
        self._wake = wake
        self._is_over = False
        self._name = uuid.uuid4().hex
        self._inbox = link.client.new_inbox()
        self._subscription: Any = None
        self._entries: list[_Entry] = []
        self._expected = 1  # the number of the next message of this reader
        self._ahead = 0  # messages that the server may still send
        self._received_at = steady()

    @property
    def ended(self) -> bool:
        """True if nothing more comes; what has come and was not taken is to be read again."""
        return self._is_over or not self._link.is_open

    def check_rights(self) -> None:
        """Check that the server did not refuse what the reader has sent: such requests have no answer.

        Raises: NatsRefused.
        """
        if self._link.refusal is not None:
            raise self._link.refusal

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
        self._is_over = True
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
        self._warnings = connection.warnings
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
        self._open: dict[int, None] = {}  # places of what came and is not deleted, in order
        self._finished: dict[int, float] = {}  # when each of them was finished, if it is
        self._point = 0  # everything up to this place is deleted
        self._some_finished = asyncio.Event()

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
                log_outage(error, self._connection, "NatsSource")
                await wait_or(self.given_up, RETRY_SECONDS)
        return ()

    async def _next(self) -> list[Received]:
        """Return what has come; nothing if it has to be asked again."""
        reader = self._reader
        if reader is None or reader.ended:
            if reader is not None:  # a server that ends one after another must not be asked without a pause
                reader.check_rights()
                await wait_or(self.given_up, FLUSH_SECONDS)
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
            self._open[place] = None
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
                await open_stream_of(self._connection, stream)
                await self._connection.ask(f"{topic.unreadable}.{self.shard.index}", data, kept or None)
            except FAILURES as error:
                log_outage(error, self._connection, "NatsSource")
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
                "passed without an answer. 分区已不属于本进程",
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
        if place in self._open:
            self._finished[place] = steady()
            self._some_finished.set()

    async def acknowledge(self) -> None:
        """Delete what is finished; one turn of a chore."""
        if self._finished:  # something is waiting for an earlier event
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
        """Delete everything before the first event that is not finished."""
        first = list(takewhile(self._finished.__contains__, self._open))
        if first:
            stream, body = self._stream, {"filter": self._subject, "seq": first[-1] + 1}
            await self._connection.api(f"STREAM.PURGE.{self._topic.stream}", body, link=link)
            self._forget(stream, first)

    async def _delete_late(self, link: Link, before: float) -> None:
        """Delete what was finished `before` this moment, although an earlier event is not."""
        late = [place for place, _ in takewhile(lambda item: item[1] <= before, self._finished.items())]
        for start in range(0, len(late), LARGEST_FLUSH):
            await asyncio.gather(*(self._delete(link, place) for place in late[start : start + LARGEST_FLUSH]))

    async def _delete(self, link: Link, place: int) -> None:
        stream, body = self._stream, {"seq": place, "no_erase": True}
        try:
            await self._connection.api(f"STREAM.MSG.DELETE.{self._topic.stream}", body, link=link)
        except JetStreamError as error:
            if error.reason not in (*NOT_FOUND, GONE):  # an earlier request, whose answer was lost, has deleted it
                raise
        self._forget(stream, [place])

    def _forget(self, stream: str, places: Sequence[int]) -> None:
        """Count messages as deleted, unless another stream has taken the place of theirs."""
        if stream == self._stream:
            for place in places:
                self._open.pop(place, None)
                self._finished.pop(place, None)
            self._point = next(iter(self._open), self._last + 1) - 1

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

    def __init__(self, key: str, owner: str, ttl: float, record: _PartitionRecord) -> None:
        self.key = key
        self.owner = owner
        self.ttl = ttl
        self.sent_at = steady()
        self.record = record  # that of the owner before
        self.revision = 0


NatsPartitionWork: TypeAlias = Callable[[NatsPartition], Awaitable[None]]
"""What handles the events of one partition; it returns when that was given up, and what had begun has ended."""


class NatsSource:
    """An `EventSource` in a JetStream: `await bot.work(NatsSource("nats://..."))`; needs `aioqqbot[nats]`.

    `url`, `name`, `partitions` and `replicas` as in `NatsSink`. `ttl`: seconds after which the partitions of a worker
    that died go to others. Workers of one bot divide the partitions evenly; one that joins gets its part when the
    others have finished what they had begun there.

    A worker stops acting `ttl` after it last wrote its record, less a tenth; another one takes the partition `ttl`
    after it saw that record last change, each by its own monotonic clock. Before events are delivered, the record is
    written in a way that fails if another worker has the partition.

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
        self._options = options_of(url, name, partitions, None, replicas)
        if not 0 < ttl < math.inf:
            raise ConfigError(
                "NatsSource(ttl=...) must be greater than 0 seconds, and finite. ttl 应大于 0，且不能无限大"
            )
        self._ttl = ttl
        self._connection: NatsConnection | None = None  # None while it is not entered
        self._stack = AsyncExitStack()
        self._shares: PartitionShares[NatsPartition] | None = None  # None while it does not run

    @classmethod
    def from_url(cls, url: str | Secret) -> Self:
        """Return the source of `nats://host?stream=NAME&partitions=16`.  Raises: ConfigError."""
        return cls(url)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(NatsConnection(self._options.address))
            await reach(connection, "NatsSource")
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
        workers = NatsWorkers(self._connection, topic, options.replicas, self._ttl, work)
        self._shares = PartitionShares(topic.partitions, workers.name, min(BEAT_SECONDS, self._ttl / 4))
        try:
            await self._shares.run(workers)
        finally:
            self._shares = None


class _Seen(NamedTuple):
    """The record of a partition, and since when it has not changed, by our own clock."""

    revision: int
    record: _PartitionRecord
    since: float


class NatsWorkers:
    """The workers of one topic, and which partitions they own; what `PartitionShares` needs of the broker."""

    failures: tuple[type[Exception], ...] = FAILURES

    def __init__(
        self, connection: NatsConnection, topic: NatsTopic, replicas: int, ttl: float, work: NatsPartitionWork
    ) -> None:
        self.name = new_worker_name()
        self._connection = connection
        self._topic = topic
        self._replicas = replicas
        self._ttl = ttl
        self._work = work
        self._key = topic.key("worker", self.name)
        self._began = 0  # the number of the first beat; 0: the others do not know this worker
        self._beat_at = 0.0
        self._opened = False
        self._seen: dict[str, _Seen] = {}  # by key: the records of the partitions

    async def beat(self) -> tuple[int, int]:
        """Report that this worker is alive; return how many are, and how many of them began before."""
        connection, topic = self._connection, self._topic
        if not self._opened:
            await topic.open_stream(connection, 1, self._replicas)
            await topic.open_bucket(connection, self._replicas)
        self._opened = False  # until this has succeeded: the bucket may be gone
        if steady() - self._beat_at > self._ttl:
            self._began = 0
        sent_at, began = steady(), str(self._began).encode() if self._began else b""
        stored = await connection.ask(self._key, began, {"Nats-TTL": f"{max(math.ceil(self._ttl), 1)}s"})
        self._began, self._beat_at = self._began or stored.seq, sent_at
        await self._observe()
        found = await connection.all_last(topic.bucket, topic.key("worker", "*"))
        found.pop(self._key, None)  # another server of a cluster may not have it yet
        others = [(int(each.data) if each.data.isdigit() else each.seq, key) for key, each in found.items()]
        self._opened = True
        return 1 + len(others), sum(other < (self._began, self._key) for other in others)

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

    async def claim(self, index: int) -> NatsPartition | None:
        """Return the partition if it is free, or its owner has not written for its ttl."""
        connection, key = self._connection, self._topic.key("partition", index)
        revision, record, since = self._seen.get(key) or _Seen(0, _PartitionRecord("", 0.0, ""), 0.0)
        if record.owner and steady() - since <= record.ttl:
            return None
        owner = f"{self.name}-{uuid.uuid4().hex[:8]}"
        claim = _Claim(key, owner, self._ttl, record)
        mine = _PartitionRecord(owner, self._ttl, record.stream, record.marks)
        try:
            claim.revision = await write_record(connection, key, mine, revision)
        except JetStreamError as error:
            if error.reason not in WRONG_SEQUENCE:
                raise
            return None  # another worker was faster
        return NatsPartition(connection, self._topic, index, self._replicas, claim)

    async def handle(self, partition: NatsPartition) -> None:
        """Let one partition be handled."""
        async with background(partition.keep(), name=f"qqbot partition {partition.shard} lease"):
            async with background(repeat(partition.acknowledge), name=f"qqbot partition {partition.shard}"):
                await self._work(partition)
            await partition.flush()

    async def look(self, owned: Collection[NatsPartition]) -> None:
        """Read how many events are stored in the own partitions."""
        body = {"subjects_filter": self._topic.subject("event", "*")}
        state = (await self._connection.api(f"STREAM.INFO.{self._topic.stream}", body)).state
        counts = (state.subjects if state is not None else None) or {}
        for partition in owned:
            partition.length = counts.get(self._topic.subject("event", partition.shard.index), 0)

    async def leave(self) -> None:
        """Let the others not count this worker any more."""
        if self._began:
            self._began = 0  # before: a server that is away must not hold up the end again
            await self._connection.api(f"STREAM.PURGE.{self._topic.bucket}", {"filter": self._key})

    async def outage(self, error: Exception) -> None:
        """Log that the server is away.  Raises: ConfigError if it refuses us."""
        log_outage(error, self._connection, "NatsSource")


def _record(key: str, data: bytes) -> _PartitionRecord:
    try:
        return decode_record(data)
    except MsgspecError:
        raise ConfigError(
            f"the key {key} of NATS was not written by this package: use another stream=. "
            "NATS 中的记录不是本包写入的，请换一个流名称"
        ) from None


async def write_record(connection: NatsConnection, key: str, record: _PartitionRecord, revision: int) -> int:
    """Write the record if it still has that revision; return the new one.  Raises: one of FAILURES."""
    return (await connection.ask(key, encode(record), {EXPECTED_SEQUENCE: str(revision)})).seq


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
