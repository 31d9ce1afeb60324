"""`Ordering`: which conversations have a handler at work, and which events wait behind it.

Responsible for the order within an ordering key: that of a conversation, of one user in it, or '' for no order. What is
ordered by conversation waits for the users there, and the other way round. Only handlers that suspend hold their key,
so order costs nothing if nothing waits: events run as they come, and when the next worker looks and finds that the
handler that was called last has not returned, that one holds its key from then on. A key whose events take more than
its share of the room is named in a warning. Collaborators: `backlog`, to which a key's next event goes back.
"""

import logging
from collections import deque
from collections.abc import Iterator

from .backlog import Backlog
from .delivery import Delivery, Handler, Resumption
from .shares import BETWEEN, place_of, share_of

log = logging.getLogger(__name__)


class Line(deque[Delivery | Resumption]):
    """What waits behind the holder of one key."""

    __slots__ = ("bytes", "reported")

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0  # of the raw frames
        self.reported = False  # that it takes more than its share, since something waits


def _key_of(entry: Delivery | Resumption) -> str:
    return entry.key if isinstance(entry, Delivery) else entry.wait.waiter.key


class Ordering:
    """The ordering keys that are held; '' is no key: such events wait for no other one."""

    __slots__ = ("_backlog", "_share", "_share_bytes", "_users", "handler", "held", "holders", "running")

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        capacity = backlog.capacity
        self._share, self._share_bytes = share_of(capacity.limit), share_of(capacity.max_bytes)
        self.running: Delivery | None = None  # its handler was called last, and may not have suspended at all
        self.handler: Handler | None = None  # of `running`: the one that was called last
        self.held: dict[str, Line] = {}  # by key, with what waits behind
        self._users: dict[str, int] = {}  # by conversation, how many users there hold a key of their own
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
            delivery.ordering_key = delivery.key
            if delivery.ordering_key:
                self._open(delivery.ordering_key)

    def _open(self, key: str) -> None:
        """Mark a key as held."""
        self.held[key] = Line()
        place, of_user, _ = key.partition(BETWEEN)
        if of_user:
            self._users[place] = self._users.get(place, 0) + 1

    def hold_if_free(self, delivery: Delivery) -> None:
        """Let the event hold its key, or none if another one has it."""
        if self._line_for(delivery.key) is not None:
            delivery.ordering_key = ""
        self.hold(delivery)

    def hold_through(self, resume: Resumption, delivery: Delivery) -> None:
        """Let the event hold the key of its handler's `resume`."""
        if resume.ordering_key is not None:
            delivery.ordering_key, resume.ordering_key = resume.ordering_key, None
        self.hold(delivery)

    def wait(self, entry: Delivery | Resumption, key: str) -> bool:
        """Queue the entry if another one holds its key; return False if it may go on."""
        behind = self._line_for(key)
        if behind is None:
            return False
        self._append(behind, entry, key)
        return True

    def _line_for(self, key: str) -> Line | None:
        """Return the line that an event of this key waits in; None if it may go on.

        An event that is ordered by conversation waits for all users there, and those that come later wait behind it.
        """
        place, of_user, _ = key.partition(BETWEEN)
        line = self.held.get(place)
        if line is not None:
            return line
        if of_user:
            return self.held.get(key)
        if place in self._users:
            line = self.held[place] = Line()
        return line

    def _append(self, line: Line, entry: Delivery | Resumption, key: str) -> None:
        line.append(entry)
        if isinstance(entry, Delivery):
            line.bytes += len(entry.raw)
        if (len(line) > self._share or line.bytes > self._share_bytes) and not line.reported:
            self._report(line, key)

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
        line = self.held[key]
        place, of_user, _ = key.partition(BETWEEN)
        if not of_user:
            self._pass_on(place, line)
        elif line:
            self._next_of(line, key)
        else:
            del self.held[key]
            self._users[place] -= 1
            if not self._users[place]:
                del self._users[place]
                if (waiting := self.held.get(place)) is not None:  # for the last user of the conversation
                    self._pass_on(place, waiting)

    def _pass_on(self, place: str, line: Line) -> None:
        """Give the turn to what waits first in a conversation that no event of it holds: one, or several users."""
        while line:
            key = _key_of(line[0])
            if BETWEEN not in key:
                if place not in self._users:
                    self._next_of(line, place)
                return  # it waits for the users that have their turn now
            entry = line.popleft()
            if isinstance(entry, Delivery):
                line.bytes -= len(entry.raw)
            if (behind := self.held.get(key)) is not None:
                self._append(behind, entry, key)
            else:
                self._open(key)
                entry.ordering_key = key
                self._backlog.put_first(entry)
        del self.held[place]

    def _next_of(self, line: Line, key: str) -> None:
        """Let what waits first in a line hold its key."""
        following = line.popleft()
        if isinstance(following, Delivery):
            line.bytes -= len(following.raw)
        if not line:
            line.reported = False
        following.ordering_key = key
        self._backlog.put_first(following)

    def remove(self, delivery: Delivery) -> bool:
        """Take an event out of the line that it waits in; return whether it was in one."""
        for line in self.held.values():
            if delivery in line:
                line.remove(delivery)
                line.bytes -= len(delivery.raw)
                return True
        return False

    def give_back(self, taken: Delivery, holder: Delivery) -> bool:
        """Let `holder` hold the key in place of `taken`, which waits as the first; False if their keys differ."""
        key = taken.ordering_key
        self.holders.pop(taken, None)
        if not key or key != holder.key:
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
