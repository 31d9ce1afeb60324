"""`Watchers`: the iterators over the events of a session manager.

Responsible for one queue for each iterator. Collaborators: the managers, which emit the events.
"""

import asyncio
from collections.abc import AsyncIterator
from weakref import WeakSet

from .base import ManagerEvent


class Watchers:
    """The iterators that are in use."""

    def __init__(self) -> None:
        # Weak, so that an iterator without a reference leaves no queue behind.
        self._queues: WeakSet[asyncio.Queue[ManagerEvent | None]] = WeakSet()

    def watch(self) -> AsyncIterator[ManagerEvent]:
        """Iterate over the events that are emitted from now on, until None is."""
        queue: asyncio.Queue[ManagerEvent | None] = asyncio.Queue()
        self._queues.add(queue)
        return _events(queue)

    def emit(self, event: ManagerEvent | None) -> None:
        """Put `event` into every queue; None ends the iterators."""
        for queue in self._queues:
            queue.put_nowait(event)


async def _events(queue: "asyncio.Queue[ManagerEvent | None]") -> AsyncIterator[ManagerEvent]:
    while (event := await queue.get()) is not None:
        yield event
