"""`RedisStore`: the records of a cluster in Redis or Valkey.

Responsible for the keys, the connection, the deadline of each call, and the error texts for what Redis refuses.
Collaborators: `redis_scripts` (what Redis runs), `records` (how records are written), `store` (the Protocol that
this implements). It does not decide when a call is made. A call raises `StoreAway` if there is no answer in time: it is
not known then whether the call was carried out, and no caller may depend on it.
"""

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Self, cast

from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from ..._visible import visible_line
from ...aio.forks import check_process
from ...config import Secret, hidden
from ...errors import ConfigError
from ...models.gateway import GatewayBot
from ...redis.connection import (
    FAILURES,
    RAW,
    Client,
    connected,
    drop_idle,
    hash_tag,
    is_away,
    shown,
    within,
)
from .assignor import Role
from .records import (
    LETTERS,
    MOST_BYTES,
    SCHEMA,
    UnreadableRecords,
    field_of,
    next_field,
    other_form,
    pairs,
    read_cluster_state,
    shard_id_at,
)
from .redis_scripts import OTHER_FORM, SCRIPTS
from .state import ClusterHalt, ClusterState, NodeInfo, ShardId, write
from .store import (
    FROM_NOW_ON,
    LISTEN_SECONDS,
    Grant,
    Operation,
    OtherTimings,
    OwnershipReport,
    PermitAnswer,
    StoreAway,
    Synced,
)
from .timings import Timings

log = logging.getLogger(__name__)

MOST_PERMIT_CALLS = 4  # at once: shards that wait for a permit must leave connections for the renewals
LEAST_VERSION = (6, 2)
NEEDED = "at least 6.2 is needed, or Valkey"
KEEPS_KEYS = "noeviction"

REFUSED = re.compile(r"QQBOT (\w+): (.*)", re.DOTALL)
DENIED = ("permission", "can't run this command")
RIGHTS = "~qqbot:* +@hash +@list +@stream +@scripting +@connection +get +set +del +exists +pttl +pexpire +info +time"


class RedisStore:
    """The records of one cluster, through its own connections; an async context manager that opens and closes them.

    A client that was passed in is used as it is, and not closed. `node` is the id under which this process calls, ""
    for a person at the command line; `shared` are the timings of the cluster, if they are not `timings`.
    """

    def __init__(
        self,
        where: "str | Secret | Client",
        *,
        app_id: str,
        cluster: str,
        node: str,
        timings: Timings,
        shared: str = "",
    ) -> None:
        self._where = hidden(where)
        del where  # a URL holds a password, and a traceback may show the variables of its frames
        self.node = node
        self._timings = timings
        self._shared = shared or timings.shared
        prefix = f"qqbot:{hash_tag(app_id, cluster)}:"
        self.coord, self.log = prefix + "coord", prefix + "log"
        self._keys = [self.coord, prefix + "sess", prefix + "pace", self.log]
        self._scratch = prefix + "rights"
        self._client: Any = None
        self._pid = 0  # of the process that opened the connections
        self._unreadable = UnreadableRecords()
        self._permits = asyncio.Semaphore(MOST_PERMIT_CALLS)
        self._open = AsyncExitStack()

    def __str__(self) -> str:
        return (
            f"Redis at {shown(self._where.reveal())}"
            if isinstance(self._where, Secret)
            else "the Redis client that was passed in"
        )

    async def __aenter__(self) -> Self:
        self._pid = os.getpid()
        if isinstance(self._where, Secret):
            # Without a timeout of the library: with one it swallows cancellations (it sends under `asyncio.wait_for`,
            # which does that before Python 3.12). `_send` sets the deadline.
            self._client = await self._open.enter_async_context(connected(self._where))
        else:
            self._client = self._where
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    # Before anything is written

    async def check(self) -> None:
        """Check that this server can hold a cluster.

        Raises: ConfigError if it refuses us or cannot do it, StoreAway.
        """
        try:
            server = await self._command("INFO", "server")
            self._check_version(_info(server))
            await self._evaluate("rights", [self._scratch], [])
            await self._read_log(FROM_NOW_ON, 0.001)
            schema = await self._command("HGET", self.coord, "m:schema")
        except (AuthenticationError, NoPermissionError) as error:
            raise ConfigError(
                f"{self} refuses the user or the password: {error}. Needed: {RIGHTS}. "
                "Redis 拒绝了用户名、密码或权限，请检查 QQBOT_REDIS_URL 与 ACL"
            ) from None
        except ResponseError as error:
            raise ConfigError(f"{self} cannot hold a cluster: {_reason(error)} ({NEEDED})") from None
        if schema not in (None, SCHEMA.encode()):
            raise ConfigError(f"{self}: {other_form(_text(schema), self.coord)}")
        await self._warn_of_eviction()

    def _check_version(self, server: dict[str, str]) -> None:
        version = server.get("redis_version", "")
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        if numbers < LEAST_VERSION:
            raise ConfigError(f"{self} is version {version or 'unknown'}: {NEEDED}")

    async def eviction_policy(self) -> str:
        """Return what the server does when its memory is full, as it names it; "noeviction" if it does not show it.

        Raises: StoreAway.
        """
        try:
            memory = _info(await self._command("INFO", "memory"))
        except (ResponseError, NoPermissionError):
            memory = {}
        return memory.get("maxmemory_policy", KEEPS_KEYS)

    async def _warn_of_eviction(self) -> None:
        policy = await self.eviction_policy()
        if policy != KEEPS_KEYS:
            log.warning(
                "%s drops keys when its memory is full (maxmemory-policy %s): a dropped key costs sessions, "
                "set noeviction. 请把 maxmemory-policy 设为 noeviction",
                self,
                visible_line(policy),
            )

    # The scripts

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
        arguments: list[object] = [LETTERS[role], write(info), known.gen, known.shards]
        arguments += [next_field(known.next_shards, restarts=known.restarts), target_active]
        for report in reports:
            incarnation = "" if report.incarnation is None else report.incarnation
            arguments += [field_of(report.shard_id), report.token, report.state, incarnation]
        answer = await self._run("sync", *arguments)
        if _text(answer[0]) == "timings":
            raise OtherTimings(_text(answer[1]))
        state = self._read(pairs(map(_text, answer[3])), {}, int(answer[0]) / 1000)
        return Synced(state, _shard_ids(answer[1]), _shard_ids(answer[2]))

    async def states(self) -> dict[ShardId, str]:
        """Return the stored states of all shards, as JSON.  Raises: StoreAway."""
        return self._read({}, await self._hash(self._keys[1])).states

    async def claim(self, state: ClusterState, shard_ids: Sequence[ShardId], least: int = 0) -> list[Grant] | None:
        """Take free shards; None if `state` is out of date.  Raises: StoreAway."""
        fields = [field_of(shard_id) for shard_id in shard_ids]
        answer = await self._run("claim", state.incarnation, state.version, least, *fields)
        if not isinstance(answer, list):
            return None
        each = iter([_text(item) for item in cast("list[object]", answer)])
        return [
            Grant(shard_id_at(name), int(token), state) for name, token, state in zip(each, each, each, strict=True)
        ]

    async def release(self, report: OwnershipReport) -> bool:
        """Give a shard back; False if it was not ours.  Raises: StoreAway."""
        return bool(await self._run("release", field_of(report.shard_id), report.token, report.state))

    async def evict(self, state: ClusterState, node: str, stamp: str) -> bool:
        """Remove a node whose beat is still `stamp`; False if it is another.  Raises: StoreAway."""
        return bool(await self._run("evict", state.incarnation, node, stamp))

    async def restore(self, state: ClusterState, states: Mapping[ShardId, str]) -> int:
        """Put states back that the store has lost; return how many it had lost.  Raises: StoreAway."""
        flat = [part for shard_id, state in states.items() for part in (field_of(shard_id), state)]
        return int(await self._run("restore", state.incarnation, *flat))

    async def permit(self, shard_id: ShardId, token: int, concurrency: int) -> tuple[PermitAnswer, float]:
        """Ask when a session may be created: the answer, and seconds.  Raises: StoreAway."""
        async with self._permits:
            answer, milliseconds = await self._run("permit", field_of(shard_id), token, concurrency)
        return PermitAnswer(int(answer)), int(milliseconds) / 1000

    async def admin(self, operation: Operation, *arguments: object) -> bool:
        """Change what concerns the whole cluster; see `redis_scripts` for the operations.  Raises: StoreAway."""
        return bool(await self._run("admin", operation, *arguments))

    async def put_gateway(self, answer: GatewayBot) -> None:
        """Share the answer of /gateway/bot.  Raises: StoreAway."""
        limit = answer.session_start_limit
        await self.admin("gateway", write(answer), limit.remaining, round(limit.reset_after))

    async def halt(self, reason: ClusterHalt) -> None:
        """Halt the cluster; the first reason stays.  Raises: StoreAway."""
        await self.admin("halt", write(reason))

    # Reading

    async def look(self) -> ClusterState:
        """Read everything and change nothing.  Raises: StoreAway."""
        coord = await self._hash(self.coord)
        sess = await self._hash(self._keys[1])
        clock = await self._ask("TIME")
        return self._read(coord, sess, int(clock[0]) + int(clock[1]) / 1e6)

    async def _hash(self, key: str) -> dict[str, str]:
        try:
            answer = await self._command("HGETALL", key)
        except FAILURES as error:
            if "WRONGTYPE" in str(error):  # the next script that needs the hash deletes the key
                return {}
            raise StoreAway(_reason(error)) from None
        return {name: value for name, value in _mapping(answer).items() if len(value) <= MOST_BYTES}

    def _read(self, coord: Mapping[str, str], sess: Mapping[str, str], now: float = 0.0) -> ClusterState:
        """Return what the records hold; log each that cannot be read once."""
        return self._unreadable.report(read_cluster_state(coord, sess, now=now), self)

    async def entries(self, after: str, wait: float = LISTEN_SECONDS) -> list[tuple[str, dict[str, str]]]:
        """Wait up to `wait` seconds for what is logged after the entry `after`; return it.  Raises: StoreAway."""
        try:
            return await self._read_log(after, wait)
        except FAILURES as error:  # a user that lost the right to listen can still be a member
            raise StoreAway(_reason(error)) from None

    async def _read_log(self, after: str, wait: float) -> list[tuple[str, dict[str, str]]]:
        """Return the entries after `after`, at the latest after `wait` seconds.  Raises: StoreAway; a refusal."""
        command = ("XREAD", "COUNT", 100, "BLOCK", max(round(wait * 1000), 1), "STREAMS", self.log, after)
        read = partial(self._client.execute_command, *command, keys=[self.log], **RAW)
        answer = await self._send(wait + self._timings.call, read)
        if not answer:
            return []
        streams: list[Any] = list(answer.values()) if hasattr(answer, "values") else [each[1] for each in answer]
        return [_entry(entry) for stream in streams for entry in _flattened(stream)]

    async def history(self, count: int) -> list[tuple[str, dict[str, str]]]:
        """Return the last `count` entries of the log, oldest first.  Raises: StoreAway."""
        answer = await self._ask("XREVRANGE", self.log, "+", "-", "COUNT", count)
        return [_entry(entry) for entry in reversed(answer)]

    # Calls

    async def _run(self, script: str, *arguments: object) -> Any:
        with _answers():
            return await self._evaluate(script, self._keys, [self._shared, self.node, *arguments])

    async def _ask(self, *command: object) -> Any:
        with _answers():
            return await self._command(*command)

    async def _evaluate(self, script: str, keys: Sequence[str], arguments: Sequence[object]) -> Any:
        return await self._send(self._timings.call, lambda: SCRIPTS[script].run(self._client, keys, arguments))

    async def _command(self, *command: object) -> Any:
        return await self._send(self._timings.call, lambda: self._client.execute_command(*command, **RAW))

    async def _send(self, seconds: float, command: Callable[[], Awaitable[Any]]) -> Any:
        """Send one command.  Raises: StoreAway; what the server refuses; ConfigError in a child process."""
        check_process(self._pid, "the membership in a cluster")
        try:
            return await within(seconds, command())
        except FAILURES as error:
            if not is_away(error):
                raise
            words = str(error)
            if OTHER_FORM in words:  # an answer, and the next one will be the same
                raise StoreAway(other_form(words.partition(OTHER_FORM)[2].split()[0], self.coord)) from None
            cause = "no answer in time" if isinstance(error, TimeoutError) else words or type(error).__name__
        await self._reconnect()
        raise StoreAway(cause)

    async def _reconnect(self) -> None:
        """Let the next call begin with a new connection: the server behind this one may no longer be the master."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timings.call):
                await drop_idle(self._client)


@contextlib.contextmanager
def _answers() -> Generator[None]:
    """Treat a refusal like a store that is away: a node outlives rights and passwords that change while it runs."""
    try:
        yield
    except FAILURES as error:
        raise StoreAway(_reason(error)) from None


def _reason(error: Exception) -> str:
    """Return the error text for what was refused, with the right that is missing."""
    text = str(error)
    if (match := REFUSED.search(text)) is not None and any(word in text for word in DENIED):
        return f"its user lacks the right to run {match[1]}; needed: {RIGHTS}. Redis 用户缺少 {match[1]} 权限"
    return text


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _mapping(answer: Any) -> dict[str, str]:
    """Return fields and values, which some clients have joined already."""
    joined = hasattr(answer, "items")
    items: Iterable[tuple[Any, Any]] = answer.items() if joined else zip(answer[::2], answer[1::2], strict=True)
    return {_text(name): _text(value) for name, value in items}


def _info(answer: Any) -> dict[str, str]:
    """Return INFO's answer, which some clients have read already."""
    if hasattr(answer, "items"):
        return _mapping(answer)
    lines = _text(answer).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _shard_ids(answer: Any) -> frozenset[ShardId]:
    return frozenset(shard_id_at(_text(each)) for each in answer)


def _flattened(stream: Any) -> list[Any]:
    """Return the entries of a stream: clients that speak RESP3 wrap them once more."""
    return [entry for part in stream for entry in (part if part and isinstance(part[0], (list, tuple)) else [part])]


def _entry(entry: Any) -> tuple[str, dict[str, str]]:
    number, fields = entry
    return _text(number), _mapping(fields)
