"""Which events of one session are finished: the low watermark and the finished ranges above it.

Owns the arithmetic; pure. The gateway numbers the dispatches of a session upwards and repeats some of them
after a RESUME, so one comparison tells a repeat from a new event.
"""

from collections.abc import Iterator, Sequence

MAX_RANGES = 4096


class Watermark:
    """The seqs of one session: accepted in rising order, finished in any order."""

    __slots__ = ("_done", "_high", "_open", "_passed")

    def __init__(self, seq: int = 0, done: Sequence[tuple[int, int]] = ()) -> None:
        """Start where everything up to `seq` and the ranges `done` (first, last; rising) are finished."""
        self._high = seq
        self._done = tuple(done)
        self._passed = 0  # how many of them lie below `_high`
        self._open: dict[int, None] = {}  # insertion order is rising order, so the first key is the lowest

    def accept(self, seq: int) -> bool:
        """Take `seq` in; False when it was taken in before or is finished already."""
        if seq <= self._high:
            return False
        self._high = seq
        if self._done and self._finished_before(seq):
            return False
        self._open[seq] = None
        return True

    def finish(self, seq: int) -> None:
        """Note that the event `seq` needs no more work. Unknown seqs are ignored."""
        self._open.pop(seq, None)

    @property
    def crowded(self) -> bool:
        """Whether there are `MAX_RANGES` finished ranges or more, so that no further seq should be taken in."""
        # Each range ends below an open seq, or came with the session. Only if that bound is reached are they counted:
        # thousands of events that wait in a row are one gap, and no range.
        if len(self._open) + len(self._done) - self._passed < MAX_RANGES:
            return False
        return sum(1 for _ in self._gaps()) + len(self._done) - self._passed >= MAX_RANGES

    @property
    def high(self) -> int:
        """The highest seq taken in."""
        return self._high

    @property
    def unfinished(self) -> int:
        """How many events were taken in and are not finished."""
        return len(self._open)

    @property
    def low(self) -> int:
        """The highest seq below which everything is finished."""
        return next(iter(self._open), self._high + 1) - 1

    @property
    def done(self) -> tuple[tuple[int, int], ...]:
        """The finished ranges above `low`, rising; first and last seq of each."""
        ranges = list(self._gaps())
        for first, last in self._done[self._passed :]:
            start = max(first, self._high + 1)  # replayed in part, perhaps
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
