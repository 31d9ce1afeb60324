"""How the records of a cluster are written in Redis: fields of two hashes.

Responsible for reading the coordination hash and the hash of session states, and for the names of fields; pure.
Collaborators: `redis_scripts` documents and writes the fields, `redis_store` sends them. The values are in `state`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from ...errors import DecodeError
from ...models.codec import decoder
from ...models.gateway import GatewayBot
from .assignor import Role
from .state import ClusterHalt, ClusterState, NodeInfo, NodeRecord, OwnerRecord, ShardId

LETTERS: dict[Role, str] = {"joining": "J", "active": "A", "standby": "S", "draining": "D"}
ROLES: dict[str, Role] = {letter: role for role, letter in LETTERS.items()}

RESTARTS = " restart"

T = TypeVar("T")


_decode_info = decoder(NodeInfo)
_decode_halt = decoder(ClusterHalt)
_decode_gateway = decoder(GatewayBot)


def next_field(count: int, *, restarts: bool = False) -> str:
    """Return a roll to `count` shards as it is stored; '' for none."""
    return f"{count}{RESTARTS * restarts}" if count else ""


def field_of(shard_id: ShardId) -> str:
    """Return the field of a shard."""
    return f"{shard_id[0]}.{shard_id[1]}"


def shard_id_at(name: str) -> ShardId:
    """Return the shard that a field names.  Raises: ValueError."""
    shard_id = _shard_id(name)
    if shard_id is None:
        raise ValueError(f"{name!r} names no shard")
    return shard_id


def _shard_id(text: str) -> ShardId | None:
    gen, _, index = text.partition(".")
    return (int(gen), int(index)) if gen.isdecimal() and index.isdecimal() else None


def pairs(flat: Iterable[str]) -> dict[str, str]:
    """Return a flat list of fields and values as a dict."""
    each = iter(flat)
    return dict(zip(each, each, strict=True))


def read_cluster_state(coord: Mapping[str, str], sess: Mapping[str, str], *, now: float = 0.0) -> ClusterState:
    """Return the cluster state that the two hashes hold; leave out what cannot be read."""
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
