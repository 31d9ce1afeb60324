"""`PaceObserver`: how long ago the IDENTIFYs of a cluster were permitted, by the clock of the observer alone.

Responsible for the pace of IDENTIFYs over a store without a clock; pure: `now` is seconds of a clock that only goes
forward. The store counts permits. A node takes one only if it has seen for `spacing` seconds that at most
`concurrency - 1` newer ones were counted, and if no other node counts one at the same time (the store compares).
What a node saw at a moment was counted before it, so a permit is never taken for older than it is. If the store lost
its count, a new line of it begins, and every permit that it may have forgotten counts as young when the line is first
seen. Collaborators: `etcd_store` reads the count; `failure_detector` judges nodes by the same principle.
"""

from collections import deque

from .timings import DRIFT, Timings


class PaceObserver:
    """What one node saw of the count, and when.

    Two permits that exclude each other are at least the window apart: a permit is used within `Timings.permit` of the
    moment at which it was asked for, and both clocks may drift.
    """

    def __init__(self, timings: Timings) -> None:
        self.spacing = (timings.window + timings.permit * (1 + DRIFT)) / (1 - DRIFT)
        self._line: str | None = None
        self._seen: deque[tuple[float, int]] = deque()  # moments at which the count was first seen to be so large

    def record(self, line: str, count: int, now: float) -> None:
        """Record the count as it was read; `now` is a moment after the answer came."""
        if line != self._line or count < self._seen[-1][1]:
            self._line = line
            self._seen.clear()
        if not self._seen or count > self._seen[-1][1]:
            self._seen.append((now, count))
        while len(self._seen) > 1 and now - self._seen[1][0] >= self.spacing:
            self._seen.popleft()

    def has_seen(self, line: str, count: int) -> bool:
        """True if the count was seen to be so large, or larger."""
        return line == self._line and count <= self._seen[-1][1]

    def wait(self, concurrency: int, now: float) -> float:
        """Return the seconds until one more permit may be counted; 0: now."""
        _, count = self._seen[-1]
        oldest = next(moment for moment, seen in self._seen if count - seen < concurrency)
        return max(oldest + self.spacing - now, 0.0)
