"""Numbers for the replies to one message or event: `msg_seq` counts up from 1, and is never assigned twice.

Responsible for the numbers, and for counting which of them became answers: a typing notice uses a number without being
an answer, and so does a refused message. Pure and never suspended, so that concurrent replies get different numbers.
Source: server-inter/message/send-receive/send
"""

from collections import OrderedDict
from heapq import heappop, heappush
from typing import Protocol

import msgspec
from msgspec import Struct

CAPACITY = 10_000  # messages and events remembered
BLOCKS = 10_000  # tickets that are answered at a time


class _Owned(Protocol):
    """A lease; only its shard matters here."""

    @property
    def shard(self) -> object: ...


class _Count(Struct):
    last: int
    answers: set[int] = msgspec.field(default_factory=set[int])
    lease: _Owned | None = None  # under which its event is handled


def _same_shard(lease: _Owned | None, later: _Owned | None) -> bool:
    return lease is not None and later is not None and lease.shard == later.shard


class Sequences:
    """The last number assigned for each msg_id or event_id; the least recently used ones are forgotten.

    An id that is not remembered starts above every forgotten number, since it may have been forgotten itself; but at 1
    if `begin` was called for it.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._counts: OrderedDict[str, _Count] = OrderedDict()  # least recently used first
        self._floor = 0  # the highest forgotten number, which must not be assigned twice
        self._blocks: dict[str, int] = {}  # how many numbers of each ticket's block are used
        self._block_ends: list[tuple[float, str]] = []  # a heap, to forget the blocks whose tickets ended

    def begin(self, reference: str, lease: _Owned | None, *, again: bool) -> None:
        """Number the answers of handlers from 1, as another process does that gets the same event.

        An event that comes `again` under another lease gets the numbers of its earlier run, also if that was here: the
        platform knows by them what was sent. So does one that comes under a later lease of the same shard, whether or
        not its sender knows that it was begun. One that is run again under the same lease gets further numbers.
        """
        count = self._counts.get(reference)
        if count is None or (count.lease is not lease and (again or _same_shard(count.lease, lease))):
            self._counts.pop(reference, None)
            count = self._counts[reference] = _Count(0)
            if len(self._counts) > self._capacity:
                self._forget_oldest()
        count.lease = lease

    def next(self, reference: str) -> int:
        """Return a number that was not assigned for this msg_id or event_id before."""
        return self.reserve(reference, 1)

    def reserve(self, reference: str, size: int) -> int:
        """Return the first of `size` numbers that are assigned to no other caller."""
        count = self._count(reference)
        first = count.last + 1
        count.last += size
        return first

    def answered(self, reference: str, number: int) -> None:
        """Count the answer that was sent with `number`; the parts of one answer share a number."""
        self._count(reference).answers.add(number)

    def answers(self, reference: str) -> int:
        """Return how many answers to this msg_id or event_id were sent."""
        count = self._counts.get(reference)
        return len(count.answers) if count else 0

    def _count(self, reference: str) -> _Count:
        count = self._counts.setdefault(reference, _Count(self._floor))
        self._counts.move_to_end(reference)
        if len(self._counts) > self._capacity:
            self._forget_oldest()
        return count

    def _forget_oldest(self) -> None:
        _, forgotten = self._counts.popitem(last=False)
        self._floor = max(self._floor, forgotten.last)

    def next_of_block(self, reference: str, first: int, size: int, *, ends_at: float, now: float) -> int | None:
        """Return the next number of a block that `reserve` returned, here or in another process; None if used up.

        The block is remembered until `ends_at` (seconds, as `now`) and must not be used after that.
        """
        while self._block_ends and self._block_ends[0][0] <= now:
            del self._blocks[heappop(self._block_ends)[1]]
        block = f"{reference} from {first}"
        if block not in self._blocks:
            heappush(self._block_ends, (ends_at, block))
            if len(self._block_ends) > BLOCKS:  # the one that ends first: the platform refuses its numbers twice
                self._blocks.pop(heappop(self._block_ends)[1], None)
        used = self._blocks[block] = self._blocks.get(block, 0) + 1
        return first + used - 1 if used <= size else None
