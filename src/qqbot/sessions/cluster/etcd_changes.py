"""What the calls of a store change in etcd's records: the counterpart of the scripts that Redis runs.

Responsible for each call's decision and for what it writes; pure. `etcd_store` reads the records, lets a `Change` work
on a copy and writes what differs, if nothing has changed meanwhile; else it begins again.

There are few keys. `coord` holds one JSON object with the fields that are described in `redis_scripts`: `m:...` is
about the cluster, `n:<node>` = join:0:role:info, `d:<node>` = this node is to be drained, `o:<gen>.<shard>` =
token:node. It changes with membership and ownership, and `m:ov` with it. `limit` holds what concerns new sessions: the
answer of /gateway/bot, the budget, and `m:pace` = line:count, the permits that were taken (see `pace_observer`).
`beat/<node>` is written with each sync, and the revision at which that was done is the node's beat.
`state/<gen>.<shard>` holds one session state, `log/<number>` what one call added to the log.

Times are milliseconds of the caller's time of day. They let tokens grow if all was lost, and show how old the answer of
/gateway/bot is, which any node may ask for again; neither leases nor permits depend on them.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import Struct, field

from .assignor import Role
from .records import (
    LETTERS,
    MOST_BYTES,
    NODE,
    OWNER,
    RESTARTS,
    SCHEMA,
    field_of,
    is_count,
    is_halt,
    next_field,
    number,
    shard_id_in,
)
from .state import ClusterState, NodeInfo, ShardId, write
from .store import OtherTimings, OwnershipReport, PermitAnswer

LOG_LENGTH = 2000  # calls, and entries of one call
MOST_CONCURRENCY = 1000
TIMINGS = re.compile(r"[0-9][0-9 ]*")
PACE = re.compile(r"([0-9]{1,15}):([0-9]{1,15})")

Fields = dict[str, str]


class Records(Struct, frozen=True, kw_only=True):
    """The records as one read found them, each with the revision at which it was changed last (0: there is none)."""

    cluster_id: str
    coord: Fields = field(default_factory=dict[str, str])
    coord_revision: int = 0
    limit: Fields = field(default_factory=dict[str, str])
    limit_revision: int = 0
    beats: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def fields(self) -> Fields:
        """All fields, with the beats in the records of the nodes, as `read_cluster_state` takes them."""
        return {name: self._with_beat(name, value) for name, value in (self.coord | self.limit).items()}

    def _with_beat(self, name: str, value: str) -> str:
        found = NODE.fullmatch(value) if name.startswith("n:") else None
        if found is None:
            return value
        return f"{found[1]}:{self.beats.get(name[2:], 0)}:{found[3]}:{found[4]}"


class CallingNode(Struct, frozen=True, kw_only=True):
    """Which node calls, and what it knows.

    `forgotten`: true if the store has an older revision than this node has seen. `highest`: the largest token that it
    has seen. `clock`: the time of day in milliseconds.
    """

    node: str
    timings: str
    clock: int
    highest: int = 0
    forgotten: bool = False


class Change:
    """One change to a copy of the records: `coord` and `limit` as they become, and what else is to be written.

    `stored` are the shards whose state is stored, if the call needs to know. A new incarnation begins if the store is
    another one or has lost something. What cannot be read is treated as lost, so that its owner reports it again.
    """

    def __init__(self, records: Records, caller: CallingNode, *, stored: Collection[ShardId] = ()) -> None:
        self.coord = dict(records.coord)
        self.limit = dict(records.limit)
        self.states: dict[ShardId, str | None] = {}  # to be written; None: deleted
        self.rubbish: list[str] = []  # prefixes of states of generations that are over
        self.gone: str | None = None  # the node whose beat is to be deleted
        self.entries: list[Fields] = []  # for the log
        self.number = number(self.coord.get("m:log")) or 0  # of the last call that the log has
        self.beats = False  # the call is a sign of life
        self._stored = stored
        self._records = records
        self._caller = caller
        self._ov = number(self.coord.get("m:ov"))
        self._tok = max(number(self.coord.get("m:tok")) or 0, 0)
        self._inc = number(self.coord.get("m:inc"))
        following = self.coord.get("m:next", "")
        planned = is_count(self.coord.get("m:shards")) and (not following or is_count(following.removesuffix(RESTARTS)))
        self._following = following
        self._gen = number(self.coord.get("m:gen")) or 0 if planned else 0  # a node that knows better reports it
        self.coord["m:schema"] = SCHEMA
        another = self.coord.get("m:cluster") != records.cluster_id
        if another or caller.forgotten or (self._inc or -1) < 0 or (self._ov or 0) < 0 or self._ov is None:
            self._begin_incarnation()

    def finish(self) -> None:
        """Complete the fields."""
        if self.entries:
            self.number += 1
        self.coord |= {"m:ov": str(self._ov), "m:tok": str(self._tok), "m:log": str(self.number)}

    def _begin_incarnation(self) -> None:
        """Let the owners report again what they own, before any node may claim, and forget the count of permits."""
        self._inc = self._grow()
        self._moved()
        self.limit["m:pace"] = f"{self._inc}:0"
        self.coord |= {"m:cluster": self._records.cluster_id, "m:inc": str(self._inc)}
        self._record("incarnation", "", inc=str(self._inc))

    def _grow(self) -> int:
        """Return a larger token than any before; the time of day keeps it growing if the data was lost."""
        self._tok = max(self._tok + 1, self._caller.highest + 1, self._caller.clock)
        return self._tok

    def _moved(self) -> None:
        self._ov = max(self._ov or 0, 0) + 1

    def _record(self, kind: str, node: str, **fields: str) -> None:
        self.entries.append({"kind": kind, "node": node, **fields})

    # Reading one record

    def _owner_of(self, shard: str) -> tuple[int, str]:
        """Return the token and the node of a shard; 0 and '' if there is no record, or none that can be read."""
        found = OWNER.fullmatch(self.coord.get(f"o:{shard}", ""))
        return (int(found[1]), found[2]) if found else (0, "")

    def _is_member(self, node: str) -> bool:
        return f"n:{node}" in self.coord

    def _is_current(self, shard: str) -> bool:
        """True if shards of this generation may be owned: the current one, and the next in a roll."""
        named = (shard_id_in(shard) or (-1, 0))[0]
        rolls = bool(self._following) and not self._following.endswith(RESTARTS)
        return named == self._gen or (named == self._gen + 1 and rolls)

    def _free(self, shard: str, token: int) -> None:
        """Free a shard; its token stays, so that a late message of the old owner cannot win."""
        if self._is_current(shard):
            self.coord[f"o:{shard}"] = f"{token}:"
        else:
            del self.coord[f"o:{shard}"]
            self._forget_state(shard_id_in(shard))
        self._moved()

    def _forget_state(self, shard_id: ShardId | None) -> None:
        """Write no state of a past generation; if no shard of it is left, delete all of them."""
        if shard_id is not None:
            self.states.pop(shard_id, None)
            if not any(name.startswith(f"o:{shard_id[0]}.") for name in self.coord):
                self.rubbish.append(f"{shard_id[0]}.")

    def _store(self, shard_id: ShardId, state: str) -> None:
        if state == "-" or len(state.encode()) > MOST_BYTES:
            self.states[shard_id] = None
        elif state != "=":
            self.states[shard_id] = state

    # The calls; see `store` for what each one does

    def sync(
        self, role: Role, info: NodeInfo, reports: Iterable[OwnershipReport], *, known: ClusterState, target_active: int
    ) -> tuple[frozenset[ShardId], frozenset[ShardId]]:
        """Show a sign of life and report what is owned; return what is lost and what is doubtful.

        Raises: OtherTimings.
        """
        self._join(role, info)
        if known.gen > self._gen:
            self._gen, self._following = known.gen, next_field(known.next_shards, restarts=known.restarts)
            self.coord |= {"m:gen": str(known.gen), "m:shards": str(known.shards), "m:next": self._following}
            self._moved()
        if target_active > 0:
            self.coord["m:target"] = str(target_active)
        lost, doubtful = set[ShardId](), set[ShardId]()
        for report in reports:
            if self._is_lost(report):
                lost.add(report.shard_id)
            elif report.incarnation not in (None, self._inc):
                doubtful.add(report.shard_id)
            else:
                self._confirm(report)
        return frozenset(lost), frozenset(doubtful)

    def _join(self, role: Role, info: NodeInfo) -> None:
        """Show a sign of life; become a member if this node is none.  Raises: OtherTimings."""
        node, letter = self._caller.node, LETTERS[role]
        self.beats = True
        member = NODE.fullmatch(self.coord.get(f"n:{node}", ""))
        if member is None:
            self._check_timings()
            join = self._grow()
            self._record("join", node, role=letter)
        else:
            join = int(member[1])
            if member[3] != letter:
                self._record("role", node, role=letter)
        if member is None or member[3] != letter:
            self._moved()
        self.coord[f"n:{node}"] = f"{join}:0:{letter}:{write(info)}"

    def _is_lost(self, report: OwnershipReport) -> bool:
        """True if the shard is not ours: another node owns it, or its generation is over."""
        shard = field_of(report.shard_id)
        held, owner = self._owner_of(shard)
        if held == report.token:
            return owner != self._caller.node
        return held > report.token or (not held and not self._is_current(shard))

    def _confirm(self, report: OwnershipReport) -> None:
        """Write what is reported; also the ownership, if the store lost it."""
        shard, node = field_of(report.shard_id), self._caller.node
        if self._owner_of(shard)[0] != report.token:
            self.coord[f"o:{shard}"] = f"{report.token}:{node}"
            self._tok = max(self._tok, report.token)
            self._moved()
            self._record("reassert", node, shard=shard, token=str(report.token))
        self._store(report.shard_id, report.state)

    def _check_timings(self) -> None:
        theirs = self.coord.get("m:timings", "")
        members = (value for name, value in self.coord.items() if name.startswith("n:"))
        if theirs != self._caller.timings and TIMINGS.fullmatch(theirs) and any(map(NODE.fullmatch, members)):
            raise OtherTimings(theirs)
        self.coord["m:timings"] = self._caller.timings

    def claim(self, state: ClusterState, shards: Sequence[str], least: int) -> dict[str, int] | None:
        """Take free shards; return their tokens, None if `state` is out of date."""
        node = self._caller.node
        if (state.incarnation, state.version) != (self._inc, self._ov) or not self._is_member(node):
            return None
        if self._following.endswith(RESTARTS):
            return {}
        self._tok = max(self._tok, least)
        unreadable = [shard for shard in shards if self._has_no_reader(shard)]
        for shard in unreadable:
            del self.coord[f"o:{shard}"]  # its owner may be alive: it gets the time to report the shard again
        if unreadable:
            self._begin_incarnation()
            return None
        granted = dict[str, int]()
        for shard in shards:
            held, owner = self._owner_of(shard)
            if not owner and self._is_current(shard):
                self._tok = max(self._tok, held)
                granted[shard] = self._grow()
                self.coord[f"o:{shard}"] = f"{granted[shard]}:{node}"
                self._record("claim", node, shard=shard, token=str(granted[shard]))
                self._moved()
        return granted

    def _has_no_reader(self, shard: str) -> bool:
        """True if the record of a shard cannot be read, or names a node that is no member."""
        record = self.coord.get(f"o:{shard}")
        if record is None:
            return False
        found = OWNER.fullmatch(record)
        return found is None or bool(found[2] and not self._is_member(found[2]))

    def release(self, report: OwnershipReport) -> bool:
        """Give a shard back."""
        shard, node = field_of(report.shard_id), self._caller.node
        if self._owner_of(shard) != (report.token, node):
            return False
        self._store(report.shard_id, report.state)
        self._free(shard, report.token)
        self._record("release", node, shard=shard, token=str(report.token))
        return True

    def evict(self, state: ClusterState, target: str, stamp: str) -> bool:
        """Remove a node and free its shards."""
        known = self.coord.get(f"n:{target}")
        if known is None or state.incarnation != self._inc:
            return False
        found = NODE.fullmatch(known)
        if stamp != (f"{int(found[1])}:{self._records.beats.get(target, 0)}" if found else "0:0"):
            return False
        del self.coord[f"n:{target}"]
        self.coord.pop(f"d:{target}", None)
        self.gone = target
        self._moved()
        for name, value in list(self.coord.items()):
            owner = OWNER.fullmatch(value) if name.startswith("o:") else None
            if owner is not None and owner[2] == target:
                self._free(name[2:], int(owner[1]))
        self._record("leave" if target == self._caller.node else "evict", self._caller.node, target=target)
        return True

    def restore(self, state: ClusterState, states: Mapping[ShardId, str]) -> int:
        """Put back states that the store lost; return how many it had lost."""
        if state.incarnation != self._inc:
            return 0
        lost = {
            shard_id: text
            for shard_id, text in states.items()
            if shard_id not in self._stored
            and not self._owner_of(field_of(shard_id))[1]
            and self._is_current(field_of(shard_id))
        }
        self.states |= lost
        if lost:
            self._record("restore", self._caller.node, states=str(len(lost)))
        return len(lost)

    def pace(self) -> tuple[str, int]:
        """Return the count of permits: its line, and how many were taken in it."""
        found = PACE.fullmatch(self.limit.get("m:pace", ""))
        if found is None:
            found = PACE.fullmatch(f"{self._grow()}:0")  # it was lost: a new line begins
            assert found is not None
            self.limit["m:pace"] = found[0]
        return found[1], int(found[2])

    def permit(
        self, shard: str, token: int, concurrency: int, wait: Callable[[str, int, int], float]
    ) -> tuple[PermitAnswer, float]:
        """Count a permit; `wait` returns the seconds until that may be done, for a line, a count and a concurrency."""
        if self._owner_of(shard) != (token, self._caller.node):
            return PermitAnswer.NOT_OWNER, 0.0
        if is_halt(self.coord.get("m:halt")):
            return PermitAnswer.HALTED, 0.0
        budget = number(self.limit.get("m:budget"))
        if budget is not None and budget <= 0:
            reset = number(self.limit.get("m:budget_reset")) or 0
            return PermitAnswer.NO_BUDGET, max(reset - self._caller.clock, 0) / 1000
        line, count = self.pace()
        if seconds := wait(line, count, min(max(concurrency, 1), MOST_CONCURRENCY)):
            return PermitAnswer.LATER, seconds
        self.limit["m:pace"] = f"{line}:{count + 1}"
        if budget is not None:
            self.limit["m:budget"] = str(budget - 1)
        return PermitAnswer.GRANTED, 0.0

    # Every other change that concerns the whole cluster; `admin` and its arguments as in `redis_scripts`

    def admin(self, operation: str, *arguments: object) -> bool:
        """Carry out one operation; False if it is not due any more."""
        texts = [str(argument) for argument in arguments]
        done = self._OPERATIONS[operation](self, *texts)
        if done and operation != "ask":
            self._record(operation, self._caller.node, detail=texts[0] if texts else "")
        return done

    def _ask(self, age: str, life: str) -> bool:
        now = self._caller.clock
        at, asked = (number(self.limit.get(name)) or 0 for name in ("m:gateway_at", "m:asked"))
        if 0 <= now - at < int(age) or 0 <= now - asked < int(life):
            return False
        self.limit["m:asked"] = str(now)
        return True

    def _gateway(self, answer: str, remaining: str, reset: str) -> bool:
        now, left = self._caller.clock, int(remaining)
        known = number(self.limit.get("m:budget"))
        until, before = (number(self.limit.get(name)) or 0 for name in ("m:budget_reset", "m:reset_after"))
        if known is not None and until > now and int(reset) <= before:  # a longer time than before: a new period
            left = min(left, known)
        self.limit |= {
            "m:gateway": answer,
            "m:gateway_at": str(now),
            "m:budget": str(left),
            "m:budget_reset": str(now + int(reset)),
            "m:reset_after": reset,
        }
        return True

    def _plan(self, shards: str) -> bool:
        if any(self._owner_of(name[2:])[1] for name in self.coord if name.startswith("o:")):
            return False
        if self._gen > 0:
            self._forget(self._gen)
            self._forget(self._gen + 1)
        self._next_generation(shards)
        return True

    def _next_generation(self, shards: str) -> None:
        self._gen += 1
        self.coord |= {"m:gen": str(self._gen), "m:shards": shards, "m:next": ""}
        self._moved()

    def _forget(self, generation: int) -> None:
        for name in [name for name in self.coord if name.startswith(f"o:{generation}.")]:
            del self.coord[name]
        self.rubbish.append(f"{generation}.")

    def _is_due(self, version: str, *, rolls: bool) -> bool:
        return int(version) == self._ov and bool(self._following) == rolls and self._gen > 0

    def _begin(self, version: str, following: str) -> bool:
        due = self._is_due(version, rolls=False)
        if due:
            self.coord["m:next"] = following
            self._moved()
        return due

    def _switch(self, version: str) -> bool:
        due = self._is_due(version, rolls=True)
        if due:
            restarts, before = self._following.endswith(RESTARTS), self._gen
            self._next_generation(self._following.removesuffix(RESTARTS))
            if restarts:
                self._forget(before)  # no owner is left to release them
        return due

    def _abort(self, version: str) -> bool:
        due = self._is_due(version, rolls=True)
        if due:
            self.coord["m:next"] = ""
            self._moved()
        return due

    def _halt(self, reason: str) -> bool:
        due = not is_halt(self.coord.get("m:halt"))
        if due:
            self.coord["m:halt"] = reason
        return due

    def _unhalt(self) -> bool:
        return self.coord.pop("m:halt", None) is not None

    def _drain(self, node: str) -> bool:
        if self._is_member(node):
            self.coord[f"d:{node}"] = "1"
        return self._is_member(node)

    _OPERATIONS: Mapping[str, Callable[..., bool]] = {
        "ask": _ask,
        "gateway": _gateway,
        "plan": _plan,
        "begin": _begin,
        "switch": _switch,
        "abort": _abort,
        "halt": _halt,
        "unhalt": _unhalt,
        "drain": _drain,
    }
