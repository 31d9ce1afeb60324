"""`ClusterState`: the nodes of a cluster, which of them owns which shard, and what they agreed on.

Responsible for these values and for session states as JSON; pure. Collaborators: a store reads and writes them
(`records`: how they are written), `reconcile` decides from them, `view` shows them to users.
"""

from msgspec import Struct, field

from ...errors import DecodeError, GatewayHalted, Hint
from ...models.codec import decoder, encode
from ...models.gateway import GatewayBot, ResumeState, ShardKey
from .assignor import ClusterMember, Role

ShardId = tuple[int, int]
"""A shard's generation and index."""

REPLACED = "\N{REPLACEMENT CHARACTER}"
"""Stands for bytes that are not UTF-8: a record with it is not one of ours."""


class NodeInfo(Struct, frozen=True):
    """What a node publishes about itself."""

    host: str = ""
    pid: int = 0
    version: str = ""


class ClusterHalt(Struct, frozen=True):
    """Why no node may identify any more."""

    code: int | None
    reason: str
    zh: str = ""
    en: str = ""

    @classmethod
    def of(cls, error: GatewayHalted) -> "ClusterHalt":
        """Return what the other nodes need to know of `error`."""
        hint = error.hint or Hint("", "")
        return cls(error.code, error.reason, hint.zh, hint.en)

    def error(self) -> GatewayHalted:
        """Return the error that the other nodes raise, and those that start before the cluster is unhalted."""
        reason = f"{self.reason}; the whole cluster is halted: mend that, then `qqbot shards unhalt`"
        return GatewayHalted(self.code, reason, Hint(self.zh, self.en) if self.zh or self.en else None)


_decode_state = decoder(ResumeState)


class NodeRecord(Struct, frozen=True):
    """One member of the cluster; `beat` grows with each sign of life."""

    id: str
    join: int
    beat: int
    role: Role
    info: NodeInfo

    @property
    def stamp(self) -> str:
        """A text that changes with each sign of life."""
        return f"{self.join}:{self.beat}"

    @property
    def member(self) -> ClusterMember:
        """The node as the assignor sees it."""
        return ClusterMember(self.id, self.role, self.join)


class OwnerRecord(Struct, frozen=True):
    """The owner of a shard ('' if it is free), and the token under which it was last owned."""

    token: int
    node: str


class ClusterState(Struct, frozen=True, kw_only=True):
    """The cluster at one moment, as one call to the store read it.

    `incarnation` changes whenever the store is another one or lost its data, `version` with every change of membership
    and ownership. `gen` is 0 until the number of shards is decided, `next_shards` is 0 if no roll is in progress;
    `restarts`: the current generation has to end before the next one begins. `now`, `gateway_at` and `budget_reset`
    are seconds of the store's clock. `unreadable`: the records that were left out.
    """

    incarnation: int = 0
    version: int = 0
    now: float = 0.0
    gen: int = 0
    shards: int = 0
    next_shards: int = 0
    restarts: bool = False
    target_active: int = 0
    halt: ClusterHalt | None = None
    gateway: GatewayBot | None = None
    gateway_at: float = 0.0
    budget: int | None = None
    budget_reset: float = 0.0
    timings: str = ""
    nodes: dict[str, NodeRecord] = field(default_factory=dict[str, NodeRecord])
    owners: dict[ShardId, OwnerRecord] = field(default_factory=dict[ShardId, OwnerRecord])
    drained: frozenset[str] = frozenset()
    states: dict[ShardId, str] = field(default_factory=dict[ShardId, str])
    unreadable: frozenset[str] = frozenset()

    @property
    def generations(self) -> list[tuple[int, int]]:
        """The generations that may be owned, with their numbers of shards."""
        known = [(self.gen, self.shards)] if self.gen else []
        return [*known, (self.gen + 1, self.next_shards)] if self.next_shards and not self.restarts else known

    def owned(self, gen: int) -> dict[int, str]:
        """Return the owners of the shards of one generation that have one."""
        return {index: each.node for (number, index), each in self.owners.items() if number == gen and each.node}


def shard_id_of(key: ShardKey) -> ShardId:
    """Return the generation and index of a shard."""
    return key.gen, key.index


def read_state(text: str) -> ResumeState | None:
    """Return the state that `text` holds; None if it holds none that can be used."""
    if not text or REPLACED in text:
        return None
    try:
        return _decode_state(text.encode())
    except (DecodeError, ValueError):
        return None


def write(value: object) -> str:
    """Return a value as JSON, in the form in which it is stored."""
    return encode(value).decode()
