"""Judge a run by the gateway's records and the nodes' logs.

Responsible for what must not be: overlaps, lost events, crowded windows, falling tokens. Pure: no clock, no socket. The
numbers G1 to G8 are those of the guarantees in docs/production.md.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from qqbot.sessions.cluster.state import ShardId
from tests.cluster.gateway import Gateway, Shard


@dataclass
class Ownership:
    """One token of one shard: the node that dispatched under it, and its first and last dispatch in seconds."""

    token: int
    node: str
    first: float
    last: float


@dataclass
class Logs:
    """What the nodes wrote."""

    begun: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    ended: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    ownerships: dict[ShardId, dict[int, Ownership]] = field(default_factory=lambda: defaultdict(dict))
    dispatches: dict[ShardId, list[float]] = field(default_factory=lambda: defaultdict(list))
    claims: list[ShardId] = field(default_factory=list[ShardId])
    holders: dict[int, Ownership] = field(default_factory=dict[int, Ownership])  # of the lock, by fencing token
    same_tokens: int = 0  # of the lock, held by two processes

    def read(self, name: str, path: Path) -> None:
        text = path.read_text()
        for line in text[: text.rfind("\n") + 1].splitlines():  # the last line may be incomplete
            kind, at, *words = line.split()
            if kind == "begin":
                self._begin(name, float(at), (int(words[0]), int(words[1])), int(words[2]), words[3])
            elif kind == "end":
                self.ended[words[3]].append(float(at))
            elif kind == "claim":
                self.claims.append((int(words[0]), int(words[1])))
            elif kind == "hold":
                self._hold(name, float(at), int(words[0]))

    def _hold(self, node: str, at: float, token: int) -> None:
        holder = self.holders.setdefault(token, Ownership(token, node, at, at))
        self.same_tokens += holder.node != node
        holder.first, holder.last = min(holder.first, at), max(holder.last, at)

    def _begin(self, node: str, at: float, shard_id: ShardId, token: int, event: str) -> None:
        self.begun[event].append(at)
        self.dispatches[shard_id].append(at)
        ownership = self.ownerships[shard_id].setdefault(token, Ownership(token, node, at, at))
        ownership.last = max(ownership.last, at)
        ownership.first = min(ownership.first, at)


def overlaps(logs: Logs) -> list[str]:
    """G1: two tokens of a shard that were in use at the same time."""
    found: list[str] = []
    for shard_id, ownerships in logs.ownerships.items():
        ordered = sorted(ownerships.values(), key=lambda ownership: ownership.first)
        for before, after in itertools.pairwise(ordered):
            if after.first < before.last:
                found.append(f"shard {shard_id}: {before} and {after} overlap for {before.last - after.first:.3f} s")
    return found


def lock_overlaps(logs: Logs, tolerated: float = 0.0) -> list[str]:
    """Return what was wrong with the lock: two holders at once for longer than `tolerated`, or falling tokens."""
    ordered = sorted(logs.holders.values(), key=lambda holder: holder.first)
    found = [f"{logs.same_tokens} moments at which two processes held the lock under one token"] * bool(
        logs.same_tokens
    )
    for before, after in itertools.pairwise(ordered):
        if before.last - after.first > tolerated:
            found.append(f"the lock: {before} and {after} overlap for {before.last - after.first:.3f} s")
        if after.token <= before.token:
            found.append(f"the lock: token {after.token} after {before.token}")
    return found


def unknown_ids(logs: Logs, known: set[str]) -> list[str]:
    """Return the events that a handler has ended, and whose ids the processes do not share."""
    return sorted(logs.ended.keys() - known)


def lost(gateway: Gateway, logs: Logs) -> list[str]:
    """G4: events that no handler ended, though a session had them that the platform did not give up."""
    return [event for event, sessions in gateway.events.items() if sessions and event not in logs.ended]


def crowded(gateway: Gateway, window: float) -> list[str]:
    """G5: windows with more sessions than the platform allows, by the earliest moment at which they may have come."""
    k = gateway.concurrency
    times = [at for at, _ in gateway.identifies]
    earliest = [at - lag for at, lag in zip(times, gateway.lags, strict=True)]
    return [
        f"{k + 1} identifies within {later - earlier:.3f} s"
        for earlier, later in zip(earliest, times[k:], strict=False)
        if later - earlier < window
    ]


def falling_tokens(logs: Logs) -> list[str]:
    """G8: tokens of a shard that are smaller than an earlier one."""
    found: list[str] = []
    for shard_id, ownerships in logs.ownerships.items():
        ordered = sorted(ownerships.values(), key=lambda ownership: ownership.first)
        found += [
            f"shard {shard_id}: {after.token} after {before.token}"
            for before, after in itertools.pairwise(ordered)
            if after.token <= before.token
        ]
    return found


def gaps(logs: Logs, since: float, until: float) -> dict[ShardId, float]:
    """The longest time without a dispatch for each shard, between two moments."""
    found: dict[ShardId, float] = {}
    for shard_id, times in logs.dispatches.items():
        inside = [since, *sorted(at for at in times if since < at < until), until]
        found[shard_id] = max(later - earlier for earlier, later in itertools.pairwise(inside))
    return found


def taken_over(logs: Logs, shard_ids: Iterable[ShardId], at: float) -> list[float]:
    """G2: for each of the shards the seconds from `at` until another owner handled an event of it."""
    found: list[float] = []
    for shard_id in shard_ids:
        later = [ownership.first for ownership in logs.ownerships[shard_id].values() if ownership.first > at]
        found.append(min(later, default=float("inf")) - at)
    return found


def replayed(logs: Logs) -> int:
    """Events that were begun more than once."""
    return sum(len(times) - 1 for times in logs.begun.values())


def identified(gateway: Gateway, since: float) -> list[Shard]:
    """The shards whose session was created after a moment."""
    return [shard for at, shard in gateway.identifies if at > since]
