"""`Ordering`: which conversations have a handler at work, and which events wait behind it.

Responsible for the order within an ordering key. Only handlers that suspend hold their key, so order costs nothing if
nothing waits: events run as they come, and when the next worker looks and finds that the handler that was called last
has not returned, that one holds its key from then on. A key whose events take more than its share of the room is named
in a warning. Collaborators: `backlog`, to which a key's next event goes back.
"""

import logging
from collections import deque
from collections.abc import Iterator

from .backlog import Backlog
from .delivery import Delivery, Handler, Resumption
from .shares import place_of, share_of

log = logging.getLogger(__name__)


class Line(deque[Delivery | Resumption]):
    """What waits behind the holder of one key."""

    __slots__ = ("bytes", "reported")

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0  # of the raw frames
        self.reported = False  # that it takes more than its share, since something waits


class Ordering:
    """The ordering keys that are held; '' is no key: such events wait for no other one."""

    __slots__ = ("_backlog", "_share", "_share_bytes", "handler", "held", "holders", "running")

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        capacity = backlog.capacity
        self._share, self._share_bytes = share_of(capacity.limit), share_of(capacity.max_bytes)
        self.running: Delivery | None = None  # its handler was called last, and may not have suspended at all
        self.handler: Handler | None = None  # of `running`: the one that was called last
        self.held: dict[str, Line] = {}  # by key, with what waits behind
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
                self.held[delivery.ordering_key] = Line()

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
        if isinstance(entry, Delivery):
            behind.bytes += len(entry.raw)
        if (len(behind) > self._share or behind.bytes > self._share_bytes) and not behind.reported:
            self._report(behind, key)
        return True

    def _report(self, line: Line, key: str) -> None:
        """Warn once, until nothing of this key waits any more."""
        line.reported = True
        holder = next((each for each in self.holders if each.ordering_key == key), None)
        handler = holder.handler if isinstance(holder, Delivery) else None
        capacity = self._backlog.capacity
        log.warning(
            "%d events (%d bytes) of %s wait behind its handler %s: more than a conversation's share of the room for "
            "%d events (%d bytes). If the room is full, nothing is read for any conversation: let the handler end "
            "sooner, or give Bot(handler_timeout=...). 单个会话积压过多事件，处理函数过慢",
            len(line),
            line.bytes,
            key,
            "" if handler is None else handler.name,
            capacity.limit,
            capacity.max_bytes,
        )

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
            if isinstance(following, Delivery):
                behind.bytes -= len(following.raw)
            if not behind:
                behind.reported = False
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
        line = self.held[key]
        line.appendleft(taken)
        line.bytes += len(taken.raw)
        return True

    def waiting(self, place: str = "") -> Iterator[Delivery | Resumption]:
        """Iterate over what waits behind the keys of one conversation, or of all, in its order."""
        for key, behind in self.held.items():
            if not place or place_of(key) == place:
                yield from behind

    def oldest(self) -> Delivery | None:
        """Return the event whose handler has been suspended longest."""
        return next((each for each in self.holders if isinstance(each, Delivery) and each.handler is not None), None)

    def empty(self) -> list[Delivery | Resumption]:
        """Let nothing wait any more; return what did."""
        waiting = list(self.waiting())
        for behind in self.held.values():
            behind.clear()
            behind.bytes = 0
        return waiting
