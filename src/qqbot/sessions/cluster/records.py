"""How the records of a cluster are written: fields about the cluster, its nodes and owners, and the session states.

Responsible for reading them, for the names of fields, and for logging what cannot be read; pure. What another version
or another program has written is left out and listed.
Collaborators: `redis_scripts` documents the fields and writes them into two hashes of Redis, `etcd_changes` writes them
for etcd. The values are in `state`.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from msgspec import MsgspecError

from ..._visible import visible_line
from ...errors import DecodeError
from ...models.codec import decoder, strict
from ...models.gateway import GatewayBot
from .assignor import Role
from .state import (
    REPLACED,
    ClusterHalt,
    ClusterState,
    NodeInfo,
    NodeRecord,
    OwnerRecord,
    ShardId,
)

LETTERS: dict[Role, str] = {"joining": "J", "active": "A", "standby": "S", "draining": "D"}
ROLES: dict[str, Role] = {letter: role for role, letter in LETTERS.items()}

RESTARTS = " restart"
MOST_SHARDS = 100_000
MOST_CHARACTERS = 65_536  # of a JSON document about a node or the cluster

# Fifteen digits, like `number` in the scripts: more have no exact value there.
NUMBER = re.compile(r"-?[0-9]{1,15}")
SHARD = re.compile(r"([0-9]{1,15})\.([0-9]{1,15})")
NODE = re.compile(r"([1-9][0-9]{0,14}):([0-9]{1,15}):([JASD]):(.*)", re.DOTALL)
OWNER = re.compile(r"([0-9]{1,15}):(.*)", re.DOTALL)

SCHEMA = "1"
"""The form of what is written; nodes of another form do not join."""

MOST_BYTES = 262_144  # of one value; the largest of ours is a state with 4096 finished ranges
MOST_REPORTED = 100  # names of records that cannot be read; each is logged once

log = logging.getLogger(__name__)

T = TypeVar("T")


_decode_info = decoder(NodeInfo)
_decode_halt = strict(ClusterHalt)  # as strictly as the scripts read it
_decode_gateway = decoder(GatewayBot)


def next_field(count: int, *, restarts: bool = False) -> str:
    """Return a roll to `count` shards as it is stored; '' for none."""
    return f"{count}{RESTARTS * restarts}" if count else ""


def field_of(shard_id: ShardId) -> str:
    """Return the field of a shard."""
    return f"{shard_id[0]}.{shard_id[1]}"


def shard_id_at(name: str) -> ShardId:
    """Return the shard that a field names.  Raises: ValueError."""
    shard_id = shard_id_in(name)
    if shard_id is None:
        raise ValueError(f"{name!r} names no shard")
    return shard_id


def shard_id_in(text: str) -> ShardId | None:
    """Return the shard that a field names; None if it names none."""
    found = SHARD.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2]))


def pairs(flat: Iterable[str]) -> dict[str, str]:
    """Return a flat list of fields and values as a dict."""
    each = iter(flat)
    return dict(zip(each, each, strict=True))


def read_cluster_state(coord: Mapping[str, str], sess: Mapping[str, str], *, now: float = 0.0) -> ClusterState:
    """Return the cluster state that the two hashes hold; leave out and list what cannot be read."""
    unreadable = {name for name, fits in _FIELDS.items() if name in coord and not fits(coord[name])}
    nodes: dict[str, NodeRecord] = {}
    owners: dict[ShardId, OwnerRecord] = {}
    drained: set[str] = set()
    for name, value in coord.items():
        kind, rest = name[:2], name[2:]
        if kind == "n:":
            nodes[rest] = _node(rest, value)
            if not nodes[rest].join:
                unreadable.add(name)
        elif kind == "o:":
            shard_id, owner = shard_id_in(rest), OWNER.fullmatch(value)
            if shard_id is None or owner is None or (owner[2] and f"n:{owner[2]}" not in coord):
                unreadable.add(name)
            else:
                owners[shard_id] = OwnerRecord(int(owner[1]), owner[2])
        elif kind == "d:":
            drained.add(rest)
    known = {name: coord[name] for name in _FIELDS if name in coord and name not in unreadable}
    begun = unreadable.isdisjoint(("m:gen", "m:shards", "m:next")) and "m:shards" in known
    following = known.get("m:next", "") if begun else ""
    return ClusterState(
        incarnation=_number(known, "inc"),
        version=_number(known, "ov"),
        now=now,
        gen=_number(known, "gen") if begun else 0,
        shards=_number(known, "shards") if begun else 0,
        next_shards=int(following.removesuffix(RESTARTS) or 0),
        restarts=following.endswith(RESTARTS),
        target_active=_number(known, "target"),
        halt=_document(_decode_halt, known.get("m:halt", "")),
        gateway=_document(_decode_gateway, known.get("m:gateway", "")),
        gateway_at=_number(known, "gateway_at") / 1000,
        budget=_number(known, "budget") if "m:budget" in known else None,
        budget_reset=_number(known, "budget_reset") / 1000,
        timings=coord.get("m:timings", ""),
        nodes=nodes,
        owners=owners,
        drained=frozenset(drained),
        states={shard_id: state for name, state in sess.items() if (shard_id := shard_id_in(name)) is not None},
        unreadable=frozenset(unreadable),
    )


class UnreadableRecords:
    """The records of one store that cannot be read: each is logged once."""

    def __init__(self) -> None:
        self._reported: set[str] = set()

    def report(self, state: ClusterState, store: object) -> ClusterState:
        """Log what is new of them, and return the state."""
        new = state.unreadable - self._reported
        if new and len(self._reported) < MOST_REPORTED:
            self._reported |= new
            log.warning(
                "%s: records of the cluster that cannot be read are left out: %s. Did another program or another "
                "version write them? 集群中有无法读取的记录，已忽略",
                store,
                ", ".join(f"{name:.100}".encode("unicode_escape").decode() for name in sorted(new)[:10]),
            )
        return state


def other_form(form: str, where: str) -> str:
    """Return the words for records of another form, which were found at `where`."""
    return (
        f"its cluster was written by another version of qqbot (form {visible_line(form, 50)}, this one knows {SCHEMA}):"
        f" use another cluster name, or stop every node and delete {where}. 集群数据由另一版本的 qqbot 写入"
    )


def number(text: str | None) -> int | None:
    """Return the number that a field holds; None for anything else."""
    return int(text) if text is not None and NUMBER.fullmatch(text) else None


def is_halt(text: str | None) -> bool:
    """True for the reason of a halt; what another program has written halts nothing."""
    return _document(_decode_halt, text or "") is not None


def is_count(text: str | None) -> bool:
    """True for a number of shards."""
    return text is not None and _is_count(text)


def _number(known: Mapping[str, str], name: str) -> int:
    return int(known.get(f"m:{name}", "0"))


def _node(name: str, value: str) -> NodeRecord:
    """Return a member; one whose record cannot be read has joined at 0, and is evicted unless it writes another."""
    found = NODE.fullmatch(value)
    if found is None:
        return NodeRecord(name, 0, 0, "joining", NodeInfo())
    info = _document(_decode_info, found[4]) or NodeInfo()
    return NodeRecord(name, int(found[1]), int(found[2]), ROLES[found[3]], info)


def _document(decode: Callable[[bytes], T], text: str) -> T | None:
    if not text or len(text) > MOST_CHARACTERS or REPLACED in text:
        return None
    try:
        return decode(text.encode())
    except (DecodeError, MsgspecError, ValueError, RecursionError):
        return None


def _is_number(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None


def _is_count(text: str) -> bool:
    return _is_number(text) and 1 <= int(text) <= MOST_SHARDS


def _is_next(text: str) -> bool:
    return not text or _is_count(text.removesuffix(RESTARTS))


def _is_halt(text: str) -> bool:
    return not text or _document(_decode_halt, text) is not None


def _is_gateway(text: str) -> bool:
    answer = _document(_decode_gateway, text)
    return answer is not None and 1 <= answer.shards <= MOST_SHARDS


_FIELDS: dict[str, Callable[[str], bool]] = {
    **dict.fromkeys(
        ("m:inc", "m:ov", "m:gen", "m:target", "m:gateway_at", "m:budget", "m:budget_reset"),
        _is_number,
    ),
    "m:shards": _is_count,
    "m:next": _is_next,
    "m:halt": _is_halt,
    "m:gateway": _is_gateway,
}
"""What is read of the fields about the cluster, and whether a value can be used."""
