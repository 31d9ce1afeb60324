"""`Dispatcher`: drops repeats and what nobody wants, and runs the handlers of the rest.

Owns order, bounds and workers: events of one lane (a conversation) run one after another, lanes run side by
side, at most `max_inflight` events are accepted and unfinished. Workers are started on demand, reused, and
ended when idle; an event whose handlers do not suspend costs no task. What a handler is, is the router's; what it
means that one waits for further events is `dialogs`'; what other processes learn of an event is `claims`'.

Order costs nothing where nothing waits: events are taken as they came, and only when a handler suspends does the
next worker note which lane that one holds. From then on events of that lane queue behind it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from typing import Any, Protocol, Self

from msgspec import Raw, Struct

from ..aio.clock import Clock
from ..lease import Lease, current_lease
from ..models.events import Event, MessageEvent, UnknownEvent, decode_odd
from ..models.frames import Frame
from ..models.outcome import Outcome
from ..models.watermark import Watermark
from .claims import Claims, SeenIds
from .dedupe import Events, Messages
from .delivery import Delivery, DeliverySource, Handler, Settled
from .dialogs import Dialogs
from .log_once import OnceLogger
from .ordering import Ordering
from .workers import WorkerPool


class HandlerMatch(Struct, frozen=True, eq=False):
    """What is done with events of one wire name: how they are decoded, and by whom they are handled.

    `decode` returns an `Event`, and a `MessageEvent` where `is_message`.
    """

    decode: Callable[[Raw], Any]
    handlers: tuple[Handler, ...]
    is_message: bool


class HandlerRun(Struct, frozen=True):
    """One run of a handler, for metrics: `event` by its wire name, `seconds` that it took, what it raised."""

    event: str
    handler: str
    seconds: float
    error: Exception | None = None


HandlerListener = Callable[[HandlerRun], None]


class Handlers(Protocol):
    """What the dispatcher asks of the router."""

    @property
    def matches(self) -> Mapping[str, HandlerMatch]:
        """The plans that were asked for, by wire name; emptied when handlers come or go."""
        ...

    def match_for(self, name: str) -> HandlerMatch:
        """Return what is done with events of this wire name."""
        ...

    def expected(self, name: str) -> bool:
        """Whether handlers may wait for an event of this wire name, so that it is no surprise."""
        ...

    def match(self, event: Event) -> Sequence[Handler]:
        """Return the handlers for events of this kind, in order of registration."""
        ...

    @property
    def context(self) -> Callable[[Delivery], object]:
        """Makes what the handlers are called with."""
        ...

    async def report(self, context: object, error: Exception, handler: str) -> None:
        """Tell the user that a handler failed. Must not raise."""
        ...


log = logging.getLogger(__name__)

ENOUGH_ARRIVALS = 64  # with more waiting, handlers run before another one is read: their memory is still at hand
_NOTHING = Event()

KnownEvents = Events[Outcome]
"""How events ended, by their ids."""


class Dispatcher:
    """Runs handlers for the events that its inlets take in, inside `within`.

    `handler_timeout`: seconds for each handler, None for no limit; time in `wait_for` does not count.
    `listeners` hear of each handler that ran. `seen`: the ids that all processes of the bot have finished. To its
    `dialogs` it is a `Host`.
    """

    # Slots: with more than 30 attributes in a dict, CPython gives up its fast look-up.
    __slots__ = (
        "_arrivals",
        "_cancelling",
        "_claims",
        "_clock",
        "_closing",
        "_context_of",
        "_done",
        "_events",
        "_fast_path",
        "_full_since",
        "_handler_timeout",
        "_handlers",
        "_inflight",
        "_listeners",
        "_loop",
        "_matches",
        "_messages",
        "_once_logger",
        "_ordering",
        "_owner",
        "_received",
        "_roomy",
        "_running",
        "_track_event_ids",
        "_unfinished",
        "_waits",
        "_waking",
        "_workers",
        "dialogs",
        "failed",
        "max_inflight",
        "settled",
    )

    def __init__(
        self,
        handlers: Handlers,
        clock: Clock,
        *,
        max_inflight: int = 256,
        handler_timeout: float | None = None,
        listeners: Sequence[HandlerListener] = (),
        seen: SeenIds | None = None,
    ) -> None:
        self.settled: list[Settled] = []
        self.failed = 0
        self._handlers = handlers
        self._clock = clock
        self.max_inflight = max_inflight
        self._handler_timeout = handler_timeout
        self._listeners = listeners
        self._fast_path = handler_timeout is None and not listeners and seen is None
        self._track_event_ids = seen is not None  # events are known by their ids
        self._claims = None if seen is None else Claims(seen)
        self._matches = handlers.matches
        self._context_of = handlers.context
        self._received = 0.0
        self._inflight = 0
        self._full_since: float | None = None
        self._arrivals: deque[Delivery] = deque()
        self._done: list[Delivery] = []  # ended without suspending; noted together
        self._running: Delivery | None = None  # what the worker that took its step last has in hand
        self._ordering = Ordering()
        self._workers = WorkerPool(self._work, self._replace)
        self._closing = False
        self._waking = False
        self._roomy: asyncio.Future[None] | None = None
        self._once_logger = OnceLogger()
        self._messages = Messages()
        self._events: KnownEvents | None = Events(clock()) if seen is not None else None
        self._unfinished: dict[str, Delivery] = {}  # by their ids, where events are known by them
        self.dialogs = Dialogs(self, self._ordering, self._messages)
        self._waits = self.dialogs.waits  # at hand: each event looks whether any is open

    @asynccontextmanager
    async def within(self, context: Context) -> AsyncGenerator[Self]:
        """Run handlers while the body runs, each event's in a context like `context`; leaving cancels them."""
        self._loop = asyncio.get_running_loop()
        self._owner = _current_task()
        self._cancelling = self._owner.cancelling()
        self._workers.open(context)
        self._closing = self._waking = False
        try:
            yield self
        finally:
            self._closing = self._waking = True  # so that nothing wakes a worker any more
            self._give_up_queued()
            self._waits.cancel()
            try:
                await self._workers.close()
            finally:
                self._finish_done()
                self._give_up_queued()  # what a handler gave back
                if self._claims is not None:
                    await self._claims.discard()

    def _give_up_queued(self) -> None:
        """Let go of what was accepted and has not begun, so that it comes again."""
        queued = [*self._arrivals, *self._ordering.empty()]
        self._arrivals.clear()
        for delivery in queued:
            if delivery.wait is not None:
                delivery.wait.future.cancel()
            self.finish(delivery, None)

    @property
    def closed(self) -> bool:
        """Whether it takes no more events."""
        return self._closing

    @property
    def inflight(self) -> int:
        """How many events are accepted and unfinished, without those suspended in `wait_for`."""
        return self._inflight

    @property
    def waiting(self) -> int:
        """How many `wait_for` are open."""
        return self._waits.open

    @property
    def workers(self) -> int:
        """How many worker tasks exist."""
        return len(self._workers)

    @property
    def surprises(self) -> Mapping[tuple[str, str], int]:
        """How often which field of which event did not have its documented form."""
        return self._once_logger.surprises

    @property
    def full(self) -> bool:
        """Whether `max_inflight` events are accepted and unfinished."""
        return self._inflight >= self.max_inflight

    @property
    def full_for(self) -> float:
        """For how many seconds there has been no room for another event."""
        return 0.0 if self._full_since is None else self._loop.time() - self._full_since

    def oldest(self) -> tuple[str, str] | None:
        """Return the handler that has been suspended longest, and the conversation that it holds."""
        delivery = self._ordering.oldest()
        if delivery is None or delivery.handler is None:
            return None
        return delivery.handler.name, delivery.event.ordering_key or delivery.frame.t or ""

    async def room(self) -> None:
        """Return when fewer than `max_inflight` events are unfinished."""
        while self.full:
            if self._roomy is None:
                self._roomy = self._loop.create_future()
            await asyncio.shield(self._roomy)

    def remember_events(self, events: KnownEvents | None = None) -> None:
        """From now on, know events by their ids: they may come by more than one way.

        `events` is a memory that outlives this dispatcher.
        """
        if self._events is None:
            self._events = Events(self._clock()) if events is None else events
            self._track_event_ids = True

    # Taking events in

    def accept(
        self,
        frame: Frame,
        raw: bytes,
        source: DeliverySource,
        watermark: Watermark | None = None,
        *,
        done: "asyncio.Future[Outcome | None] | None" = None,
        claimed: bool | None = None,
        age: float = 0.0,
        retry: bool = False,
    ) -> bool:
        """Queue one event, or finish an unwanted one at once, its `d` undecoded.

        Return False where handlers should run before another one is taken in.
        """
        name = frame.t or ""
        match_for = self._matches.get(name) or self._handlers.match_for(name)
        if not match_for.handlers and not (self._waits.open and self._waits.may_want(name)):
            self._drop_unwanted(name, Delivery(_NOTHING, frame, raw, source, 0.0, watermark, done=done))
            return True
        handlers: Sequence[Handler] = match_for.handlers
        message: str | None = None
        try:
            event = match_for.decode(frame.d)
            if match_for.is_message:
                message = event.id
        except Exception:  # noqa: BLE001 - the __post_init__ of a user's own event may raise anything
            event = decode_odd(name, frame.d, self._once_logger.surprise)
            if isinstance(event, MessageEvent):
                message = event.id
            elif isinstance(event, UnknownEvent):
                handlers = self._handlers.match(event)
                self._once_logger.unknown(event)
        if not self._waking:  # what comes in one go has one moment
            self._received = self._clock()
        delivery = Delivery(event, frame, raw, source, self._received, watermark, handlers, message)
        if self._track_event_ids:
            delivery.done, delivery.claimed, delivery.retry = done, claimed, retry
            delivery.received -= age
            if self._is_repeat(delivery):
                return True
        if self._waits.open:
            self.dialogs.offer(delivery)
        self.queue(delivery)
        return self._inflight < self.max_inflight and len(self._arrivals) < ENOUGH_ARRIVALS

    def queue(self, delivery: Delivery) -> None:
        """Accept an event: it is in flight, and its turn comes last."""
        self.count_up()
        self._arrivals.append(delivery)
        if not self._waking:
            self._wake()

    def queue_first(self, delivery: Delivery) -> None:
        """Let an event that is in flight have the next turn."""
        self._arrivals.appendleft(delivery)
        if not self._waking:
            self._wake()

    def queued(self) -> Sequence[Delivery]:
        """Return what is accepted and has not begun: what waits behind others in its lane comes first."""
        return (*self._ordering.waiting(), *self._arrivals)

    def _drop_unwanted(self, name: str, delivery: Delivery) -> None:
        if not self._handlers.expected(name):
            self._once_logger.unwanted(name)
        delivery.source.finish(delivery, "unwanted")
        if self.settled:
            self.settle(delivery, "unwanted")

    def _is_repeat(self, delivery: Delivery) -> bool:
        """Whether the event came before: then it ends as the first delivery did, or does."""
        event_id = delivery.frame.id
        if self._events is None or not event_id:
            return False
        first = self._unfinished.get(event_id)
        if first is not None:
            first.duplicates = [*(first.duplicates or ()), delivery]
            first.retry = first.retry or delivery.retry
            return True
        outcome = self._events.get(event_id)
        if outcome == "failed" and delivery.retry:
            self._let_come_again(delivery)
            outcome = None
        if outcome is None:
            self._unfinished[event_id] = delivery
            return False
        delivery.source.finish(delivery, outcome)
        return True

    # Workers

    def _wake(self) -> None:
        """See that one more worker looks at the arrivals; nobody needs to ask again before it does."""
        self._waking = True
        self._workers.wake()

    def _replace(self) -> None:
        """Start another worker where one ended: it may have been woken, and cancelled before it looked."""
        if not self._closing:
            self._waking = False
            if self._arrivals:
                self._wake()

    async def _work(self) -> None:  # noqa: C901, PLR0912 - see below
        """Run events until there are none for a while, or a handler has left something in the context.

        An event takes all its steps in this frame: a coroutine for each would cost as much as the rest.
        """
        done, take, cancelling = self._done, self._messages.take, _current_task().cancelling
        lease: Lease | None = None
        context = copy_context()
        while True:
            self._waking = False
            while (delivery := self._next()) is not None:
                if delivery.source.lease is not lease:
                    lease = delivery.source.lease
                    current_lease.set(lease)
                    context = copy_context()
                outcome: Outcome | None = None  # as long as it is not known, and for good where the worker is cancelled
                try:
                    is_new = self._claims is None or await self._claims.is_new(delivery)
                    # Without a valid lease it stays unfinished: the next owner of the shard gets it again. Asked last,
                    # because the lease may have ended while the shared ids were.
                    if lease is None or lease.valid():
                        handlers = delivery.handlers if is_new else ()
                        result: Outcome = "unwanted"
                        if delivery.message is not None:
                            handlers = take(delivery.message, handlers)
                        user_context = self._context_of(delivery)
                        for handler in handlers:
                            try:
                                if handler.when is not None and not handler.when(delivery.event):
                                    continue
                                delivery.handler = handler
                                if self._fast_path:
                                    await handler.function(user_context)
                                else:
                                    await self._call(handler, user_context, delivery)
                                if result == "unwanted":
                                    result = "handled"
                            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - stays with its event
                                result = "failed"
                                await self._note_failure(user_context, error, handler.name)
                        if self._claims is not None and not delivery.comes_again(result):
                            await self._claims.share(delivery)
                        outcome = result
                finally:
                    if (
                        self._running is delivery
                        and outcome is not None
                        and not self._track_event_ids
                        and not self.settled
                    ):
                        self._running = None
                        done.append(delivery)  # noted together with others
                    else:
                        self.finish(delivery, outcome)
                # What one event's handlers set, or a cancellation that they left behind, the next one's never see.
                if _differs(context) or cancelling():
                    self._finish_done()
                    return  # the crew starts a fresh worker
            if self._closing or not await self._workers.park():
                return

    def _next(self) -> Delivery | None:
        """Return the event that this worker runs now; None when there is none."""
        if self._running is not None:
            self.note_suspended()
        arrivals, ordering = self._arrivals, self._ordering
        while arrivals:  # no more than `max_inflight`, so the loop is not held up for long
            delivery = arrivals.popleft()
            if ordering.held and delivery.ordering_key is None and ordering.wait(delivery):
                continue
            if delivery.wait is not None and self.dialogs.hand_over(delivery, delivery.wait):
                continue
            # The handler may suspend: somebody must see to the other events, and to those that have ended.
            if arrivals:
                if not self._waking:
                    self._wake()
            elif self._done:
                self._finish_done()
            self._running = delivery
            return delivery
        if self._done:
            self._finish_done()
        return None

    def note_suspended(self) -> None:
        """Note that the handler that took its step last has not ended: from now on it holds its lane."""
        delivery, self._running = self._running, None
        if delivery is not None:
            self._ordering.hold(delivery)
        if self._done:
            self._finish_done()

    def _leave_ordering(self, delivery: Delivery) -> None:
        """Let the next event of the lane go on."""
        if self._running is delivery:
            self._running = None
        following = self._ordering.leave(delivery)
        if following is not None:
            self._arrivals.appendleft(following)
            if not self._waking:
                self._wake()

    # One event

    async def _note_failure(self, context: object, error: Exception | asyncio.CancelledError, name: str) -> None:
        """Report what a handler raised. A cancellation goes on where it came from here."""
        self.failed += 1
        if isinstance(error, asyncio.CancelledError):
            self._assert_stray()
            stray = RuntimeError("the handler was cancelled by something it awaited")
            stray.__cause__ = error
            error = stray
        try:
            await self._handlers.report(context, error, name)
        except asyncio.CancelledError:
            self._assert_stray()
            log.exception("reporting the error of %s was cancelled by something it awaited", name)

    async def _call(self, handler: Handler, context: object, delivery: Delivery) -> None:
        """Await one handler within its time, and tell who measures.  Raises: what the handler raises, TimeoutError."""
        began = self._loop.time()
        error: Exception | None = None
        limit = delivery.limit = asyncio.timeout(self._handler_timeout)
        try:
            async with limit:
                await handler.function(context)
        except TimeoutError as expired:
            error = expired
            if limit.expired():
                error = TimeoutError(f"{handler.name} did not end within {self._handler_timeout:g} s")
            raise error from None
        except Exception as raised:
            error = raised
            raise
        finally:
            delivery.limit = None
            if delivery.dialog is not None:
                delivery.dialog.left = None
            run = HandlerRun(delivery.frame.t or "", handler.name, self._loop.time() - began, error)
            for listener in tuple(self._listeners):
                try:
                    listener(run)
                except Exception:
                    log.exception("an on_handled callback failed")

    def _assert_stray(self) -> None:
        """Go on after a cancellation that did not come from here: leaving `within` cancels workers.

        So does the end of a loop, as `asyncio.run` brings it about: it cancels all tasks at once.
        """
        task = _current_task()
        if self._closing or (task.cancelling() and self._owner.cancelling() > self._cancelling):
            raise asyncio.CancelledError
        while task.cancelling():
            task.uncancel()

    def finish(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """Note the end of an event that is in flight."""
        self._let_go(delivery)
        if delivery.dialog is None or self.dialogs.end(delivery, delivery.dialog, outcome):
            self._count_down()
        self.complete(delivery, outcome)
        if self.settled and outcome is not None and delivery.error is None:
            self.settle(delivery, outcome)

    def _let_go(self, delivery: Delivery) -> None:
        """Let the event hold nothing any more."""
        if delivery.ordering_key is not None:
            self._leave_ordering(delivery)
        elif self._running is delivery:
            self._running = None
        delivery.handler = None

    def complete(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """Count as finished an event that holds nothing any more; None: it was given up."""
        delivery.source.finish(delivery, outcome)
        if outcome is None and delivery.message is not None:
            self._messages.forget(delivery.message)
        if self._events is not None and delivery.error is None:
            self._remember(delivery, outcome)

    def _finish_done(self) -> None:
        """Note the end of the events whose handlers did not suspend, all at once."""
        done = self._done
        for delivery in done:
            delivery.handler = None
            delivery.source.finish(delivery, "handled")
            if delivery.ordering_key is not None:
                self._leave_ordering(delivery)
        self._count_down(len(done))
        done.clear()

    def release(self, delivery: Delivery) -> None:
        """Let an event hold no lane and be in flight no longer, while it is not finished."""
        self._leave_ordering(delivery)
        self._count_down()

    def count_up(self) -> None:
        """Count one event more as in flight."""
        self._inflight += 1
        if self._inflight >= self.max_inflight and self._full_since is None:
            self._full_since = self._loop.time()

    def _count_down(self, events: int = 1) -> None:
        self._inflight -= events
        if self._full_since is not None and self._inflight < self.max_inflight:
            self._full_since = None
            if self._roomy is not None:
                self._roomy.set_result(None)
                self._roomy = None

    def _remember(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """Keep how the event ended, and end its repeats with it."""
        event_id, duplicates = delivery.frame.id, delivery.duplicates
        if self._events is not None and event_id:
            self._unfinished.pop(event_id, None)
            if delivery.comes_again(outcome):
                self._let_come_again(delivery)
            elif outcome is not None:
                self._events.put(event_id, outcome, self._clock())
        delivery.duplicates = None
        for duplicate in duplicates or ():
            duplicate.source.finish(duplicate, outcome)

    def _let_come_again(self, delivery: Delivery) -> None:
        """Forget an event, so that its next delivery runs like a first one."""
        if self._events is not None:
            self._events.forget(delivery.frame.id or "")
        if delivery.message is not None:
            self._messages.forget(delivery.message)
        if self._claims is not None:
            self._claims.withdraw(delivery)

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        """Tell who wants to know what became of an event."""
        for callback in tuple(self.settled):
            try:
                callback(delivery.frame.id or "", outcome)
            except Exception:
                log.exception("an on_settled callback failed")


def _current_task() -> "asyncio.Task[object]":
    task = asyncio.current_task()
    assert task is not None
    return task


def _differs(context: Context) -> bool:
    """Whether the current context is not like `context`."""
    try:
        return copy_context() != context
    except Exception:  # noqa: BLE001 - a value of the user's may not be comparable
        return True
