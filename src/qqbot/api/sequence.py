"""Numbers for the replies to one message or event: `msg_seq` counts up from 1.

Pure and never suspended, so that concurrent replies get different numbers.
Source: server-inter/message/send-receive/send
"""

from collections import OrderedDict
from dataclasses import dataclass

CAPACITY = 10_000  # messages remembered; their windows (an hour at most) close long before


@dataclass(slots=True)
class _Count:
    last: int = 0
    given: int = 0


class Sequences:
    """The last number given for each msg_id or event_id; the longest unused are forgotten."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def next(self, reference: str) -> int:
        """Return a number that was not given for this msg_id or event_id before."""
        count = self._count(reference)
        count.last += 1
        count.given += 1
        return count.last

    def reserve(self, reference: str, size: int) -> int:
        """Return the first of `size` numbers that `next` will never give."""
        count = self._count(reference)
        first = count.last + 1
        count.last += size
        return first

    def given(self, reference: str) -> int:
        """Return how many numbers `next` gave for this msg_id or event_id."""
        count = self._counts.get(reference)
        return count.given if count else 0

    def _count(self, reference: str) -> _Count:
        count = self._counts.pop(reference, None) or _Count()
        self._counts[reference] = count
        if len(self._counts) > self._capacity:
            self._counts.popitem(last=False)
        return count

    def next_of_block(self, reference: str, first: int, size: int) -> int | None:
        """Return the next number of a block that `reserve` returned, here or elsewhere; None when it is used up."""
        number = self.next(f"{reference} from {first}")
        return first + number - 1 if number <= size else None
