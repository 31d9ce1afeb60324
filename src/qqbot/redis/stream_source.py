"""`RedisStreamSource`: reads the events that a `RedisStreamSink` has stored.

Responsible for the owners of the partitions (a lock for each), for what a dead worker had open, and for
acknowledgements. Collaborators: `lock` (who owns a partition, and until when), `streams` (keys and entries),
`aio.partition_shares` (how many each worker owns). It runs no handler.
"""

import asyncio
import logging
import math
import os
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, Self, TypeAlias

from msgspec import MsgspecError
from redis.exceptions import ResponseError

from .._visible import visible_line
from ..aio.background import background, repeat
from ..aio.forks import check_process
from ..aio.partition_shares import PartitionShares, new_worker_name
from ..aio.throttle import Throttle
from ..config import Secret, hidden, whole_number
from ..errors import ConfigError, LockLost
from ..lease import Ownership
from ..models.gateway import ShardKey
from ..models.ingest import PARTITIONS, Received
from .connection import FAILURES, OPERATION_SECONDS, Client, Script, drop_idle, repeated, within
from .lock import OneOfManyLocks, RedisLock, fence_key
from .stream_calls import Part, PartCalls, PartScript, SharedCalls, text
from .streams import (
    GROUP,
    VERSION,
    Topic,
    check_topic,
    decode_envelope,
    is_refusal,
    reachable,
    refused,
    split_options,
    worded,
)

log = logging.getLogger(__name__)

TTL = 10.0
BEAT_SECONDS = 1.0
LARGEST_BATCH = 128
LARGEST_READ = 64  # of each partition: one call reads from all
ACKNOWLEDGE_SECONDS = 0.02  # between two acknowledgements: a call costs as much as many events
RETRY_SECONDS = 0.5
MOST_UNREADABLE = 1000

# KEYS[1]  the stream
# KEYS[2]  the fencing token of the partition's last owner
# ARGV[1]  our token
# ARGV[2]  our name
# ARGV[3]  the first id
# ARGV[4]  how many
# returns  the next id, entries, what is pending of them; the last id that was delivered to any worker; 0 if the
#          partition is not ours any more
CLAIM = Script("""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local claimed = redis.call('XAUTOCLAIM', KEYS[1], 'workers', ARGV[2], 0, ARGV[3], 'COUNT', ARGV[4])
local pending = redis.call('XPENDING', KEYS[1], 'workers', ARGV[3], '+', ARGV[4], ARGV[2])
local last = '0-0'
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    for place = 1, #group, 2 do
        if group[place] == 'last-delivered-id' then last = group[place + 1] end
    end
end
if claimed[1] == '0-0' then
    for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], 'workers')) do
        local name, open = '', 1
        for place = 1, #consumer, 2 do
            if consumer[place] == 'name' then name = consumer[place + 1] end
            if consumer[place] == 'pending' then open = consumer[place + 1] end
        end
        if open == 0 and name ~= ARGV[2] then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'workers', name) end
    end
end
return {claimed[1], claimed[2], pending, last}
""")

# KEYS[1]  the stream
# KEYS[2]  the fencing token of the partition's last owner
# ARGV[1]  our token
# ARGV[2]  our name
# ARGV[3]  how many
# returns  entries, as XREADGROUP does; 0 if the partition is not ours any more
READ = PartScript("""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('XREADGROUP', 'GROUP', 'workers', ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '>') or {}
""")

# KEYS[1]  the stream
# ARGV     ids that are finished
DONE = PartScript("""
redis.call('XACK', KEYS[1], 'workers', unpack(ARGV))
return redis.call('XDEL', KEYS[1], unpack(ARGV))
""")

# KEYS[1]  the stream
# returns  how many entries it has
LENGTH = PartScript("return redis.call('XLEN', KEYS[1])")

# KEYS[1]  the workers, by their last beat
# KEYS[2]  the workers, by their first beat since they were counted as dead
# ARGV[1]  our name
# ARGV[2]  milliseconds after which a worker without a beat is dead
# returns  how many workers there are, and how many of them began before us
BEAT = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('ZINTERSTORE', KEYS[2], 2, KEYS[2], KEYS[1], 'WEIGHTS', 1, 0)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZADD', KEYS[2], 'NX', now, ARGV[1])
return {redis.call('ZCARD', KEYS[1]), redis.call('ZRANK', KEYS[2], ARGV[1])}
""")


class RedisPartition:
    """One partition while this process owns it. It is its own `Ownership`."""

    def __init__(
        self, calls: SharedCalls, topic: Topic, index: int, worker: str, lock: RedisLock, *, warnings: Throttle
    ) -> None:
        self.shard = ShardKey(0, index, topic.partitions)
        self.length = 0  # entries that are stored and not finished, as of the last beat
        self.given_up = asyncio.Event()  # no more events are wanted: it is drained, and then released
        self._client = calls.client
        self._untyped: Any = calls.client
        self._calls = calls
        self._stream = topic.stream(index)
        self._unreadable = topic.key(index, "unreadable")
        self._keys = [self._stream, fence_key(lock.name)]
        self._worker = worker
        self._lock = lock
        self._warnings = warnings  # of all partitions
        self.refusal: ConfigError | None = None  # why events cannot be acknowledged, if a person has to correct that
        self._prepared = False  # the stream has its group
        self._claim_from: str | None = "0-0"  # None: all that an earlier owner had open was claimed
        self._last = "0-0"  # the last id that was delivered
        self._drained = False  # when it was read last, it had nothing more
        self._open: set[str] = set()  # ids that were received here and are not acknowledged
        self._finished: deque[str] = deque()  # ids to be acknowledged
        self._some_finished = asyncio.Event()
        self._watched: asyncio.Future[None] | None = None  # while it waits for an entry
        self._pid = os.getpid()

    @property
    def lease(self) -> Ownership:
        """The right to handle its events."""
        return self

    def valid(self) -> bool:
        """True if this process may handle its events now."""
        return self._lock.valid()

    def give_up(self) -> None:
        """Let `receive` return nothing from now on."""
        self.given_up.set()
        if self._watched is not None and not self._watched.done():
            self._watched.set_result(None)

    async def receive(self) -> Sequence[Received]:
        """Wait for events; nothing if the partition is to be given up.  Raises: ConfigError."""
        check_process(self._pid, "RedisStreamSource")
        while not self.given_up.is_set() and self.valid():
            try:
                if not self._prepared:
                    await self._prepare()
                if self._claim_from is not None:
                    found = await self._claim()
                else:
                    if self._drained:
                        await self._wait_for_more()
                        if self.given_up.is_set():
                            break
                    found = await self._read()
                if found is None:
                    return ()
                if found:
                    return found
            except FAILURES as error:
                await self._after(error)
        return ()

    async def _claim(self) -> list[Received] | None:
        """Return what earlier owners had open; None if the partition is not ours any more."""
        arguments = [self._lock.token, self._worker, self._claim_from, LARGEST_BATCH]
        answer = await self._ask(lambda: CLAIM.run(self._client, self._keys, arguments))
        if answer == 0:
            return None
        following, entries, pending, last = answer
        deliveries = {text(entry[0]): int(entry[3]) for entry in pending}
        found = await self._received([entry for entry in entries if text(entry[0]) not in self._open], deliveries)
        self._claim_from = None if text(following) == "0-0" else text(following)
        self._last = text(last)
        return found

    async def _read(self) -> list[Received] | None:
        """Return what no worker has read; None if the partition is not ours any more."""
        part = Part(self._keys, [self._lock.token, self._worker, LARGEST_READ])
        # Not again: events in an answer that was lost are ours by then, and have to be claimed first.
        answer = await self._calls.run(READ, part, again=False)
        if answer == 0:
            return None
        entries: list[Any] = answer[0][1] if answer else []
        if entries:
            self._last = text(entries[-1][0])
        self._drained = len(entries) < LARGEST_READ
        return await self._received(entries, {})

    async def _ask(self, command: Callable[[], Awaitable[Any]]) -> Any:
        return await within(OPERATION_SECONDS, repeated(self._client, command))

    async def _received(self, entries: Sequence[Any], deliveries: dict[str, int]) -> list[Received]:
        """Decode entries; what cannot be read is put aside."""
        found: list[Received] = []
        for entry_id, fields in entries:
            place = text(entry_id)
            self._open.add(place)
            values = dict(zip(fields[::2], fields[1::2], strict=True))
            version = values.get(b"v")
            try:
                if version != VERSION and version is not None and version.isdigit():
                    raise ConfigError(
                        f"the entry {place} of {self._stream} has the version {version.decode()}, this worker knows "
                        f"{VERSION.decode()}: update the workers before the intake. 请先升级 worker 再升级接收进程"
                    )
                found.append(Received(decode_envelope(values[b"e"]), place, deliveries.get(place, 1)))
            except (KeyError, MsgspecError, ValueError, RecursionError) as error:
                why = visible_line(repr(error))
                log.error("entry %s of %s is no event: moved to %s: %s", place, self._stream, self._unreadable, why)  # noqa: TRY400 - the text explains it
                await self._put_aside(values)
                self._acknowledge(place)
        return found

    async def _put_aside(self, values: dict[bytes, bytes]) -> None:
        fields = [each for pair in values.items() for each in pair] or [b"empty", b"1"]
        trim = ("MAXLEN", "~", MOST_UNREADABLE)
        await self._ask(lambda: self._untyped.execute_command("XADD", self._unreadable, *trim, "*", *fields))

    async def _wait_for_more(self) -> None:
        """Return when there is a new entry, when the partition is given up, or after a while: ids may start again."""
        self._watched = self._calls.watch(self._stream, self._last)
        await self._watched

    async def _after(self, error: Exception) -> None:
        """Wait before the next request, which claims what a lost answer may have had.  Raises: ConfigError."""
        self._claim_from, self._drained = "0-0", False
        if isinstance(error, ResponseError) and "NOGROUP" in str(error):
            self._prepared, self._last = False, "0-0"  # the store has lost its data
            return
        await _log_outage(error, self._client, self._warnings)
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                await self.given_up.wait()

    async def _prepare(self) -> None:
        """Make the stream and its group, if there are none."""
        command = ("XGROUP", "CREATE", self._stream, GROUP, "0", "MKSTREAM")

        async def make() -> None:
            try:
                await self._untyped.execute_command(*command)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):  # it is there: no failure, after which connections are dropped
                    raise

        await self._ask(make)
        self._prepared = True

    def done(self, received: Received) -> None:
        """Mark an event as finished: it is acknowledged soon."""
        self._acknowledge(str(received.place))

    def _acknowledge(self, place: str) -> None:
        self._finished.append(place)
        self._some_finished.set()

    async def acknowledge(self) -> None:
        """Delete what is finished; one turn of a chore."""
        await self._some_finished.wait()
        # Until the same moments for all partitions, so that they share a call.
        await asyncio.sleep(ACKNOWLEDGE_SECONDS - asyncio.get_running_loop().time() % ACKNOWLEDGE_SECONDS)
        self._some_finished.clear()
        await self.flush()

    async def flush(self) -> None:
        """Delete what is finished now; while the store is away, as long as the partition is ours.

        If the store refuses that, the partition is given up, and `refusal` says why.
        """
        while self._finished:
            ids = [self._finished[place] for place in range(min(len(self._finished), LARGEST_BATCH))]
            try:
                await self._calls.run(DONE, Part([self._stream], ids), again=True)
            except FAILURES as error:
                if not self.valid():
                    return  # the next owner gets them again, and so do we if that is us
                if is_refusal(error):
                    self.refusal = refused(error, "RedisStreamSource")
                    self.give_up()
                    return
                if self._warnings.ready("done"):
                    log.warning(
                        "RedisStreamSource: events cannot be acknowledged, trying again: %s. 事件无法确认，正在重试",
                        worded(error),
                    )
                await drop_idle(self._client)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                for place in ids:
                    self._finished.popleft()
                    self._open.discard(place)

    async def look(self) -> None:
        """Read how many events are stored here."""
        self.length = int(await self._calls.run(LENGTH, Part([self._stream], ()), again=True))

    async def watch(self) -> None:
        """Give the partition up when it is lost."""
        await self._lock.lost.wait()
        self.give_up()

    async def release(self) -> None:
        """Let another worker have the partition at once, if it is still ours."""
        with suppress(LockLost, *FAILURES):
            await self._lock.release()


RedisPartitionWork: TypeAlias = Callable[[RedisPartition], Awaitable[None]]
"""What handles the events of one partition; it returns when that was given up, and what had begun has ended."""


class RedisStreamSource:
    """An `EventSource` in Redis or Valkey: `await bot.work(RedisStreamSource("redis://..."))`.

    `store`, `name` and `partitions` as in `RedisStreamSink`. `ttl`: seconds after which the partitions of a worker that
    died go to others. Workers of one bot divide the partitions evenly; one that joins gets its part when the others
    have finished what they had begun there.

    Raises: ConfigError for options that cannot be right.
    """

    def __init__(
        self, store: Client | str | Secret, *, name: str = "events", partitions: int = PARTITIONS, ttl: float = TTL
    ) -> None:
        self._store: Client | Secret = hidden(store)
        del store  # a URL holds a password, and a traceback may show the variables of its frames
        check_topic(name, partitions)
        if not 0 < ttl < math.inf:
            raise ConfigError(
                "RedisStreamSource(ttl=...) must be greater than 0 seconds, and finite. ttl 应大于 0，且不能无限大"
            )
        self._name = name
        self._partitions = partitions
        self._ttl = ttl
        self._pid = 0  # of the process that runs it
        self._shares: PartitionShares[RedisPartition] | None = None  # None while it does not run

    @classmethod
    def from_url(cls, url: str | Secret) -> Self:
        """Return the source of `redis://host/0?stream=NAME&partitions=16`.  Raises: ConfigError."""
        rest, options = split_options(url)
        partitions = whole_number(options, "partitions", PARTITIONS)
        return cls(rest, name=options.get("stream", "events"), partitions=partitions)

    @property
    def lag(self) -> int:
        """How many events are stored in the own partitions, as of the last second."""
        return 0 if self._shares is None else sum(partition.length for partition in self._shares.owned.values())

    async def stop(self) -> None:
        """Give up all partitions; `run` returns when their work has ended."""
        if self._shares is not None:
            self._shares.stop()

    async def run(self, app_id: str, work: RedisPartitionWork) -> None:
        """Call `work` for each partition that this process owns, until `stop`.

        Raises: ConfigError if the store refuses us, or for another number of partitions; what `work` raises.
        """
        if self._shares is not None:
            check_process(self._pid, "RedisStreamSource")
            raise ConfigError("this RedisStreamSource is being read already: make a second one")
        self._pid = os.getpid()
        name = new_worker_name()
        topic = Topic(app_id, self._name, self._partitions)
        shares = self._shares = PartitionShares(topic.partitions, name, min(BEAT_SECONDS, self._ttl / 4))
        try:
            warnings = Throttle()
            opening = reachable(self._store, "RedisStreamSource", warnings)
            async with opening as client, SharedCalls(PartCalls(client)) as calls:
                await shares.run(_RedisWorkers(calls, topic, name, self._ttl, work, warnings=warnings))
        finally:
            self._shares = None


class _RedisWorkers:
    """The workers of one topic, and which partitions they own; what `PartitionShares` needs of the store."""

    failures: tuple[type[Exception], ...] = FAILURES

    def __init__(
        self, calls: SharedCalls, topic: Topic, name: str, ttl: float, work: RedisPartitionWork, *, warnings: Throttle
    ) -> None:
        self._calls = calls
        self._client = calls.client
        self._topic = topic
        self._name = name
        self._ttl = ttl
        self._work = work
        self._agreed = False  # the number of partitions is known to be ours
        self._announced = False  # the others count this worker
        self._warnings = warnings

    async def beat(self) -> tuple[int, int]:
        """Report that this worker is alive; return how many are, and how many of them began before."""
        client, topic = self._client, self._topic
        if not self._agreed:
            await topic.agree(client)
            self._agreed = True
        self._announced = True
        keys, arguments = [topic.members_key, topic.began_key], [self._name, int(self._ttl * 1000)]
        workers, earlier = await within(OPERATION_SECONDS, repeated(client, lambda: BEAT.run(client, keys, arguments)))
        return workers, earlier

    async def claim(self, index: int) -> RedisPartition | None:
        """Return the partition if its lock is free."""
        key = self._topic.key(index, "owner")
        lock = OneOfManyLocks(self._client, key, ttl=self._ttl, warnings=self._warnings)
        if not await lock.acquire(blocking=False):
            return None
        return RedisPartition(self._calls, self._topic, index, self._name, lock, warnings=self._warnings)

    async def handle(self, partition: RedisPartition) -> None:
        """Let one partition be handled."""
        chores = (repeat(partition.acknowledge), partition.watch())
        async with background(*chores, name=f"qqbot partition {partition.shard}"):
            await self._work(partition)
        await partition.flush()
        if partition.refusal is not None:
            raise partition.refusal

    async def look(self, owned: Collection[RedisPartition]) -> None:
        """Read how many events are stored in the own partitions."""
        await asyncio.gather(*(partition.look() for partition in owned))

    async def leave(self) -> None:
        """Let the others not count this worker any more."""
        if self._announced:
            self._announced = False  # before: a store that is away must not hold up the end again
            untyped: Any = self._client
            command = untyped.execute_command("ZREM", self._topic.members_key, self._name)
            await within(OPERATION_SECONDS, command)

    async def outage(self, error: Exception) -> None:
        """Log that the store is away.  Raises: ConfigError if it refuses us."""
        await _log_outage(error, self._client, self._warnings)


async def _log_outage(error: Exception, client: Client, warnings: Throttle) -> None:
    """Log that the store is away, and let the next request open a connection.  Raises: ConfigError if it refuses us."""
    if is_refusal(error):
        raise refused(error, "RedisStreamSource") from None
    if warnings.ready("away"):
        log.warning(
            "RedisStreamSource: the store does not answer, waiting until it does: %s. 存储暂不可用，等待恢复",
            worded(error),
        )
    await drop_idle(client)
