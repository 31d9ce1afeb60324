"""Numbers for the replies to one message or event: `msg_seq` counts up from 1.

Pure and never suspended, so that concurrent replies get different numbers.
Source: server-inter/message/send-receive/send
"""

from collections import OrderedDict

CAPACITY = 10_000  # messages remembered; their windows (an hour at most) close long before


class Sequences:
    """The last number given for each msg_id or event_id; the longest unused are forgotten."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._last: OrderedDict[str, int] = OrderedDict()

    def next(self, reference: str) -> int:
        """Return a number that was not given for this msg_id or event_id before."""
        number = self._last.pop(reference, 0) + 1
        self._last[reference] = number
        if len(self._last) > self._capacity:
            self._last.popitem(last=False)
        return number
