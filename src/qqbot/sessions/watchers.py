"""`Watchers`: who iterates over what happens to a session manager's shards.

Owns the queues; what happens is the managers' to tell.
"""

import asyncio
from collections.abc import AsyncIterator
from weakref import WeakSet

from .base import ManagerEvent


class Watchers:
    """The iterators that are under way."""

    def __init__(self) -> None:
        # Weak, so that an iterator that nobody holds any more leaves nothing behind.
        self._queues: WeakSet[asyncio.Queue[ManagerEvent | None]] = WeakSet()

    def watch(self) -> AsyncIterator[ManagerEvent]:
        """Iterate over what is told from now on, until None is."""
        queue: asyncio.Queue[ManagerEvent | None] = asyncio.Queue()
        self._queues.add(queue)
        return _events(queue)

    def tell(self, event: ManagerEvent | None) -> None:
        """Tell all of them; None ends them."""
        for queue in self._queues:
            queue.put_nowait(event)


async def _events(queue: "asyncio.Queue[ManagerEvent | None]") -> AsyncIterator[ManagerEvent]:
    while (event := await queue.get()) is not None:
        yield event
