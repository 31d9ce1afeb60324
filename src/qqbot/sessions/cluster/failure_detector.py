"""`FailureDetector`: which nodes have given no sign of life for how long, by the clock of the observer alone.

Responsible for the comparison; pure: `now` is seconds of a clock that only goes forward. No clock of another machine is
ever read: what counts is when this process last saw a beat change. It evicts no node, see `reconcile`.
"""

from collections.abc import Mapping


class FailureDetector:
    """Judges the nodes of a cluster by their beats.

    `patience`: seconds without a change after which a node is taken for dead. The count starts again with each
    incarnation of the store: what was written before may be lost, and the owners need time to report it.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._incarnation: int | None = None  # of the store, as it was read last
        self._since = 0.0  # when this incarnation was seen first
        self._looked = 0.0  # when the beats were read last: a long gap proves nothing about the others
        self._seen: dict[str, tuple[str, float]] = {}  # each node's beat, and when it was seen to change

    def record(self, incarnation: int, beats: Mapping[str, str], now: float) -> None:
        """Record the beats of all nodes as they were read; `now` is a moment after the answer came."""
        if incarnation != self._incarnation:
            self._incarnation, self._since = incarnation, now
            self._seen = {}
        if now - self._looked >= self._patience / 2:
            self._seen = {}  # we could not read for so long, and perhaps no node could write
        self._looked = now
        self._seen = {
            node: seen if (seen := self._seen.get(node)) is not None and seen[0] == beat else (beat, now)
            for node, beat in beats.items()
        }

    def settled(self, now: float) -> bool:
        """True if this incarnation has been known for long enough to claim and to evict."""
        return self.age(now) >= self._patience

    def age(self, now: float) -> float:
        """Return for how many seconds this incarnation has been known."""
        return 0.0 if self._incarnation is None else now - self._since

    def silent(self, now: float) -> dict[str, str]:
        """Return the nodes that are taken for dead, each with its last beat; none before this has settled."""
        if not self.settled(now):
            return {}
        return {node: beat for node, (beat, since) in self._seen.items() if now - since >= self._patience}

    def next_at(self) -> float:
        """Return the next moment, in seconds of the observer's clock, at which an answer may change by itself."""
        moments = [since for _, since in self._seen.values()]
        if self._incarnation is not None and not self.settled(self._looked):
            moments.append(self._since)
        return min(moments, default=float("inf")) + self._patience
