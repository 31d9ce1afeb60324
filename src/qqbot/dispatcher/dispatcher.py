"""`Dispatcher`: drops repeats and what nobody wants, and runs the handlers of the rest.

Owns order, bounds and workers: events of one lane (a conversation) run one after another, lanes run side by
side, at most `max_inflight` events are accepted and unfinished. Workers are started on demand, reused, and
ended when idle; an event whose handlers do not suspend costs no task. What a handler is, is the router's.

Order costs nothing where nothing waits: events are taken as they came, and only when a handler suspends does the
next worker note which lane that one holds. From then on events of that lane queue behind it.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from typing import Self

from ..gateway.frames import Frame
from ..models.events import Event, MessageEvent, UnknownEvent, decode_event
from ..ports import (
    Clock,
    Handler,
    HandlerListener,
    HandlerRun,
    Handlers,
    Lease,
    Outcome,
    SeenIds,
    Settled,
    Wanted,
    current_lease,
)
from ..watermark import Watermark
from .delivery import Delivery, Dialog, Inlet
from .repeats import Events, Messages
from .waits import ANYWHERE, Wait, Waits, place_of

log = logging.getLogger(__name__)

REMEMBERED_WORDS = 1024
SYSTEM_EVENTS = ("READY", "RESUMED")
_NOTHING = Event()
IDLE_SECONDS = 5.0


class Dispatcher:
    """Runs handlers for the events that its inlets take in, inside `within`.

    `handler_timeout`: seconds for each handler, None for no limit; time in `wait_for` does not count.
    `listeners` hear of each handler that ran. `seen`: the ids that all processes of the bot have finished.
    """

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
        self.surprises: Counter[tuple[str, str]] = Counter()
        self.failed = 0
        self._handlers = handlers
        self._clock = clock
        self._max_inflight = max_inflight
        self._handler_timeout = handler_timeout
        self._listeners = listeners
        self._plain = handler_timeout is None and not listeners
        self._seen = seen
        self._inflight = 0
        self._full_since: float | None = None
        self._arrivals: deque[Delivery] = deque()
        self._running: Delivery | None = None  # what the worker that took its step last has in hand
        self._held: dict[str, deque[Delivery]] = {}  # lanes whose handler is suspended, and what waits behind it
        self._suspended: dict[Delivery, None] = {}  # oldest first
        self._workers: set[asyncio.Task[None]] = set()
        self._parked: list[asyncio.Future[bool]] = []
        self._closing = False
        self._waking = False
        self._fewest_parked = 0
        self._trimmer: asyncio.TimerHandle | None = None
        self._roomy: asyncio.Future[None] | None = None
        self._named: set[str] = set()
        self._messages = Messages()
        self._events: Events[Delivery | Outcome] | None = Events(clock()) if seen is not None else None
        self._waits = Waits()
        self._own = Inlet(None)  # what no event stands for: a wait_for that timed out
        self._unclaimed: list[str] = []

    @asynccontextmanager
    async def within(self, context: Context) -> AsyncGenerator[Self]:
        """Run handlers while the body runs, each event's in a context like `context`; leaving cancels them."""
        self._loop = asyncio.get_running_loop()
        self._context = context
        self._closing = False
        try:
            yield self
        finally:
            self._closing = True
            if self._trimmer is not None:
                self._trimmer.cancel()
            workers = list(self._workers)
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await self._give_up_the_rest()

    async def _give_up_the_rest(self) -> None:
        """Let go of what was accepted and never begun, so that it comes again."""
        queued = [*self._arrivals, *(delivery for behind in self._held.values() for delivery in behind)]
        self._arrivals.clear()
        self._held.clear()
        for delivery in queued:
            delivery.lane = None
            self._finish(delivery, None)
        while self._seen is not None and self._unclaimed:
            await self._seen.discard(self._unclaimed.pop())

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
    def full(self) -> bool:
        """Whether `max_inflight` events are accepted and unfinished."""
        return self._inflight >= self._max_inflight

    @property
    def full_for(self) -> float:
        """For how many seconds there has been no room for another event."""
        return 0.0 if self._full_since is None else self._clock() - self._full_since

    def oldest(self) -> tuple[str, str] | None:
        """Return the handler that has been suspended longest, and the conversation that it holds."""
        for delivery in self._suspended:
            if delivery.handler is not None:
                return delivery.handler.name, delivery.event.lane or delivery.frame.t or ""
        return None

    async def room(self) -> None:
        """Return when fewer than `max_inflight` events are unfinished."""
        while self.full:
            if self._roomy is None:
                self._roomy = self._loop.create_future()
            await asyncio.shield(self._roomy)

    def remember_events(self) -> None:
        """From now on, know events by their ids: they may come by more than one way."""
        if self._events is None:
            self._events = Events(self._clock())

    def forget(self, event_id: str) -> None:
        """Let the next delivery of this event run again."""
        if self._events is not None:
            self._events.forget(event_id)

    async def claim(self, frame: Frame) -> bool | None:
        """Note the id for all processes before the event is handled; False: one of them has it, None: no store."""
        if self._seen is None or not frame.id or (self._events is not None and self._events.get(frame.id) is not None):
            return None
        return await self._seen.add(frame.id)

    # Taking events in

    def accept(
        self,
        frame: Frame,
        raw: bytes,
        inlet: Inlet,
        watermark: Watermark | None = None,
        *,
        done: "asyncio.Future[Outcome | None] | None" = None,
        claimed: bool = False,
        age: float = 0.0,
    ) -> None:
        """Queue one event; an unwanted one is finished at once, its `d` undecoded."""
        name = frame.t or ""
        inlet.pending += 1
        if not self._handlers.wanted(name) and not (self._waits.open and self._waits.may_want(name)):
            self._drop_unwanted(name, Delivery(_NOTHING, frame, raw, inlet, 0.0, watermark, done=done))
            return
        event = decode_event(name, frame.d, self._note_surprise)
        if type(event) is UnknownEvent:
            self._note_unknown(event)
        delivery = Delivery(event, frame, raw, inlet, self._clock() - age, watermark)
        if self._events is not None:
            delivery.done, delivery.claimed = done, claimed
            if self._is_repeat(delivery):
                return
        if self._waits.open:
            self._offer(delivery)
        self._queue(delivery)

    def _queue(self, delivery: Delivery) -> None:
        self._inflight += 1
        if self._inflight == self._max_inflight:
            self._full_since = self._clock()
        self._arrivals.append(delivery)
        if not self._waking:
            self._wake()

    def _drop_unwanted(self, name: str, delivery: Delivery) -> None:
        if name not in SYSTEM_EVENTS and not self._handlers.expected(name) and self._first_time(name):
            log.info("nobody handles %s; to handle it: @bot.on(%r)", name, name)
        delivery.inlet.finish(delivery, "unwanted")
        self._settle(delivery, "unwanted")

    def _is_repeat(self, delivery: Delivery) -> bool:
        """Whether the event came before: then it ends as the first delivery did, or does."""
        event_id = delivery.frame.id
        if self._events is None or not event_id:
            return False
        known = self._events.get(event_id)
        if known is None:
            self._events.put(event_id, delivery, delivery.received)
            return False
        if isinstance(known, Delivery):
            known.twins = [*(known.twins or ()), delivery]
        else:
            delivery.inlet.finish(delivery, known)
        return True

    def _note_surprise(self, name: str, path: str) -> None:
        """Count a field that did not have its documented form; say so the first time."""
        self.surprises[name, path] += 1
        if self.surprises[name, path] == 1:
            log.warning("%s: %s does not have its documented form; what could be read of it is used", name, path)

    def _note_unknown(self, event: UnknownEvent) -> None:
        if event.error is not None and self._first_time(f"{event.name}: {event.error}"):
            log.warning("%s does not fit its documented form and goes to UnknownEvent: %s", event.name, event.error)

    def _first_time(self, words: str) -> bool:
        """Whether to log this; False once it was, and when a flood of different ones came from outside."""
        if words in self._named or len(self._named) >= REMEMBERED_WORDS:
            return False
        self._named.add(words)
        return True

    # Workers

    def _wake(self) -> None:
        """See that one more worker looks at the arrivals, unless one is on its way already."""
        self._waking = True
        while self._parked:
            future = self._parked.pop()
            self._fewest_parked = min(self._fewest_parked, len(self._parked))
            if not future.done():
                future.set_result(True)
                return
        worker = self._loop.create_task(self._work(), name="qqbot worker", context=self._context.copy())
        self._workers.add(worker)
        worker.add_done_callback(self._bury)

    def _bury(self, worker: "asyncio.Task[None]") -> None:
        self._workers.discard(worker)
        if not worker.cancelled() and (error := worker.exception()) is not None:
            log.critical("a handler ended its worker", exc_info=error)
        if self._arrivals and not self._closing and not self._waking:
            self._wake()

    async def _work(self) -> None:
        """Run events until there are none for a while, or a handler has left something in the context."""
        arrivals, held = self._arrivals, self._held
        lease: Lease | None = None
        context = copy_context()
        while True:
            self._waking = False
            while arrivals:  # no more than `max_inflight`, so the loop is not held up for long
                if self._running is not None:
                    self._note_suspended()
                delivery = arrivals.popleft()
                if held and delivery.lane is None and self._has_to_wait(delivery):
                    continue
                if arrivals and not self._waking:
                    self._wake()  # this worker may suspend in a handler: somebody must see the other events
                if delivery.wait is not None and await self._hand_over(delivery, delivery.wait):
                    continue
                self._running = delivery
                if delivery.inlet.lease is not lease:
                    lease = delivery.inlet.lease
                    current_lease.set(lease)
                    context = copy_context()
                await self._handle(delivery)
                if _differs(context):
                    return  # what one event's handlers set, the next one's never see: `_bury` starts a fresh worker
            if self._closing or not await self._park():
                return

    def _note_suspended(self) -> None:
        """Note that the handler that took its step last has not ended: from now on it holds its lane."""
        delivery, self._running = self._running, None
        if delivery is not None:
            self._hold_lane(delivery)

    def _hold_lane(self, delivery: Delivery) -> None:
        self._suspended[delivery] = None
        if delivery.lane is None:
            delivery.lane = delivery.event.lane
            if delivery.lane:
                self._held[delivery.lane] = deque()

    def _has_to_wait(self, delivery: Delivery) -> bool:
        """Queue the event where an earlier one of its lane is unfinished."""
        behind = self._held.get(delivery.event.lane)
        if behind is None:
            return False
        behind.append(delivery)
        return True

    def _leave_lane(self, delivery: Delivery) -> None:
        """Let the next event of the lane go on."""
        if self._running is delivery:
            self._running = None
        self._suspended.pop(delivery, None)
        lane, delivery.lane = delivery.lane, None
        if not lane:
            return
        behind = self._held[lane]
        if not behind:
            del self._held[lane]
            return
        following = behind.popleft()
        following.lane = lane
        self._arrivals.appendleft(following)
        if not self._waking:
            self._wake()

    async def _park(self) -> bool:
        """Wait for work; False when there was none for a while."""
        future: asyncio.Future[bool] = self._loop.create_future()
        self._parked.append(future)
        if self._trimmer is None:
            self._start_trimmer()
        return await future

    def _start_trimmer(self) -> None:
        self._fewest_parked = len(self._parked)
        self._trimmer = self._loop.call_later(IDLE_SECONDS, self._trim)

    def _trim(self) -> None:
        """End the workers that were parked all the time since the last look."""
        self._trimmer = None
        idle, self._parked = self._parked[: self._fewest_parked], self._parked[self._fewest_parked :]
        for future in idle:
            if not future.done():
                future.set_result(False)
        if self._parked:
            self._start_trimmer()

    # One event

    async def _handle(self, delivery: Delivery) -> None:
        outcome: Outcome | None = None
        try:
            lease = delivery.inlet.lease
            if lease is None or lease.valid():  # else it stays unfinished: the next owner of the shard gets it again
                if self._seen is None:
                    outcome = await self._run_handlers(delivery)
                else:
                    outcome = await self._run_unless_seen(delivery, self._seen)
        finally:
            self._finish(delivery, outcome)

    async def _run_unless_seen(self, delivery: Delivery, seen: SeenIds) -> Outcome | None:
        """Run the handlers unless another process has finished the event; note that it is finished."""
        event_id = delivery.frame.id
        if not event_id or delivery.claimed:
            return await self._run_handlers(delivery)
        if await seen.contains(event_id):
            return "handled"
        outcome = await self._run_handlers(delivery)
        await seen.add(event_id)
        return outcome

    async def _run_handlers(self, delivery: Delivery) -> Outcome:
        event = delivery.event
        handlers = self._handlers.match(event)
        if isinstance(event, MessageEvent):
            handlers = self._messages.take(event.id, handlers)
        if not handlers:
            return "unwanted"
        outcome: Outcome = "unwanted"
        context = self._handlers.context(delivery)
        for handler in handlers:
            try:
                if handler.when is not None and not handler.when(event):
                    continue
                if outcome == "unwanted":
                    outcome = "handled"
                delivery.handler = handler
                if self._plain:
                    await handler.function(context)
                else:
                    await self._call(handler, context, delivery)
            except Exception as error:  # noqa: BLE001 - whatever the user's code raises stays with its event
                outcome = "failed"
                await self._report(context, error, handler.name)
            except asyncio.CancelledError as error:
                self._assert_stray()
                outcome = "failed"
                stray = RuntimeError("the handler was cancelled by something it awaited")
                stray.__cause__ = error
                await self._report(context, stray, handler.name)
        return outcome

    async def _call(self, handler: Handler, context: object, delivery: Delivery) -> None:
        """Await one handler within its time, and tell who measures.  Raises: what the handler raises, TimeoutError."""
        began = self._loop.time()
        error: Exception | None = None
        try:
            async with asyncio.timeout(self._handler_timeout) as limit:
                delivery.limit = limit
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
            run = HandlerRun(delivery.frame.t or "", handler.name, self._loop.time() - began, error)
            for listener in tuple(self._listeners):
                try:
                    listener(run)
                except Exception:
                    log.exception("an on_handled callback failed")

    async def _report(self, context: object, error: Exception, name: str) -> None:
        self.failed += 1
        try:
            await self._handlers.report(context, error, name)
        except asyncio.CancelledError:
            self._assert_stray()
            log.exception("reporting the error of %s was cancelled by something it awaited", name)

    def _assert_stray(self) -> None:
        """Go on after a cancellation that did not come from here: only leaving `within` cancels workers."""
        if self._closing:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        while task is not None and task.cancelling():
            task.uncancel()

    def _finish(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """Note the end of an event, whoever took it."""
        if delivery.lane is not None:
            self._leave_lane(delivery)
        elif self._running is delivery:
            self._running = None
        delivery.handler = None
        if delivery.dialog is None or self._end_dialog(delivery, delivery.dialog):
            self._count_down()
        delivery.inlet.finish(delivery, outcome)
        if self._events is not None:
            self._remember(delivery, outcome)
        if self.settled and outcome is not None and delivery.error is None:
            self._settle(delivery, outcome)

    def _count_down(self) -> None:
        self._inflight -= 1
        if self._full_since is not None:
            self._full_since = None
            if self._roomy is not None:
                self._roomy.set_result(None)
                self._roomy = None

    def _remember(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """Keep how the event ended, and end its repeats with it."""
        event_id, twins = delivery.frame.id, delivery.twins
        if self._events is not None and event_id:
            if outcome is None:
                self._events.forget(event_id)
            else:
                self._events.put(event_id, outcome, self._clock())
            if outcome is None and delivery.claimed:
                self._unclaimed.append(event_id)
        delivery.twins = None
        for twin in twins or ():
            twin.inlet.finish(twin, outcome)

    def _settle(self, delivery: Delivery, outcome: Outcome) -> None:
        for callback in tuple(self.settled):
            try:
                callback(delivery.frame.id or "", outcome)
            except Exception:
                log.exception("an on_settled callback failed")

    # Handlers that wait for further events

    async def wait_for(self, waiter: Delivery, wanted: Wanted, timeout: float | None) -> Delivery:
        """Suspend the handler of `waiter` until an event comes that is wanted; it takes that event for itself.

        Meanwhile it holds no lane and is not in flight. It goes on when the event's turn in its lane has come, and
        holds that lane then. `timeout` in seconds.

        Raises: TimeoutError, ConfigError when too many are open, what the predicate raises.
        """
        future: asyncio.Future[Delivery] = self._loop.create_future()
        place = ANYWHERE if wanted.anywhere else place_of(waiter.event.lane)
        wait = Wait(wanted, place, waiter, future)
        self._waits.add(wait)
        dialog = waiter.dialog
        if dialog is None:
            dialog = waiter.dialog = Dialog(over=waiter.handler is None)
        self._suspend(waiter, dialog)
        timer = None if timeout is None else self._loop.call_later(timeout, self._expire, wait, timeout)
        try:
            return await future
        except asyncio.CancelledError:
            if future.cancelled():  # else the event was handed over just before
                self._waits.remove(wait)
                self._come_back(waiter, dialog)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _suspend(self, waiter: Delivery, dialog: Dialog) -> None:
        dialog.open += 1
        if dialog.over or dialog.open > 1:
            return
        if dialog.held is not None:
            held, dialog.held = dialog.held, None
            self._finish(held, "consumed")
        elif dialog.counts:
            dialog.counts = False
            self._leave_lane(waiter)
            self._count_down()
            self._settle(waiter, "waiting")
        if waiter.limit is not None and (when := waiter.limit.when()) is not None:
            dialog.left = when - self._loop.time()
            waiter.limit.reschedule(None)
        waiter.inlet.waiting += 1
        waiter.inlet.note_change()

    def _wake_up(self, waiter: Delivery, dialog: Dialog) -> None:
        waiter.inlet.waiting -= 1
        if waiter.limit is not None and dialog.left is not None:
            waiter.limit.reschedule(self._loop.time() + dialog.left)

    def _come_back(self, waiter: Delivery, dialog: Dialog) -> None:
        """Let a handler go on whose wait was cancelled: it is in flight again, in its lane if that is free."""
        dialog.open -= 1
        if dialog.over or dialog.open:
            return
        self._wake_up(waiter, dialog)
        dialog.counts = True
        self._inflight += 1
        lane = waiter.event.lane
        waiter.lane = "" if lane in self._held else None
        self._hold_lane(waiter)

    def _offer(self, delivery: Delivery) -> None:
        """Give the event to a handler that waits for it, if there is one; its turn in the lane comes as ever."""
        event = delivery.event
        message = event.id if isinstance(event, MessageEvent) else None
        if message in self._messages:
            return  # a repeat of what began the dialog is no answer in it
        delivery.wait = self._waits.find(event, self._fail)
        if delivery.wait is not None and message is not None:
            self._messages.close(message)

    def _expire(self, wait: Wait, timeout: float) -> None:
        kinds = " or ".join(kind.__name__ for kind in wait.wanted.kinds)
        if self._waits.remove(wait):
            self._fail(wait, TimeoutError(f"wait_for({kinds}): nothing came within {timeout:g} s"))

    def _fail(self, wait: Wait, error: Exception) -> None:
        """Queue the end of a wait like an event of the handler's lane."""
        self._own.pending += 1
        waiter = wait.waiter
        self._queue(Delivery(waiter.event, waiter.frame, b"", self._own, 0.0, wait=wait, error=error))

    async def _hand_over(self, delivery: Delivery, wait: Wait) -> bool:
        """Let the handler that waited go on; False when it gave up, so that the event is one like any other."""
        delivery.wait = None
        waiter, future, dialog = wait.waiter, wait.future, wait.waiter.dialog
        if future.done() or dialog is None:
            if delivery.error is not None:
                self._finish(delivery, "consumed")
            return delivery.error is not None
        dialog.open -= 1
        if dialog.over or dialog.open:
            self._finish(delivery, "consumed")
        else:
            dialog.held = delivery
            delivery.handler = waiter.handler
            self._hold_lane(delivery)
            self._wake_up(waiter, dialog)
        if delivery.error is not None:
            future.set_exception(delivery.error)
        else:
            future.set_result(delivery)
            if self._seen is not None and delivery.frame.id:
                await self._seen.add(delivery.frame.id)
        return True

    def _end_dialog(self, waiter: Delivery, dialog: Dialog) -> bool:
        """End what the handler still has; return whether it was in flight on its own account."""
        dialog.over = True
        if dialog.held is not None:
            held, dialog.held = dialog.held, None
            self._finish(held, "consumed")
        elif dialog.open:
            waiter.inlet.waiting -= 1
        return dialog.counts


def _differs(context: Context) -> bool:
    """Whether the current context is not like `context`."""
    try:
        return copy_context() != context
    except Exception:  # noqa: BLE001 - a value of the user's may not be comparable
        return True
