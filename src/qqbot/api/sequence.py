"""Numbers for the replies to one message or event: `msg_seq` counts up from 1, and is never given twice.

Pure and never suspended, so that concurrent replies get different numbers. Owns as well which of the numbers became
answers: a notice takes a number but is none, and what was refused is none either.
Source: server-inter/message/send-receive/send
"""

from collections import OrderedDict
from heapq import heappop, heappush

import msgspec
from msgspec import Struct

CAPACITY = 10_000  # messages and events remembered


class _Count(Struct):
    last: int
    answers: set[int] = msgspec.field(default_factory=set[int])


class Sequences:
    """The last number given for each msg_id or event_id; the longest unused are forgotten.

    What is not remembered starts above every number that was forgotten, since it may be one of them.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._floor = 0
        self._blocks: dict[str, int] = {}
        self._block_ends: list[tuple[float, str]] = []

    def next(self, reference: str) -> int:
        """Return a number that was not given for this msg_id or event_id before."""
        return self.reserve(reference, 1)

    def reserve(self, reference: str, size: int) -> int:
        """Return the first of `size` numbers that are given to nobody else."""
        count = self._count(reference)
        first = count.last + 1
        count.last += size
        return first

    def answered(self, reference: str, number: int) -> None:
        """Note that an answer went out under `number`; several parts of one answer share theirs."""
        self._count(reference).answers.add(number)

    def answers(self, reference: str) -> int:
        """Return how many answers to this msg_id or event_id went out."""
        count = self._counts.get(reference)
        return len(count.answers) if count else 0

    def _count(self, reference: str) -> _Count:
        count = self._counts.setdefault(reference, _Count(self._floor))
        self._counts.move_to_end(reference)
        if len(self._counts) > self._capacity:
            _, forgotten = self._counts.popitem(last=False)
            self._floor = max(self._floor, forgotten.last)
        return count

    def next_of_block(self, reference: str, first: int, size: int, *, ends_at: float, now: float) -> int | None:
        """Return the next number of a block that `reserve` returned, here or elsewhere; None when it is used up.

        The block is remembered until `ends_at` (seconds, as `now`): it must not be used after that.
        """
        while self._block_ends and self._block_ends[0][0] <= now:
            del self._blocks[heappop(self._block_ends)[1]]
        block = f"{reference} from {first}"
        if block not in self._blocks:
            heappush(self._block_ends, (ends_at, block))
        used = self._blocks[block] = self._blocks.get(block, 0) + 1
        return first + used - 1 if used <= size else None
