"""`ClusterStore`: the records in which the nodes of a cluster agree, as a node needs them.

Responsible for the Protocol, the values that its calls take and return, and its two errors. Collaborators: `node`,
`session_limit`, `resharding` and `state_copies` call it; `redis_store` and `etcd_store` implement it. It does not
decide when a call is made, and knows nothing of how a store writes its records.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import IntEnum
from typing import Any, Literal, Protocol

from msgspec import Struct

from ...models.gateway import GatewayBot
from .assignor import Role
from .state import ClusterHalt, ClusterState, NodeInfo, ShardId

FROM_NOW_ON = "$"
"""The position in the log after its last entry."""

LISTEN_SECONDS = 5.0

Operation = Literal["ask", "gateway", "plan", "begin", "switch", "abort", "halt", "unhalt", "drain"]


class StoreAway(Exception):
    """No answer came in time, or the store cannot answer now; the call may have been carried out."""


class OtherTimings(Exception):
    """The cluster has members, and they use other timings: `theirs`."""

    def __init__(self, theirs: str) -> None:
        super().__init__(theirs)
        self.theirs = theirs


class Synced(Struct, frozen=True):
    """What a sync found. `lost` are no longer ours; whether `doubtful` are ours, is not known yet."""

    state: ClusterState
    lost: frozenset[ShardId]
    doubtful: frozenset[ShardId]


class OwnershipReport(Struct, frozen=True):
    """What a node reports about a shard that it owns.

    `state`: JSON, "=" as stored, "-" none. `incarnation`: None if the lease holds; if it has ended, the incarnation
    for which the node can vouch that no other node owns the shard.
    """

    shard_id: ShardId
    token: int
    state: str
    incarnation: int | None = None


class Grant(Struct, frozen=True):
    """A shard that was claimed; `state` is '' if none was stored."""

    shard_id: ShardId
    token: int
    state: str


class PermitAnswer(IntEnum):
    """What comes of asking for an IDENTIFY, and what the seconds beside it mean."""

    GRANTED = 1  # in so many seconds it may be sent
    LATER = 0  # in so many seconds to ask again
    NOT_OWNER = -1
    NO_BUDGET = -2  # in so many seconds the platform renews the budget
    HALTED = -3


class ClusterStore(Protocol):
    """The records of one cluster; every call is atomic.

    Each call raises StoreAway if there is no answer in time. `str()` names the store for log lines.
    """

    @property
    def node(self) -> str:
        """The id under which this process calls."""
        ...

    async def check(self) -> None:
        """Check that the store can hold a cluster.  Raises: ConfigError if it refuses us or cannot, StoreAway."""
        ...

    async def sync(
        self,
        role: Role,
        info: NodeInfo,
        reports: Sequence[OwnershipReport],
        *,
        known: ClusterState,
        target_active: int,
    ) -> Synced:
        """Join if this node is not a member, show a sign of life, report what it owns, and read all but the states.

        A record that is missing, or has a smaller token, is written again: the store lost it.

        Raises: StoreAway, OtherTimings.
        """
        ...

    async def look(self) -> ClusterState:
        """Read everything and change nothing.  Raises: StoreAway."""
        ...

    async def states(self) -> dict[ShardId, str]:
        """Return the stored session states of all shards, as JSON.  Raises: StoreAway."""
        ...

    async def entries(self, after: str, wait: float = LISTEN_SECONDS) -> list[tuple[str, dict[str, str]]]:
        """Wait up to `wait` seconds for log entries after the position `after`; return each with its position.

        Raises: StoreAway.
        """
        ...

    async def claim(self, state: ClusterState, shard_ids: Sequence[ShardId], least: int = 0) -> list[Grant] | None:
        """Take free shards under tokens of at least `least`; None if `state` is out of date.  Raises: StoreAway."""
        ...

    async def release(self, report: OwnershipReport) -> bool:
        """Give a shard back; False if it was not ours.  Raises: StoreAway."""
        ...

    async def evict(self, state: ClusterState, node: str, stamp: str) -> bool:
        """Remove a node and free its shards; False if its beat is no longer `stamp`.  Raises: StoreAway."""
        ...

    async def restore(self, state: ClusterState, states: Mapping[ShardId, str]) -> int:
        """Put back session states that the store lost; return how many it had lost.  Raises: StoreAway."""
        ...

    async def permit(self, shard_id: ShardId, token: int, concurrency: int) -> tuple[PermitAnswer, float]:
        """Ask when a session may be created, with at most `concurrency` in a window.  Raises: StoreAway."""
        ...

    async def put_gateway(self, answer: GatewayBot) -> None:
        """Share the answer of /gateway/bot.  Raises: StoreAway."""
        ...

    async def halt(self, reason: ClusterHalt) -> None:
        """Halt the cluster; the first reason stays.  Raises: StoreAway."""
        ...

    async def admin(self, operation: Operation, *arguments: object) -> bool:
        """Change what concerns the whole cluster; False if that is not due any more.  Raises: StoreAway.

        A node uses four operations: `ask AGE LIFE` (True if this node should ask /gateway/bot now: the answer is older
        than AGE milliseconds, and no other node was asked in the last LIFE), `plan SHARDS` (set the number of shards,
        while none is owned), `begin VERSION SHARDS` and `switch VERSION` (begin a roll, end it).
        """
        ...


class OpenStore(ClusterStore, AbstractAsyncContextManager[Any], Protocol):
    """A store that opens and closes its connections, with what a person may ask of it besides."""

    async def history(self, count: int) -> list[tuple[str, dict[str, str]]]:
        """Return the last `count` entries of the log, oldest first.  Raises: StoreAway."""
        ...
