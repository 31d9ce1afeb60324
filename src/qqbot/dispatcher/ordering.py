"""`Ordering`: which conversations have a handler at work, and which events wait behind it.

Responsible for the order within an ordering key. Only handlers that suspend hold their key, so order costs nothing if
nothing waits: events run as they come, and when the next worker looks and finds that the handler that was called last
has not returned, that one holds its key from then on. Collaborators: `backlog`, to which a key's next event goes back.
"""

from collections import deque
from collections.abc import Iterator

from .backlog import Backlog
from .delivery import Delivery, Handler, Resumption


class Ordering:
    """The ordering keys that are held; '' is no key: such events wait for no other one."""

    __slots__ = ("_backlog", "handler", "held", "holders", "running")

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self.running: Delivery | None = None  # its handler was called last, and may not have suspended at all
        self.handler: Handler | None = None  # of `running`: the one that was called last
        self.held: dict[str, deque[Delivery | Resumption]] = {}  # by key, with what waits behind
        self.holders: dict[Delivery | Resumption, None] = {}  # suspended, but not in `wait_for`; the oldest first

    @property
    def inflight(self) -> int:
        """How many handlers run and are not suspended in `wait_for`."""
        return len(self.holders) + (self.running is not None)

    def mark_suspended(self) -> None:
        """Let the handler that was called last hold its key: it has not returned."""
        delivery, self.running = self.running, None
        if delivery is not None:
            delivery.handler = self.handler
            self.hold(delivery)

    def hold(self, delivery: Delivery) -> None:
        """Let the event hold its key, which is free, or was passed on to it."""
        self.holders[delivery] = None
        if delivery.ordering_key is None:
            delivery.ordering_key = delivery.event.ordering_key
            if delivery.ordering_key:
                self.held[delivery.ordering_key] = deque()

    def hold_if_free(self, delivery: Delivery) -> None:
        """Let the event hold its key, or none if another one has it."""
        if delivery.event.ordering_key in self.held:
            delivery.ordering_key = ""
        self.hold(delivery)

    def hold_through(self, resume: Resumption, delivery: Delivery) -> None:
        """Let the event hold the key of its handler's `resume`."""
        if resume.ordering_key is not None:
            delivery.ordering_key, resume.ordering_key = resume.ordering_key, None
        self.hold(delivery)

    def wait(self, entry: Delivery | Resumption, key: str) -> bool:
        """Queue the entry if another one holds its key; return False if it may go on."""
        behind = self.held.get(key)
        if behind is None:
            return False
        behind.append(entry)
        return True

    def leave(self, entry: Delivery | Resumption) -> None:
        """Let the entry hold its key no longer; the next one of that key has its turn."""
        running = self.running
        if running is not None and running is entry:
            running.handler, self.running = self.handler, None
        self.holders.pop(entry, None)
        key, entry.ordering_key = entry.ordering_key, None
        if not key:
            return
        behind = self.held[key]
        if behind:
            following = behind.popleft()
            following.ordering_key = key
            self._backlog.put_first(following)
        else:
            del self.held[key]

    def give_back(self, taken: Delivery, holder: Delivery) -> bool:
        """Let `holder` hold the key in place of `taken`, which waits as the first; False if their keys differ."""
        key = taken.ordering_key
        self.holders.pop(taken, None)
        if not key or key != holder.event.ordering_key:
            return False
        taken.ordering_key, holder.ordering_key = None, key
        self.hold(holder)
        self.held[key].appendleft(taken)
        return True

    def waiting(self) -> Iterator[tuple[str, Delivery | Resumption]]:
        """Iterate over what waits behind any key, in its order."""
        for key, behind in self.held.items():
            for entry in behind:
                yield key, entry

    def oldest(self) -> Delivery | None:
        """Return the event whose handler has been suspended longest."""
        return next((each for each in self.holders if isinstance(each, Delivery) and each.handler is not None), None)

    def empty(self) -> list[Delivery | Resumption]:
        """Let nothing wait any more; return what did."""
        waiting = [entry for _, entry in self.waiting()]
        for behind in self.held.values():
            behind.clear()
        return waiting
