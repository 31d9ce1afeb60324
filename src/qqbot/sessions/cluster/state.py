"""What the store holds, read: the nodes of a cluster, who owns which shard, and what is agreed upon.

Owns the written forms that `scripts` documents; pure. Talking to Redis is `store`'s.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from msgspec import Struct, field

from ...errors import DecodeError, GatewayHalted, Hint
from ...models.codec import decoder, encode
from ...models.gateway import GatewayBot, ResumeState, ShardKey
from ..base import ClusterView, NodeView, ShardView
from .assignor import ClusterMember, Role

LETTERS: dict[Role, str] = {"joining": "J", "active": "A", "standby": "S", "draining": "D"}
ROLES: dict[str, Role] = {letter: role for role, letter in LETTERS.items()}

RESTARTS = " restart"

ShardId = tuple[int, int]
"""A shard's generation and index."""

T = TypeVar("T")


class NodeInfo(Struct, frozen=True):
    """What a node says about itself."""

    host: str = ""
    pid: int = 0
    version: str = ""


class ClusterHalt(Struct, frozen=True):
    """Why nobody identifies any more."""

    code: int | None
    reason: str
    zh: str = ""
    en: str = ""

    @classmethod
    def of(cls, error: GatewayHalted) -> "ClusterHalt":
        """Return what the other nodes have to know of `error`."""
        hint = error.hint or Hint("", "")
        return cls(error.code, error.reason, hint.zh, hint.en)

    def error(self) -> GatewayHalted:
        """Return the error that every other node raises, and each that starts before the cluster is unhalted."""
        reason = f"{self.reason}; the whole cluster is halted: mend that, then `qqbot shards unhalt`"
        return GatewayHalted(self.code, reason, Hint(self.zh, self.en) if self.zh or self.en else None)


_decode_info = decoder(NodeInfo)
_decode_halt = decoder(ClusterHalt)
_decode_state = decoder(ResumeState)
_decode_gateway = decoder(GatewayBot)


class NodeRecord(Struct, frozen=True):
    """One member of the cluster."""

    id: str
    join: int
    beat: int
    role: Role
    info: NodeInfo

    @property
    def stamp(self) -> str:
        """What changes with each sign of life."""
        return f"{self.join}:{self.beat}"

    @property
    def member(self) -> ClusterMember:
        """The node as the planner sees it."""
        return ClusterMember(self.id, self.role, self.join)


class OwnerRecord(Struct, frozen=True):
    """Who owns a shard, '' nobody, and the token under which it was last owned."""

    token: int
    node: str


class ClusterState(Struct, frozen=True, kw_only=True):
    """The cluster at one moment, as one script saw it.

    `incarnation` changes whenever the server is another one or lost its data, `version` with every change of
    membership and ownership. `gen` 0: the number of shards is not decided yet; `next_shards` 0: no roll is going on;
    `restarts`: one is, and the generation before has to end before the next one begins.
    `now`, `gateway_at` and `budget_reset` are the server's seconds.
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

    @property
    def generations(self) -> list[tuple[int, int]]:
        """The generations that may be owned, with their numbers of shards."""
        known = [(self.gen, self.shards)] if self.gen else []
        return [*known, (self.gen + 1, self.next_shards)] if self.next_shards and not self.restarts else known

    def owned(self, gen: int) -> dict[int, str]:
        """Return the owners of the shards of one generation that have one."""
        return {index: each.node for (number, index), each in self.owners.items() if number == gen and each.node}


def next_field(count: int, *, restarts: bool = False) -> str:
    """Return a roll to `count` shards as it is stored: '' none."""
    return f"{count}{RESTARTS * restarts}" if count else ""


def shard_id_of(key: ShardKey) -> ShardId:
    """Return where a shard stands in the records."""
    return key.gen, key.index


def field_of(shard_id: ShardId) -> str:
    """Return the field of a place."""
    return f"{shard_id[0]}.{shard_id[1]}"


def shard_id_at(name: str) -> ShardId:
    """Return the place that a field names.  Raises: ValueError."""
    shard_id = _shard_id(name)
    if shard_id is None:
        raise ValueError(f"{name!r} names no shard")
    return shard_id


def _shard_id(text: str) -> ShardId | None:
    gen, _, index = text.partition(".")
    return (int(gen), int(index)) if gen.isdecimal() and index.isdecimal() else None


def read_state(text: str) -> ResumeState | None:
    """Return the state that `text` holds; None where it holds none that can be used."""
    if not text:
        return None
    try:
        return _decode_state(text.encode())
    except (DecodeError, ValueError):
        return None


def write(value: object) -> str:
    """Return a record as it is stored."""
    return encode(value).decode()


def pairs(flat: Iterable[str]) -> dict[str, str]:
    """Return a flat list of fields and values as a dict."""
    each = iter(flat)
    return dict(zip(each, each, strict=True))


def read_cluster_state(coord: Mapping[str, str], sess: Mapping[str, str], *, now: float = 0.0) -> ClusterState:
    """Return the picture that the two hashes hold; what cannot be read is left out."""
    nodes: dict[str, NodeRecord] = {}
    owners: dict[ShardId, OwnerRecord] = {}
    drained: set[str] = set()
    for name, value in coord.items():
        kind, rest = name[:2], name[2:]
        if kind == "n:" and (node := _node(rest, value)) is not None:
            nodes[rest] = node
        elif kind == "o:" and (shard_id := _shard_id(rest)) is not None:
            token, _, owner = value.partition(":")
            owners[shard_id] = OwnerRecord(int(token), owner)
        elif kind == "d:":
            drained.add(rest)
    following = coord.get("m:next", "")
    return ClusterState(
        incarnation=_number(coord, "inc"),
        version=_number(coord, "ov"),
        now=now,
        gen=_number(coord, "gen"),
        shards=_number(coord, "shards"),
        next_shards=_int(following.removesuffix(RESTARTS)),
        restarts=following.endswith(RESTARTS),
        target_active=_number(coord, "target"),
        halt=_optional(_decode_halt, coord.get("m:halt")),
        gateway=_optional(_decode_gateway, coord.get("m:gateway")),
        gateway_at=_number(coord, "gateway_at") / 1000,
        budget=_number(coord, "budget") if "m:budget" in coord else None,
        budget_reset=_number(coord, "budget_reset") / 1000,
        timings=coord.get("m:timings", ""),
        nodes=nodes,
        owners=owners,
        drained=frozenset(drained),
        states={shard_id: state for name, state in sess.items() if (shard_id := _shard_id(name)) is not None},
    )


def _number(coord: Mapping[str, str], name: str) -> int:
    return _int(coord.get(f"m:{name}", ""))


def _int(text: str) -> int:
    return int(text) if text.removeprefix("-").isdecimal() else 0


def _node(name: str, value: str) -> NodeRecord | None:
    parts = value.split(":", 3)
    if len(parts) < 4 or parts[2] not in ROLES:
        return None
    info = _optional(_decode_info, parts[3]) or NodeInfo()
    return NodeRecord(name, int(parts[0]), int(parts[1]), ROLES[parts[2]], info)


def _optional(decode: Callable[[bytes], T], text: str | None) -> T | None:
    if not text:
        return None
    try:
        return decode(text.encode())
    except DecodeError:
        return None


def view(picture: ClusterState) -> ClusterView:
    """Return what users see of a picture."""
    counts = dict(picture.generations)
    shards = [
        ShardView(ShardKey(gen, index, counts.get(gen, 0)), owner.token, owner.node, read_state(state))
        for (gen, index), owner in sorted(picture.owners.items())
        if owner.node
        for state in [picture.states.get((gen, index), "")]
    ]
    nodes = [
        NodeView(
            node.id,
            node.role,
            sum(shard.node == node.id for shard in shards),
            node.info.host,
            node.info.pid,
            node.info.version,
        )
        for node in sorted(picture.nodes.values(), key=lambda node: node.join)
    ]
    return ClusterView(
        tuple(shards),
        picture.budget,
        tuple(nodes),
        picture.shards,
        picture.next_shards,
        picture.incarnation,
        "" if picture.halt is None else str(picture.halt.error()),
    )
