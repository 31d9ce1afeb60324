"""`Backlog`: what is accepted and has not begun, in the order of its turns.

Responsible for that order, for the room that waiting events take (`capacity`), and for waking one worker when there
is something to do. Collaborators: `workers` (the tasks), `ordering` (what waits behind its own conversation). It does
not look at events.
"""

from collections import deque
from collections.abc import Callable, Iterator

from ..aio.capacity import Capacity
from ..aio.clock import Clock
from .delivery import Delivery, DeliverySource, Resumption, Unseen

BURST = 64


class Backlog:
    """The events that wait for a worker.

    `resumes` have their turn first: they are few, and a handler that waited must not wait for a free place. Then
    `admitted`: events that were looked at, such as those to which an ordering key was passed on. Then the `batch`, the
    inbox of one source at a time: a worker that changed the source with each event would find none of it in the cache.
    """

    __slots__ = (
        "_clock",
        "_wake_worker",
        "admitted",
        "batch",
        "capacity",
        "enough",
        "received",
        "resumes",
        "sources",
        "turns",
        "waking",
    )

    def __init__(self, capacity: Capacity, clock: Clock, wake_worker: Callable[[], None]) -> None:
        self.capacity = capacity
        self.enough = 0  # with so many in the room a burst ends: its events are to be handled while in the cache
        self.turns = Capacity(1)  # of the readers: taken at the end of a burst, free again when a worker looks
        self._clock = clock
        self._wake_worker = wake_worker
        self.resumes: deque[Resumption] = deque()
        self.admitted: deque[Delivery] = deque()
        self.batch: deque[Unseen] = deque()
        self.sources: deque[DeliverySource] = deque()  # those with something in their inbox
        self.waking = True  # a worker will look: it need not be woken again. Also while the dispatcher is closed
        self.received = 0.0  # the moment of this burst: one clock read for all that comes until a worker looks

    def look(self) -> None:
        """A worker looks now: what comes from here on is another burst."""
        self.waking = False
        if self.turns.count:
            self.turns.remove(count=self.turns.count)

    def stop_reading(self) -> None:
        """End a burst: readers wait for their turn until a worker has looked, or there is room."""
        if self.capacity.full:
            self.capacity.mark_full()
        else:
            self.turns.add()

    def put(self, entry: Unseen) -> None:
        """Queue an event in its source's inbox."""
        source = entry[2]
        if not source.inbox:
            self.sources.append(source)
        source.inbox.append(entry)
        self.capacity.add(len(entry[1]))

    def arrival(self) -> float:
        """Return the moment at which the events of this burst were received; see that a worker looks at them."""
        if not self.waking:
            self.wake()
        return self.received

    def put_first(self, entry: Delivery | Resumption) -> None:
        """Let an entry that was looked at have the next turn."""
        if isinstance(entry, Resumption):
            self.resumes.appendleft(entry)
        else:
            self.admitted.appendleft(entry)
        if not self.waking:
            self.wake()

    def resume(self, entry: Resumption) -> None:
        """Let a handler go on without an event, after those that do so already."""
        self.resumes.append(entry)
        if not self.waking:
            self.wake()

    def wake(self) -> None:
        """Let one more worker look: what comes until then is one burst."""
        self.waking = True
        self.received = self._clock()
        self.enough = min(self.capacity.count + BURST, self.capacity.limit)
        self._wake_worker()

    def wake_if_any(self) -> None:
        """Let one more worker look if there is something to do."""
        if not self.waking and (self.resumes or self.admitted or self.batch or self.sources):
            self.wake()

    def next_batch(self) -> deque[Unseen]:
        """Make the inbox of the next source the batch and return it; it is empty if there is none."""
        if self.sources:
            source = self.sources.popleft()
            self.batch, source.inbox = source.inbox, self.batch
        return self.batch

    def take_unseen(self) -> Iterator[Unseen]:
        """Remove and yield what was not looked at, in its order."""
        while batch := self.batch or self.next_batch():
            yield batch.popleft()

    def empty(self) -> list[Delivery | Resumption]:
        """Let nothing wait any more; return what did."""
        waiting: list[Delivery | Resumption] = [*self.resumes, *self.admitted]
        waiting += (Delivery(*entry) for entry in self.take_unseen())
        self.resumes.clear()
        self.admitted.clear()
        return waiting

    def count_on(self, delivery: Delivery) -> None:
        """Count an event as waiting again."""
        self.capacity.add(len(delivery.raw))

    def count_off(self, delivery: Delivery) -> None:
        """Count an event as waiting no longer."""
        self.capacity.remove(len(delivery.raw))
