"""`Watermark`: which events of one session are finished, as a low watermark and finished ranges above it.

Responsible for the arithmetic; pure. The gateway numbers the dispatches of a session in ascending order and repeats
some after a RESUME, so one comparison distinguishes a duplicate from a new event, and another one what an earlier
process may have begun. It knows no events, only numbers.
"""

import math
from collections.abc import Iterator, Sequence

MAX_RANGES = 4096


class Watermark:
    """The seqs of one session: accepted in ascending order, finished in any order."""

    __slots__ = ("_again_to", "_done", "_high", "_open", "_passed")

    def __init__(self, seq: int = 0, done: Sequence[tuple[int, int]] = (), *, taken_over: bool = False) -> None:
        """Start with everything up to `seq`, and the ranges `done` (first, last; ascending), finished.

        `taken_over`: from an earlier process, which may have begun what is repeated until `caught_up`.
        """
        self._again_to = math.inf if taken_over else -1
        self._high = seq  # the highest seq accepted; a seq that is not higher is a duplicate
        self._done = tuple(done)  # finished by an earlier owner; a RESUME repeats them
        self._passed = 0  # how many of `_done` lie below `_high`, so that they are not compared again
        self._open: dict[int, None] = {}  # unfinished seqs; insertion order is ascending, so the first is the lowest

    def accept(self, seq: int) -> bool:
        """Accept `seq`; return False if it was accepted before or is already finished."""
        if seq <= self._high:
            return False
        self._high = seq
        if self._done and self._finished_before(seq):
            return False
        self._open[seq] = None
        return True

    def finish(self, seq: int) -> None:
        """Mark `seq` as finished. Unknown seqs are ignored."""
        self._open.pop(seq, None)

    def caught_up(self, seq: int) -> None:
        """Mark everything up to `seq` as repeated; what follows is new."""
        self._again_to = min(self._again_to, seq)

    def is_again(self, seq: int) -> bool:
        """True if an earlier process may have begun this event."""
        return seq <= self._again_to

    @property
    def crowded(self) -> bool:
        """True if there are `MAX_RANGES` finished ranges or more; then no further seq should be accepted."""
        # Each range ends below an open seq, or came with the session. Only if that bound is reached are they counted:
        # thousands of events that wait in a row are one gap, and no range.
        if len(self._open) + len(self._done) - self._passed < MAX_RANGES:
            return False
        return sum(1 for _ in self._gaps()) + len(self._done) - self._passed >= MAX_RANGES

    @property
    def high(self) -> int:
        """The highest seq accepted."""
        return self._high

    @property
    def unfinished(self) -> int:
        """The number of accepted events that are not finished."""
        return len(self._open)

    @property
    def low(self) -> int:
        """The highest seq up to which everything is finished."""
        return next(iter(self._open), self._high + 1) - 1

    @property
    def done(self) -> tuple[tuple[int, int], ...]:
        """The finished ranges above `low`, ascending; first and last seq of each."""
        ranges = list(self._gaps())
        for first, last in self._done[self._passed :]:
            start = max(first, self._high + 1)  # it may be replayed in part
            if ranges and ranges[-1][1] == start - 1:
                start = ranges.pop()[0]
            ranges.append((start, last))
        return tuple(ranges)

    def _gaps(self) -> Iterator[tuple[int, int]]:
        previous: int | None = None
        for seq in (*self._open, self._high + 1):
            if previous is not None and seq - previous > 1:
                yield previous + 1, seq - 1
            previous = seq

    def _finished_before(self, seq: int) -> bool:
        ranges, place = self._done, self._passed
        while place < len(ranges) and ranges[place][1] < seq:
            place += 1
        finished = place < len(ranges) and ranges[place][0] <= seq
        if finished and ranges[place][1] == seq:
            place += 1
        self._passed = place
        if place == len(ranges):
            self._done, self._passed = (), 0
        return finished
