"""`KafkaSink`: stores events in Apache Kafka, or in a server that speaks its protocol.

Responsible for the form of a record, and for what publishing promises: order, fencing, bounds. Collaborators:
`kafka_source` reads it, `kafka_connection` knows the servers. An event stays in its topic until the topic's retention
deletes it: reading it deletes nothing.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from .._visible import visible_line
from ..config import Secret, hidden, whole_number
from ..errors import ConfigError, FencedOut, QQBotError
from ..models.codec import pack, unpacker
from ..models.ingest import PARTITIONS, Envelope, Fence, partition_of
from .kafka_connection import (
    FAILURES,
    FETCH_SECONDS,
    OPERATION_SECONDS,
    TOPIC,
    Cluster,
    aiokafka,
    check_topic,
    errors,
    ms,
    stop_client,
    whole,
    worded,
)

VERSION, VERSION_HEADER = b"1", "v"
LARGEST_REQUEST = 900_000  # bytes; a server accepts 1 MiB unless it is told otherwise

TOO_LARGE: tuple[type[Exception], ...] = (
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.RecordTooLargeError,
)
"""Errors of a record, or a request, that is larger than a server accepts."""

decode_envelope = unpacker(Envelope)


def _abandon(producer: Any) -> None:
    """Let all that a producer has not stored fail: its `stop` waits for that, with idempotence without end."""
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
        self._partitions = whole_number(cluster.options, "partitions", PARTITIONS) if partitions is None else partitions
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

        Raises: FencedOut if a later owner of the shard has published; QQBotError while Kafka does not store them, or
        for an event that is too large for it; ConfigError if it refuses us, or for another number of partitions.
        """
        if not self._entered:
            raise ConfigError("KafkaSink is entered by the bot that publishes: `async with sink:` if you do so")
        publisher: _Publisher | None = None
        try:
            publisher = await self._opened()
            async with asyncio.timeout(OPERATION_SECONDS):
                await publisher.publish(batch, fence)
        except FAILURES as error:
            # What was sent may still be under way, and the library repeats it without end: a new producer does not.
            await self._discard(publisher)
            if isinstance(error, TOO_LARGE):
                largest = max(batch, key=lambda envelope: len(envelope.raw))
                raise QQBotError(
                    f"the event {visible_line(largest.id, 200)!r} of {len(pack(largest))} bytes is larger than Kafka "
                    "allows: raise max.message.bytes of the topic, or message.max.bytes of the servers. "
                    "事件过大，请调大 topic 的 max.message.bytes 或服务器的 message.max.bytes"
                ) from error
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
            request_timeout_ms=ms(OPERATION_SECONDS),
        )
        self._reader: Any = aiokafka.AIOKafkaConsumer(
            **cluster.client,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=ms(FETCH_SECONDS) // 10,
            request_timeout_ms=ms(OPERATION_SECONDS),
        )
        self._read = 0  # the offset up to which the owners are known
        self._tokens: dict[str, int] = {}  # the largest of each shard
        self._reading = asyncio.Lock()

    async def open(self) -> None:
        """Connect.  Raises: ConfigError, what the library raises."""
        await self._cluster.prepare(self._topic, self._partitions, [(self._owners.topic, 1)])
        await whole(self._producer.start())
        await whole(self._reader.start())
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
            await stop_client(self._producer, self._producer.client)
        finally:
            await stop_client(self._reader, self._reader._client)

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
                    found = await self._reader.getmany(self._owners, timeout_ms=ms(OPERATION_SECONDS))
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
