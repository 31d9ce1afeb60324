"""`Lanes`: which conversations have a handler at work, and which events wait behind it.

Owns the order within a lane. Only handlers that suspend hold a lane, so a lane costs nothing where nothing waits.
"""

from collections import deque
from collections.abc import Iterator

from .delivery import Delivery


class Lanes:
    """The lanes that are held, by name; '' is no lane: such events wait for nobody."""

    def __init__(self) -> None:
        self.held: dict[str, deque[Delivery]] = {}  # with what waits behind
        self._holders: dict[Delivery, None] = {}  # oldest first

    def hold(self, delivery: Delivery) -> None:
        """Let the event hold its lane, which nobody holds, or which was passed on to it."""
        self._holders[delivery] = None
        if delivery.lane is None:
            delivery.lane = delivery.event.lane
            if delivery.lane:
                self.held[delivery.lane] = deque()

    def hold_if_free(self, delivery: Delivery) -> None:
        """Let the event hold its lane, or none where another one has it."""
        if delivery.event.lane in self.held:
            delivery.lane = ""
        self.hold(delivery)

    def wait(self, delivery: Delivery) -> bool:
        """Queue the event where another one holds its lane; False where it may go on."""
        behind = self.held.get(delivery.event.lane)
        if behind is None:
            return False
        behind.append(delivery)
        return True

    def leave(self, delivery: Delivery) -> Delivery | None:
        """Let the event hold its lane no longer; return the one to which it was passed on."""
        self._holders.pop(delivery, None)
        lane, delivery.lane = delivery.lane, None
        if not lane:
            return None
        behind = self.held[lane]
        if not behind:
            del self.held[lane]
            return None
        following = behind.popleft()
        following.lane = lane
        return following

    def give_back(self, taken: Delivery, holder: Delivery) -> bool:
        """Let `holder` hold the lane in place of `taken`, which waits as the first; False where their lanes differ."""
        lane = taken.lane
        if not lane or lane != holder.event.lane:
            return False
        del self._holders[taken]
        taken.lane, holder.lane = None, lane
        self.hold(holder)
        self.held[lane].appendleft(taken)
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
