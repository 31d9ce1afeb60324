"""`Ordering`: which conversations have a handler at work, and which events wait behind it.

Owns the order within a lane. Only handlers that suspend hold a lane, so a lane costs nothing where nothing waits.
"""

from collections import deque
from collections.abc import Iterator

from .delivery import Delivery


class Ordering:
    """The lanes that are held, by name; '' is no lane: such events wait for nobody."""

    def __init__(self) -> None:
        self.held: dict[str, deque[Delivery]] = {}  # with what waits behind
        self._holders: dict[Delivery, None] = {}  # oldest first

    def hold(self, delivery: Delivery) -> None:
        """Let the event hold its lane, which nobody holds, or which was passed on to it."""
        self._holders[delivery] = None
        if delivery.ordering_key is None:
            delivery.ordering_key = delivery.event.ordering_key
            if delivery.ordering_key:
                self.held[delivery.ordering_key] = deque()

    def hold_if_free(self, delivery: Delivery) -> None:
        """Let the event hold its lane, or none where another one has it."""
        if delivery.event.ordering_key in self.held:
            delivery.ordering_key = ""
        self.hold(delivery)

    def wait(self, delivery: Delivery) -> bool:
        """Queue the event where another one holds its lane; False where it may go on."""
        behind = self.held.get(delivery.event.ordering_key)
        if behind is None:
            return False
        behind.append(delivery)
        return True

    def leave(self, delivery: Delivery) -> Delivery | None:
        """Let the event hold its lane no longer; return the one to which it was passed on."""
        self._holders.pop(delivery, None)
        ordering_key, delivery.ordering_key = delivery.ordering_key, None
        if not ordering_key:
            return None
        behind = self.held[ordering_key]
        if not behind:
            del self.held[ordering_key]
            return None
        following = behind.popleft()
        following.ordering_key = ordering_key
        return following

    def give_back(self, taken: Delivery, holder: Delivery) -> bool:
        """Let `holder` hold the lane in place of `taken`, which waits as the first; False where their lanes differ."""
        ordering_key = taken.ordering_key
        if not ordering_key or ordering_key != holder.event.ordering_key:
            return False
        del self._holders[taken]
        taken.ordering_key, holder.ordering_key = None, ordering_key
        self.hold(holder)
        self.held[ordering_key].appendleft(taken)
        return True

    def waiting(self) -> Iterator[Delivery]:
        """Iterate over what waits in any lane, in its order."""
        for behind in self.held.values():
            yield from behind

    def oldest(self) -> Delivery | None:
        """Return the event whose handler has been suspended longest."""
        return next((holder for holder in self._holders if holder.handler is not None), None)

    def empty(self) -> list[Delivery]:
        """Let nothing wait any more; return what did."""
        waiting = list(self.waiting())
        for behind in self.held.values():
            behind.clear()
        return waiting
