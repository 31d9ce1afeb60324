"""`KafkaSource`: reads the events that a `KafkaSink` has stored, as one member of a consumer group.

Responsible for the group and its rebalances, for the committed points, and for what earlier workers had begun.
Collaborators: `kafka` (the form of a record), `kafka_connection` (the servers), `models.watermark` (what is finished).
It runs no handler.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, Self, TypeAlias

from msgspec import MsgspecError

from .._visible import visible_line
from ..aio.clock import steady
from ..aio.ending import end_tasks
from ..config import Secret, hidden, whole_number
from ..errors import ConfigError
from ..lease import LeaseDeadline, Ownership
from ..models.gateway import ShardKey
from ..models.ingest import PARTITIONS, Envelope, Received
from ..models.watermark import Watermark
from .kafka import VERSION, VERSION_HEADER, decode_envelope
from .kafka_connection import (
    FAILURES,
    FETCH_SECONDS,
    OPERATION_SECONDS,
    TOPIC,
    Cluster,
    aiokafka,
    check_count,
    check_topic,
    errors,
    let_commits_fail,
    ms,
    stop_client,
    whole,
)

log = logging.getLogger(__name__)

LARGEST_BATCH = 128  # events that are delivered at a time
MARKED_AHEAD = 256  # events that count as begun before they are, so that few deliveries wait for a commit
SESSION_SECONDS, REBALANCE_SECONDS = 10.0, 30.0
SPARE_SECONDS = 2.0  # of a rebalance, for the commit after the drain
HEARTBEAT_SECONDS = 0.5
BEAT_SECONDS = 1.0
COMMIT_SECONDS = 0.1  # between two commits of what is finished
RETRY_SECONDS = 0.5
FOREVER = 2**31 - 1  # milliseconds; a worker that is full reads nothing, and keeps its partitions all the same


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
        self._earlier = begun  # up to here earlier owners had begun
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
    def begun(self) -> int:
        """The offset after the last event that was begun, by this owner or an earlier one."""
        return max(self.delivered, self._earlier)

    @property
    def settled(self) -> bool:
        """True if the group knows what was begun and what is finished."""
        return self.committed == self.finished and self.marked == self.begun

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
            while last > self.marked and not self.given_up.done() and self.valid():
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
            found.append(Received(envelope, record.offset, 2 if record.offset < self._earlier else 1))
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

    Begun events are marked, not counted: one that ends each worker that begins it never becomes a dead letter.

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
        self._partitions = whole_number(cluster.options, "partitions", PARTITIONS) if partitions is None else partitions
        session = cluster.seconds("session_timeout", SESSION_SECONDS) if session_timeout is None else session_timeout
        rebalance = cluster.seconds("rebalance_timeout", REBALANCE_SECONDS)
        rebalance = rebalance if rebalance_timeout is None else rebalance_timeout
        check_topic(self._topic, self._partitions)
        if not (2 * SPARE_SECONDS <= rebalance < math.inf and 2 * BEAT_SECONDS <= session < math.inf):
            raise ConfigError(
                f"KafkaSource: session_timeout must be at least {2 * BEAT_SECONDS:g} s, rebalance_timeout at least "
                f"{2 * SPARE_SECONDS:g} s, both finite. session_timeout 至少 "
                f"{2 * BEAT_SECONDS:g} 秒，rebalance_timeout 至少 {2 * SPARE_SECONDS:g} 秒"
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
        self._marking = asyncio.Lock()  # else a mark could be stored after a higher one
        group = f"{topic}.{app_id}"
        self._consumer: Any = aiokafka.AIOKafkaConsumer(
            **cluster.client,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=ms(session_timeout),
            heartbeat_interval_ms=ms(HEARTBEAT_SECONDS),
            rebalance_timeout_ms=ms(rebalance_timeout),
            max_poll_interval_ms=FOREVER,
            fetch_max_wait_ms=ms(FETCH_SECONDS),
            # A worker waits for the others as long as a rebalance may take.
            request_timeout_ms=ms(rebalance_timeout + OPERATION_SECONDS),
        )
        # Of its own, because a server answers nothing else on a connection that waits for events.
        self._marks: Any = aiokafka.AIOKafkaConsumer(
            **cluster.client,
            group_id=f"{group}.begun",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=ms(OPERATION_SECONDS),
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
            stack.push_async_callback(stop_client, self._marks, self._marks._client)
            stack.push_async_callback(stop_client, self._consumer, self._consumer._client)
            stack.push_async_callback(self._end)
            await whole(self._marks.start())
            places = [aiokafka.TopicPartition(self.topic, index) for index in range(self.partitions)]
            self._marks.assign(places)
            self._marks.pause(*places)
            await whole(self._consumer.start())
            for consumer in (self._marks, self._consumer):
                let_commits_fail(consumer)
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
            if self._assigned:
                with suppress(*FAILURES):
                    await self._cluster.prepare(self.topic, self.partitions)  # servers may have lost the topic
        if self._owned and not self._over and not self.deadline.valid():
            log.warning(
                "KafkaSource: its partitions may be those of another worker by now, and are given up. "
                "分区可能已属于其他 worker，已放弃"
            )
            self.stop()
        for partition, task in list(self._owned.items()):
            if task.done() and (partition.settled or not partition.valid()):
                self._owned.pop(partition)
                partition.lose()

    async def _begin(self, places: Collection[Any]) -> None:
        """Start the work of partitions that were assigned to us, once the group has confirmed that they still are.

        Raises: ConfigError if partitions were added to the topic.
        """
        known = self._consumer.partitions_for_topic(self.topic) or ()
        check_count(self.topic, max(len(known), self.partitions), self.partitions)
        generation = self._current_generation
        async with self._committing, asyncio.timeout(OPERATION_SECONDS):
            first = await self._marks.beginning_offsets(list(places))
            starts, marks = dict[Any, int](), dict[Any, int]()
            for place in places:
                committed = await self._consumer.committed(place)
                marks[place] = await self._marks.committed(place) or 0
                starts[place] = first[place] if committed is None else committed
                if starts[place] < first[place]:
                    log.error(
                        "%s: the retention of the topic has deleted %d events before they were handled. "
                        "事件还没处理，就被 topic 的保留策略删除了",
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
        async with self._committing, asyncio.timeout(self._patience):
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
            async with self._marking:
                # A rebalance may have ended some meanwhile.
                marks = {each: self._new_mark(each) for each in partitions if each in self._owned}
                await self._mark({each: mark for each, mark in marks.items() if mark != each.marked})

    @property
    def _patience(self) -> float:
        """The seconds for a commit: after the lease it could undo one of the next owner."""
        return min(OPERATION_SECONDS, self.deadline.left())

    def _new_mark(self, partition: KafkaPartition) -> int:
        """Return up to where events are to count as begun: ahead, until the work has ended, and then exactly."""
        if self._owned[partition].done():
            return partition.begun
        ahead = partition.delivered + MARKED_AHEAD
        return ahead if ahead - partition.marked > MARKED_AHEAD // 2 else partition.marked

    async def _mark(self, marks: Mapping[KafkaPartition, int]) -> None:
        if marks:
            await self._marks.commit({each.place: mark for each, mark in marks.items()})
        for partition, mark in marks.items():
            partition.marked = mark

    async def mark(self, partition: KafkaPartition, mark: int) -> None:
        """Commit up to where the events of a partition count as begun, unless Kafka is away.  Raises: ConfigError."""
        try:
            async with asyncio.timeout(self._patience), self._marking:
                if mark > partition.marked:
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
        getting = self._consumer.getmany(partition.place, timeout_ms=ms(BEAT_SECONDS), max_records=LARGEST_BATCH)
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
            async with self._committing:
                pass  # the library would repeat a commit of `_begin` in the name of the next generation
        finally:
            for partition in owned:
                partition.lose()
                self._owned.pop(partition, None)
            self.some_finished.set()


aiokafka.ConsumerRebalanceListener.register(_Session)
