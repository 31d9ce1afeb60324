"""`Capacity`: bounded room that many tasks wait for, one after another.

Responsible for counting what is in the room, for the queue of those who wait, and for promising room to one of them
at a time: if all were woken for one free place, the cost of a place would grow with their number. It stores nothing
itself. What is added without asking is counted all the same, so the room may be overfull for a while.
"""

import asyncio
import math
import time
from collections import deque


class Capacity:
    """Room for `limit` entries, of `max_bytes` bytes together."""

    __slots__ = ("_promised", "_waiters", "bytes", "count", "full_since", "limit", "max_bytes")

    def __init__(self, limit: int, max_bytes: float = math.inf) -> None:
        self.limit = limit
        self.max_bytes = max_bytes
        self.count = 0
        self.bytes = 0
        self.full_since: float | None = None  # when the last place was taken; None while there is room
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._promised = False  # until the waiter that was woken has had its turn: a second one must not be woken

    @property
    def full(self) -> bool:
        """True if there is no room."""
        return self.count >= self.limit or self.bytes >= self.max_bytes

    @property
    def full_for(self) -> float:
        """For how many seconds there has been no room."""
        return 0.0 if self.full_since is None else time.monotonic() - self.full_since

    @property
    def busy(self) -> bool:
        """True if a caller that wants room has to wait for it: there is none, or others were first."""
        return self.count >= self.limit or self.bytes >= self.max_bytes or self._promised or bool(self._waiters)

    def add(self, size: int = 0) -> bool:
        """Count one entry more, of `size` bytes; return whether there is room for another one."""
        self.count += 1
        self.bytes += size
        if self.count < self.limit and self.bytes < self.max_bytes:
            return True
        self.mark_full()
        return False

    def mark_full(self) -> None:
        """Remember since when there is no room."""
        if self.full_since is None:
            self.full_since = time.monotonic()

    def remove(self, size: int = 0, count: int = 1) -> None:
        """Count `count` entries fewer, of `size` bytes together."""
        self.count -= count
        self.bytes -= size
        if self.full_since is not None:
            self.mark_freed()

    def mark_freed(self) -> None:
        """Promise room to the first that waits, if there is some again."""
        if not self.full:
            self.full_since = None
            self._promise()

    async def room(self) -> None:
        """Return when there is room, in the order of the calls; what is added must be added before the next `await`."""
        if not self.busy:
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        while True:
            try:
                await waiter
            except asyncio.CancelledError:
                if not waiter.cancelled():
                    self._pass_on()
                elif waiter in self._waiters:
                    self._waiters.remove(waiter)
                raise
            if not self.full:
                break
            # Another caller that did not queue has taken the place: keep the first turn.
            waiter = loop.create_future()
            self._waiters.appendleft(waiter)
            self._promised = False
        loop.call_soon(self._pass_on)

    def _promise(self) -> None:
        """Wake the first waiter, if there is room for it and no other one is on its way."""
        if self._promised or self.full:
            return
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():  # else it was cancelled, and its task has not run yet
                waiter.set_result(None)
                self._promised = True
                return

    def _pass_on(self) -> None:
        """Promise what room is left: the waiter before has taken what it wanted, perhaps nothing."""
        self._promised = False
        self._promise()
