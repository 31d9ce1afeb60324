"""`EtcdStore`: the records of a cluster in etcd.

Responsible for the keys, for making each call one atomic change, for its deadline, and for noticing that etcd lost
data. Collaborators: `etcd_changes` (what a call changes, and what the keys hold), `etcd_client` (requests),
`pace_observer` (permits without a clock), `records`, `store` (the Protocol that this implements). It does not decide
when a call is made.

A call reads all records at one revision, lets a `Change` work on a copy, and writes what differs in one transaction
that compares the revisions which it relied on; if another node was faster, it begins again, until its deadline. What is
too much for one transaction (session states) follows in more of them, each bound to the same records.

No clock of etcd or of another machine is relied on. Beats are revisions that other nodes see change; permits are
counted, and each node waits by its own clock (see `pace_observer`). A lease of etcd would do neither: it has whole
seconds, at least two, and begins again with each new leader.

etcd keeps what it has confirmed, so neither a restart nor a new leader begins a new incarnation. Data is lost if etcd
starts empty (there are no records), is replaced (another cluster id), or is restored from a backup: then its revision
is lower than one that a node has seen, or the last beat that the node wrote is missing. The first node that notices
begins the new incarnation.
"""

import asyncio
import logging
import os
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple, Self, TypeVar

from msgspec import Struct

from ..._visible import visible_line
from ...aio.clock import steady
from ...aio.forks import check_process
from ...config import Secret
from ...errors import ConfigError
from ...models.codec import encode, fast
from ...models.gateway import GatewayBot
from .assignor import Role
from .etcd_changes import LOG_LENGTH, PACE, CallingNode, Change, Fields, Records
from .etcd_client import (
    MOST_OPERATIONS,
    UNREADABLE,
    Body,
    EtcdClient,
    EtcdRefused,
    Found,
    KeyValue,
    TxnAnswer,
    delete,
    get,
    put,
    shown,
    unchanged,
    within,
)
from .pace_observer import PaceObserver
from .records import (
    SCHEMA,
    UnreadableRecords,
    field_of,
    number,
    other_form,
    read_cluster_state,
    shard_id_at,
    shard_id_in,
)
from .state import ClusterHalt, ClusterState, NodeInfo, ShardId, write
from .store import (
    FROM_NOW_ON,
    LISTEN_SECONDS,
    Grant,
    Operation,
    OwnershipReport,
    PermitAnswer,
    StoreAway,
    Synced,
)
from .timings import Timings

log = logging.getLogger(__name__)

LEAST_VERSION = (3, 4)
MOST_PERMIT_CALLS = 4  # at once: shards that wait for a permit must not compete with the renewals
MOST_BYTES = 700_000  # in one transaction, before base64: etcd allows 1.5 MiB (--max-request-bytes)
MOST_READ_ONE_BY_ONE = 50  # states; more are read all at once
MOST_LOGGED = 100  # calls that one look at the log returns
BACKOFF = 0.01  # seconds at most, before a call begins again because another node was faster
UNCOMPACTED = 100_000  # revisions that etcd still has: nothing compacts its history
COMPACTED = "has been compacted"

T = TypeVar("T")


class _LogEntries(Struct, frozen=True):
    """What one call added to the log, and the time of day of its caller in milliseconds."""

    at: int = 0
    entries: tuple[Fields, ...] = ()


_read_fields, _read_entries = fast(Fields), fast(_LogEntries)


class _Read(NamedTuple):
    """The records at one revision; `states` as far as they were asked for."""

    records: Records
    states: tuple[KeyValue, ...]
    forgotten: bool


class EtcdStore:
    """The records of one cluster, through its own connections; an async context manager that opens and closes them.

    `node` is the id under which this process calls, "" for a person at the command line; `shared` are the timings of
    the cluster, if they are not `timings`.
    """

    def __init__(
        self, url: Secret, *, app_id: str, cluster: str, node: str, timings: Timings, shared: str = ""
    ) -> None:
        self.node = node
        self.prefix = f"qqbot/{app_id}/{cluster}/"
        self._url = url
        self._timings = timings
        self._shared = shared or timings.shared
        self._client = EtcdClient(url)
        self._pace = PaceObserver(timings)
        self._unreadable = UnreadableRecords()
        self._permits = asyncio.Semaphore(MOST_PERMIT_CALLS)
        self._pid = 0  # of the process that opened the connections
        self._incarnation = 0  # the last that was seen; the next two are of it
        self._revision = 0  # the highest that was seen
        self._beat = 0  # the revision of the last beat that was written
        self._highest = 0  # the largest token that was seen
        self._open = AsyncExitStack()

    def __str__(self) -> str:
        return f"etcd at {shown(self._url)}"

    async def __aenter__(self) -> Self:
        self._pid = os.getpid()
        await self._open.enter_async_context(self._client)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    # Keys

    @property
    def coord(self) -> str:
        """The key of the cluster's record."""
        return self.prefix + "coord"

    @property
    def limit(self) -> str:
        """The key of the record about new sessions."""
        return self.prefix + "limit"

    def _beat_of(self, node: str) -> str:
        return f"{self.prefix}beat/{node}"

    def _state_of(self, shard_id: ShardId) -> str:
        return f"{self.prefix}state/{field_of(shard_id)}"

    @property
    def _states(self) -> str:
        return self.prefix + "state/"

    @property
    def _log(self) -> str:
        return self.prefix + "log/"

    # Before anything is written

    async def check(self) -> None:
        """Check that this etcd can hold a cluster.

        Raises: ConfigError if it refuses us or cannot do it, StoreAway.
        """
        try:
            async with self._within(self._timings.call) as until:
                self._check_version(await self._client.version(until=until))
                coord = await self._client.range(self.coord, until=until)
                scratch = self.prefix + "rights"
                await self._client.txn([], [put(scratch, "")], until=until)
                await self._client.txn([], [delete(scratch)], until=until)
        except EtcdRefused as error:
            raise ConfigError(f"{self} {self._refusal(error)}") from None
        form = _fields(coord.kvs[0].value if coord.kvs else b"").get("m:schema", SCHEMA)
        if form != SCHEMA:
            raise ConfigError(f"{self}: {other_form(form, self.coord)}")
        async with self._within(self._timings.call) as until:
            ids = await self._client.cluster_ids(self.coord, until=until)
        if len(ids) > 1:
            raise ConfigError(
                f"{self}: these are {len(ids)} etcds that know nothing of each other, and a cluster needs one: name "
                "members of the same etcd. 地址中的各成员不属于同一个 etcd 集群"
            )
        if not await self.is_compacted():
            log.warning(
                "%s never compacts its history, so that it grows until it refuses to write: start it with "
                "--auto-compaction-mode=periodic --auto-compaction-retention=10m. 请为 etcd 启用自动压缩",
                self,
            )

    async def is_compacted(self) -> bool:
        """Return whether etcd drops old revisions; True if there are too few of them to know.  Raises: StoreAway."""
        async with self._answered() as until:
            limit = (await self._client.range(self.limit, until=until)).kvs
            if not limit or limit[0].mod_revision - limit[0].create_revision < UNCOMPACTED:
                return True
            old = str(limit[0].mod_revision - UNCOMPACTED)
            try:
                await self._client.range(self.limit, until=until, revision=old)
            except StoreAway as error:
                if COMPACTED in str(error):
                    return True
                raise
        return False

    def _check_version(self, version: str) -> None:
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        if numbers < LEAST_VERSION:
            raise ConfigError(
                f"{self} is version {visible_line(version, 20) or 'unknown'}: at least 3.4 is needed. "
                "需要 etcd 3.4 或更高版本"
            )

    def _refusal(self, error: EtcdRefused) -> str:
        if not error.user:
            return (
                f"cannot hold a cluster: {error}. "
                "该 etcd 无法使用，请按上述原因检查（需要 3.4 以上并启用 grpc-gateway）"
            )
        return (
            f"refuses the user or the password: {error}. Needed: the right to read and write the keys that begin with "
            f"{self.prefix}. etcd 拒绝了用户名、密码或权限，请检查 QQBOT_ETCD_URL 与角色权限"
        )

    # The calls of a node

    async def sync(
        self,
        role: Role,
        info: NodeInfo,
        reports: Sequence[OwnershipReport],
        *,
        known: ClusterState,
        target_active: int,
    ) -> Synced:
        """Show a sign of life, and read everything but the states.  Raises: StoreAway, OtherTimings."""

        def work(change: Change) -> tuple[frozenset[ShardId], frozenset[ShardId]]:
            return change.sync(role, info, reports, known=known, target_active=target_active)

        (lost, doubtful), after, _ = await self._change(work)
        return Synced(self._state(after), lost, doubtful)

    async def states(self) -> dict[ShardId, str]:
        """Return the stored states of all shards, as JSON.  Raises: StoreAway."""
        async with self._answered() as until:
            return self._shown_states((await self._client.range(self._states, prefix=True, until=until)).kvs)

    async def claim(self, state: ClusterState, shard_ids: Sequence[ShardId], least: int = 0) -> list[Grant] | None:
        """Take free shards; None if `state` is out of date.  Raises: StoreAway."""
        shards = [field_of(shard_id) for shard_id in shard_ids]
        granted, _, kvs = await self._change(lambda change: change.claim(state, shards, least), states=shard_ids)
        if granted is None:
            return None
        states = self._shown_states(kvs)
        tokens = {shard_id_at(shard): token for shard, token in granted.items()}
        return [Grant(shard_id, token, states.get(shard_id, "")) for shard_id, token in tokens.items()]

    async def release(self, report: OwnershipReport) -> bool:
        """Give a shard back; False if it was not ours.  Raises: StoreAway."""
        return (await self._change(lambda change: change.release(report)))[0]

    async def evict(self, state: ClusterState, node: str, stamp: str) -> bool:
        """Remove a node whose beat is still `stamp`; False if it is another.  Raises: StoreAway."""
        return (await self._change(lambda change: change.evict(state, node, stamp)))[0]

    async def restore(self, state: ClusterState, states: Mapping[ShardId, str]) -> int:
        """Put states back that the store has lost; return how many it had lost.  Raises: StoreAway."""
        return (await self._change(lambda change: change.restore(state, states), names=True))[0]

    async def permit(self, shard_id: ShardId, token: int, concurrency: int) -> tuple[PermitAnswer, float]:
        """Ask when a session may be created: the answer, and seconds.  Raises: StoreAway."""

        def wait(line: str, count: int, most: int) -> float:
            now = steady()
            if not self._pace.has_seen(line, count):  # else this answer may have been overtaken by a newer one
                self._pace.record(line, count, now)
            return self._pace.wait(most, now)

        async with self._permits:
            return (await self._change(lambda change: change.permit(field_of(shard_id), token, concurrency, wait)))[0]

    async def admin(self, operation: Operation, *arguments: object) -> bool:
        """Change what concerns the whole cluster; see `redis_scripts` for the operations.  Raises: StoreAway."""
        return (await self._change(lambda change: change.admin(operation, *arguments)))[0]

    async def put_gateway(self, answer: GatewayBot) -> None:
        """Share the answer of /gateway/bot.  Raises: StoreAway."""
        limit = answer.session_start_limit
        await self.admin("gateway", write(answer), limit.remaining, round(limit.reset_after))

    async def halt(self, reason: ClusterHalt) -> None:
        """Halt the cluster; the first reason stays.  Raises: StoreAway."""
        await self.admin("halt", write(reason))

    async def look(self) -> ClusterState:
        """Read everything and change nothing.  Raises: StoreAway."""
        async with self._answered() as until:
            read = await self._read(until, states={})
        return self._state(read.records, self._shown_states(read.states))

    # The log

    async def entries(self, after: str, wait: float = LISTEN_SECONDS) -> list[tuple[str, dict[str, str]]]:
        """Wait up to `wait` seconds for what is logged after the entry `after`; return it.  Raises: StoreAway."""
        end = asyncio.get_running_loop().time() + wait
        found = await self._logged_after(None if after == FROM_NOW_ON else number(after.rpartition("-")[2]) or 0)
        if not found.kvs:
            revision = found.header.revision  # not `after`: what is older may be compacted, and cannot be watched
            try:
                async with asyncio.timeout_at(end):
                    await self._client.changed(self._log, revision + 1)
            except TimeoutError:
                return []
            except EtcdRefused as error:
                raise StoreAway(self._refusal(error)) from None
            found = await self._logged_after(revision)
            if not found.kvs:
                raise StoreAway("the watch ended")
        return [entry for kv in found.kvs for entry in _logged(kv)]

    async def _logged_after(self, revision: int | None) -> Found:
        """Return what was logged after a revision; None: nothing, but the present revision.  Raises: StoreAway."""
        options: Body = {"count_only": True} if revision is None else {"min_mod_revision": str(revision + 1)}
        options |= {"sort_order": "ASCEND", "sort_target": "MOD", "limit": str(MOST_LOGGED)}
        async with self._answered() as until:
            return await self._client.range(self._log, prefix=True, until=until, **options)

    async def history(self, count: int) -> list[tuple[str, dict[str, str]]]:
        """Return the last `count` entries of the log, oldest first.  Raises: StoreAway."""
        options = {"sort_order": "DESCEND", "sort_target": "MOD", "limit": str(count)}
        async with self._answered() as until:
            found = await self._client.range(self._log, prefix=True, until=until, **options)
        return [entry for kv in reversed(found.kvs) for entry in _logged(kv) if entry[1]][-count:]

    # One change

    async def _change(
        self, work: Callable[[Change], T], *, states: Sequence[ShardId] = (), names: bool = False
    ) -> tuple[T, Records, tuple[KeyValue, ...]]:
        """Let `work` change the records; return its answer, the records after it, and the stored `states`.

        `names`: let it know which states are stored.  Raises: StoreAway, what `work` raises.
        """
        wanted = [get(self._state_of(shard_id)) for shard_id in states]
        if len(wanted) > MOST_READ_ONE_BY_ONE:
            wanted = [get(self._states, prefix=True)]
        async with self._answered() as until:
            while True:
                read = await self._read(until, states={"keys_only": True} if names else None)
                change = Change(read.records, self._caller(read), stored=[*self._shown_states(read.states)])
                answer = work(change)
                change.finish()
                written = await self._write(read, change, wanted, until)
                if written is not None:
                    return answer, *written
                await asyncio.sleep(random.random() * BACKOFF)

    def _caller(self, read: _Read) -> CallingNode:
        clock = round(time.time() * 1000)  # no safety depends on it, see `etcd_changes`
        return CallingNode(
            node=self.node, timings=self._shared, clock=clock, highest=self._highest, forgotten=read.forgotten
        )

    async def _write(
        self, read: _Read, change: Change, wanted: Sequence[Body], until: float
    ) -> tuple[Records, tuple[KeyValue, ...]] | None:
        """Write what a change made of the records, and read what is `wanted`; None if another node was faster."""
        before = read.records
        compare, operations = [unchanged(self.coord, before.coord_revision)], list[Body]()
        if change.coord != before.coord:
            operations.append(put(self.coord, encode(change.coord).decode()))
        if change.limit != before.limit:
            compare.append(unchanged(self.limit, before.limit_revision))
            operations.append(put(self.limit, encode(change.limit).decode()))
        if change.beats:
            compare.append(unchanged(self._beat_of(self.node), before.beats.get(self.node, 0)))
            operations.append(put(self._beat_of(self.node), ""))
        if change.gone is not None:
            compare.append(unchanged(self._beat_of(change.gone), before.beats.get(change.gone, 0)))
            operations.append(delete(self._beat_of(change.gone)))
        operations += [delete(self._states + generation, prefix=True) for generation in change.rubbish]
        if change.entries:
            kept = tuple(change.entries[-LOG_LENGTH:])  # a claim of all shards would not fit into the request
            logged = encode(_LogEntries(round(time.time() * 1000), kept)).decode()
            operations.append(put(self._logged_as(change.number), logged))
            oldest = self._logged_as(max(change.number - LOG_LENGTH, 0))
            operations.append(delete(self._log, end=oldest))
        if not operations and not change.states:
            return before, await self._read_states(wanted, until)
        used = sum(len(value) for value in (change.coord | change.limit).values())
        states, *more = self._portions(change.states, MOST_OPERATIONS - len(operations) - len(wanted), used)
        answer = await self._client.txn(compare, [*operations, *states, *wanted], until=until)
        if not answer.succeeded:
            return None
        after = self._after(before, change, answer)
        for portion in more:
            compare = [unchanged(self.coord, after.coord_revision)]
            compare += [unchanged(self._beat_of(self.node), after.beats[self.node])] if change.beats else []
            if not (await self._client.txn(compare, portion, until=until)).succeeded:
                return None
        return after, tuple(kv for kvs in answer.found for kv in kvs)

    def _logged_as(self, call: int) -> str:
        return f"{self._log}{call:015d}"

    def _portions(self, states: Mapping[ShardId, str | None], room: int, used: int) -> list[list[Body]]:
        """Return the operations that write `states`: those for the first transaction, then others.

        `room`: operations that the first one can take besides its own, which have `used` bytes.
        """
        portions = [list[Body]()]
        for shard_id, state in states.items():
            length = 0 if state is None else len(state.encode())
            # The first goes with the change in any case: a shard must not be free before its state is written.
            if portions[-1] and (len(portions[-1]) >= room or used + length > MOST_BYTES):
                portions.append([])
                room, used = MOST_OPERATIONS, 0
            used += length
            key = self._state_of(shard_id)
            portions[-1].append(delete(key) if state is None else put(key, state))
        return portions

    async def _read_states(self, wanted: Sequence[Body], until: float) -> tuple[KeyValue, ...]:
        if not wanted:
            return ()
        return tuple(kv for kvs in (await self._client.txn([], wanted, until=until)).found for kv in kvs)

    async def _read(self, until: float, *, states: Body | None = None) -> _Read:
        """Read all records at one revision, and the states with the options `states`.  Raises: StoreAway.

        By no transaction: an etcd whose quota is full refuses each, also one that only reads.
        """
        seen, beat = self._revision, self._beat  # an answer that was under way already may be older than what comes
        first = self._beat_of("")
        end = f"{self.limit}\0".encode()  # in between are "beat/...", "coord" and "limit"
        found = await self._client.range(first, range_end=end, until=until)
        revision = found.header.revision
        kvs = {_text(kv.key): kv for kv in found.kvs}
        coord, limit = kvs.get(self.coord, KeyValue()), kvs.get(self.limit, KeyValue())
        records = Records(
            cluster_id=found.header.cluster_id,
            coord=_fields(coord.value),
            coord_revision=coord.mod_revision,
            limit=_fields(limit.value),
            limit_revision=limit.mod_revision,
            beats={key.removeprefix(first): kv.mod_revision for key, kv in kvs.items() if key.startswith(first)},
        )
        form = records.coord.get("m:schema", SCHEMA)
        if form != SCHEMA:
            raise StoreAway(other_form(form, self.coord))
        stored: tuple[KeyValue, ...] = ()
        if states is not None:
            at = {"revision": str(revision)} | states
            stored = (await self._client.range(self._states, prefix=True, until=until, **at)).kvs
        same = (number(records.coord.get("m:inc")) or 0) <= self._incarnation  # else another node noticed it
        is_member = f"n:{self.node}" in records.coord
        forgotten = same and (revision < seen or (is_member and records.beats.get(self.node, 0) < beat))
        if not forgotten:
            self._remember(records, revision)
        return _Read(records, stored, forgotten)

    def _remember(self, records: Records, revision: int) -> None:
        """Keep what shows later that etcd lost data, and the count of permits."""
        incarnation = number(records.coord.get("m:inc")) or 0
        if incarnation > self._incarnation:
            self._incarnation, self._revision, self._beat = incarnation, 0, 0
        if incarnation < self._incarnation or revision < self._revision:
            return  # answers may come in another order than that in which they were sent
        self._revision = revision
        self._highest = max(self._highest, number(records.coord.get("m:tok")) or 0)
        if (pace := PACE.fullmatch(records.limit.get("m:pace", ""))) is not None:
            self._pace.record(pace[1], int(pace[2]), steady())

    def _after(self, before: Records, change: Change, answer: TxnAnswer) -> Records:
        """Return the records as a transaction left them."""
        revision = answer.header.revision
        beats = {node: beat for node, beat in before.beats.items() if node != change.gone}
        after = Records(
            cluster_id=before.cluster_id,
            coord=change.coord,
            coord_revision=revision if change.coord != before.coord else before.coord_revision,
            limit=change.limit,
            limit_revision=revision if change.limit != before.limit else before.limit_revision,
            beats=beats | ({self.node: revision} if change.beats else {}),
        )
        self._remember(after, revision)
        if change.beats:
            self._beat = max(self._beat, revision)
        return after

    # Reading

    def _state(self, records: Records, states: Mapping[ShardId, str] | None = None) -> ClusterState:
        """Return the cluster state; log each record that cannot be read once."""
        stored = {field_of(shard_id): state for shard_id, state in (states or {}).items()}
        return self._unreadable.report(read_cluster_state(records.fields, stored, now=time.time()), self)

    def _shown_states(self, kvs: Iterable[KeyValue]) -> dict[ShardId, str]:
        named = ((shard_id_in(_text(kv.key).removeprefix(self._states)), kv) for kv in kvs)
        return {shard_id: _text(kv.value) for shard_id, kv in named if shard_id is not None}

    # Deadlines

    @asynccontextmanager
    async def _answered(self) -> AsyncGenerator[float]:
        """Treat a refusal like a store that is away: a node outlives rights and passwords that change while it runs."""
        try:
            async with self._within(self._timings.call) as until:
                yield until
        except EtcdRefused as error:
            raise StoreAway(self._refusal(error)) from None

    @asynccontextmanager
    async def _within(self, seconds: float) -> AsyncGenerator[float]:
        """Yield the deadline of one call.  Raises: StoreAway when it has passed; ConfigError in a child process."""
        check_process(self._pid, "the membership in a cluster")
        until = asyncio.get_running_loop().time() + seconds
        async with within(until):
            yield until


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _fields(record: bytes) -> Fields:
    """Return the fields of a record; none if there is none (b""), or none that can be read."""
    try:
        return _read_fields(record)
    except UNREADABLE:
        return {}


def _logged(kv: KeyValue) -> list[tuple[str, dict[str, str]]]:
    """Return the entries that one call added, each with its position: the time of day, and the revision.

    What cannot be read is an entry without fields: its position is needed to go on behind it.
    """
    try:
        found = _read_entries(kv.value)
    except UNREADABLE:
        found = _LogEntries()
    if not found.entries:
        return [(f"0-{kv.mod_revision}", {})]
    return [(f"{found.at}-{kv.mod_revision}", entry) for entry in found.entries]
