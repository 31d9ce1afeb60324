"""`Dispatcher`: drops duplicates and what no handler wants, and runs the handlers of the rest.

Responsible for wiring the parts together and for what a worker does with an event, step by step: its turn (`backlog`,
`ordering`), what came before (`decoding`, `dedupe`), its handlers (`running`), its end (`completion`). Events of one
ordering key (a conversation) run one after another, keys run side by side. At most `max_inflight` handlers run; what
waits apart from them is bounded by its number and its bytes. What a handler is, is decided by the router; what happens
when one waits for further events is in `waiters`.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from typing import Any, Self

from ..aio.capacity import Capacity
from ..aio.clock import Clock
from ..aio.log_fields import log_source
from ..errors import LeaseLost
from ..lease import Ownership, current_lease
from ..models.outcome import Outcome
from .backlog import Backlog
from .completion import Completion
from .decoding import EventDecoder, Handlers, park
from .dedupe import Deduplicator, EndedBefore, KnownEvents, New, SeenIds
from .delivery import Around, Delivery, Handler, HandlerMatch, Resumption, Settled, Unseen
from .log_fields import WorkerFields, event_fields
from .log_once import OnceLogger
from .ordering import Ordering
from .running import HandlerListener, HandlerRun, HandlerRunner, current_task
from .shares import place_of
from .waiters import Waiters
from .workers import WorkerPool

__all__ = ["MAX_QUEUED", "MAX_QUEUED_BYTES", "Dispatcher", "HandlerListener", "HandlerMatch", "HandlerRun", "Handlers"]

MAX_QUEUED = 10_000
MAX_QUEUED_BYTES = 16 * 1024 * 1024
BATCH = 64  # so many events run, if their handlers do not suspend, before other tasks have their turn
FEW_ADMITTED = 64  # that many are kept decoded


class Dispatcher:
    """Runs handlers for the events that its sources take in, inside `within`.

    `max_inflight`: handlers that run, without those suspended in `wait_for`. `max_queued`, `max_queued_bytes`: events
    that wait, and the bytes of their raw frames. `handler_timeout`: seconds for each handler, None for no limit; time
    in `wait_for` does not count. `listeners` are called after each handler that ran. `seen`: the ids that all
    processes of the bot have finished.
    """

    def __init__(
        self,
        handlers: Handlers,
        clock: Clock,
        *,
        max_inflight: int = 256,
        max_queued: int = MAX_QUEUED,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
        handler_timeout: float | None = None,
        listeners: Sequence[HandlerListener] = (),
        seen: SeenIds | None = None,
    ) -> None:
        self.max_inflight = max_inflight
        self._handlers = handlers
        self._matches = handlers.matches
        self._context_of = handlers.context
        self._once_logger = OnceLogger()
        self._workers = WorkerPool(self._work, self._replace)
        self._capacity = Capacity(max_queued, max_queued_bytes)
        self.backlog = Backlog(self._capacity, clock, self._workers.wake)
        self._ordering = Ordering(self.backlog)
        self._dedupe = Deduplicator(clock, seen)
        self._completion = Completion(self._dedupe)
        self._decoder = EventDecoder(handlers, self._once_logger)
        self._runner = HandlerRunner(handlers, handler_timeout, listeners)
        self.waiters = Waiters(
            self.backlog,
            self._ordering,
            self._dedupe,
            self._decoder,
            self._completion,
            admit_unseen=self._admit_unseen,
        )
        self._waits = self.waiters.waits  # at hand: each event looks whether any is open
        self.closed = False  # no event is taken in any more, and no worker is woken

    @asynccontextmanager
    async def within(self, context: Context) -> AsyncGenerator[Self]:
        """Run handlers while the body runs, each event's in a context like `context`; leaving cancels them."""
        self._runner.open()
        self._workers.open(context)
        self.waiters.loop = asyncio.get_running_loop()
        self.closed = self.waiters.closed = self.backlog.waking = False
        try:
            yield self
        finally:
            self.closed = self.waiters.closed = self._runner.closing = True
            self.backlog.waking = True
            self._give_up_queued()
            self._waits.cancel()
            try:
                await self._workers.close()
            finally:
                self._give_up_queued()  # what a handler gave back
                await self._dedupe.discard()

    def _give_up_queued(self) -> None:
        """Let go of what was accepted and has not begun, so that it comes again."""
        for entry in (*self.backlog.empty(), *self._ordering.empty()):
            if isinstance(entry, Resumption):
                entry.wait.future.cancel()
                self._ordering.leave(entry)
                continue
            if entry.wait is not None:
                entry.wait.future.cancel()
            self.backlog.count_off(entry)
            self._finish(entry, None)

    # How it is

    @property
    def settled(self) -> list[Settled]:
        """What is called with the id and the outcome of each event that has ended."""
        return self._completion.listeners

    @settled.setter
    def settled(self, listeners: list[Settled]) -> None:
        self._completion.listeners = listeners

    @property
    def inflight(self) -> int:
        """How many handlers run, without those suspended in `wait_for`."""
        return self._ordering.inflight

    @property
    def queued(self) -> int:
        """How many events wait for their turn."""
        return self._capacity.count

    @property
    def queued_bytes(self) -> int:
        """How many bytes the raw frames of the events have that wait for their turn."""
        return self._capacity.bytes

    @property
    def waiting(self) -> int:
        """How many `wait_for` are open."""
        return self._waits.open

    @property
    def workers(self) -> int:
        """How many worker tasks exist."""
        return len(self._workers)

    @property
    def failed(self) -> int:
        """How often a handler raised."""
        return self._runner.failed

    @property
    def surprises(self) -> Mapping[tuple[str, str], int]:
        """The number of times that each field of each event did not have its documented form."""
        return self._once_logger.surprises

    @property
    def full(self) -> bool:
        """True if there is no room for another event to wait in."""
        return self._capacity.full

    @property
    def full_for(self) -> float:
        """For how many seconds there has been no room for another event."""
        return self._capacity.full_for

    def oldest(self) -> tuple[str, str] | None:
        """Return the handler that has been suspended longest, and the conversation that it holds."""
        delivery = self._ordering.oldest()
        if delivery is None or delivery.handler is None:
            return None
        return delivery.handler.name, delivery.event.ordering_key or delivery.frame.t or ""

    def oldest_fields(self) -> dict[str, object]:
        """Return what log records carry about the handler that has been suspended longest."""
        delivery = self._ordering.oldest()
        if delivery is None or delivery.handler is None:
            return {}
        return event_fields(delivery.event, delivery.frame, delivery.lease, delivery.handler.qualified_name)

    def busiest(self) -> tuple[str, int] | None:
        """Return the conversation with most waiting events, and their number; slow: it looks at all that waits."""
        self._admit_unseen()
        waiting = (*self._ordering.waiting(), *self.backlog.admitted)
        counts = Counter(place_of(each.event.ordering_key) for each in waiting if isinstance(each, Delivery))
        return next(iter(counts.most_common(1)), None)

    async def room(self) -> None:
        """Return when there is room for another event; callers have their turn one after another."""
        await self._capacity.room()

    def remember_events(self, events: KnownEvents | None = None) -> None:
        """From now on, know events by their ids: they may come by more than one way.

        `events` is a memory that outlives this dispatcher.
        """
        self._dedupe.track(events)

    # Before an event's turn

    def _admit(self, entry: Unseen) -> Delivery | None:
        """Look at an event for the first time; return None if no handler is to run for it."""
        frame = entry[0]
        match = self._matches.get(frame.t or "")
        if (match is None or not match.handlers) and (match := self._match_for(entry)) is None:
            return None
        try:
            event = match.decode(frame.d)
        except Exception:  # noqa: BLE001 - the __post_init__ of a user's own event may raise anything
            event, match = self._decoder.decode_odd(frame, match)
        delivery = Delivery(*entry, event, match)
        if (self._dedupe.tracking or self._waits.open) and not self._is_new(delivery):
            return None
        return delivery

    def _match_for(self, entry: Unseen) -> HandlerMatch | None:
        """Return what is done with the event; None if nothing is: then it has ended."""
        name = entry[0].t or ""
        match = self._matches.get(name) or self._handlers.match_for(name)
        if match.handlers or (self._waits.open and self._waits.may_want(name)):
            return match
        self._drop_unwanted(Delivery(*entry), name)
        return None

    def _is_new(self, delivery: Delivery) -> bool:
        """Offer an event to the handlers that wait; False if it came before, or has interrupted one: it is dropped."""
        admitted = self._dedupe.admit(delivery)
        if isinstance(admitted, New):
            return not (self._waits.open and self.waiters.offer(delivery))
        self.backlog.count_off(delivery)
        if isinstance(admitted, EndedBefore):
            delivery.source.finish(delivery, admitted.outcome)
        return False

    def _drop_unwanted(self, delivery: Delivery, name: str) -> None:
        if not self._handlers.expected(name):
            self._once_logger.unwanted(name)
        self.backlog.count_off(delivery)
        delivery.source.finish(delivery, "unwanted")
        if self._completion.listeners:
            self._completion.report(delivery, "unwanted")

    def _admit_unseen(self) -> None:
        """Look at all that is queued, so that a handler that begins to wait can be offered it."""
        admitted = self.backlog.admitted
        for entry in self.backlog.take_unseen():
            if (delivery := self._admit(entry)) is not None:
                if len(admitted) >= FEW_ADMITTED:
                    park(delivery)
                admitted.append(delivery)

    def _next(self) -> Delivery | Unseen | None:
        """Return the event that has the next turn; None if there is none, or too many handlers run."""
        ordering, backlog = self._ordering, self.backlog
        if ordering.running is not None:
            ordering.mark_suspended()
        while backlog.resumes:
            self._resume(backlog.resumes.popleft())
        if len(ordering.holders) >= self.max_inflight:
            return None
        while backlog.admitted:
            delivery = backlog.admitted.popleft()
            if not self._waits_behind(delivery):
                self._decoder.unpark(delivery)
                return delivery
        batch = backlog.batch or backlog.next_batch()
        return batch.popleft() if batch else None

    def _waits_behind(self, delivery: Delivery) -> bool:
        """Queue an event behind the one that holds its key; return False if it may go on."""
        if delivery.ordering_key is not None or not self._ordering.wait(delivery, delivery.key):
            return False
        park(delivery)
        return True

    def _resume(self, resume: Resumption) -> None:
        """Let a handler go on without an event, unless another one holds its key: then that has to end first."""
        key = resume.wait.waiter.key
        if resume.ordering_key is not None or not self._ordering.wait(resume, key):
            self.waiters.resume(resume)

    # Workers

    def _replace(self) -> None:
        """Let another worker look after one has ended: it may have been woken, and cancelled before it looked."""
        if not self.closed:
            self.backlog.waking = False
            self.backlog.wake_if_any()

    async def _work(self) -> None:  # noqa: C901, PLR0912, PLR0915 - see below
        """Run events until there are none for a while, or a handler has left something in the context.

        An event takes all its steps in this frame: a call for each would cost as much as the rest.
        """
        backlog, ordering, runner, dedupe = self.backlog, self._ordering, self._runner, self._dedupe
        capacity, completion, waits, matches = self._capacity, self._completion, self._waits, self._matches
        cancelling, decode_odd, context_of = current_task().cancelling, self._decoder.decode_odd, self._context_of
        plain, sharing = runner.plain, dedupe.sharing
        messages, order, remembered = dedupe.messages, dedupe.order, dedupe.remembered
        lease: Ownership | None = None
        fields = WorkerFields(ordering, current_task())
        log_source.set(fields)
        context = copy_context()
        while True:
            backlog.look()
            left = BATCH
            undisturbed = False  # since the last event no other task has run: what `_next` has found still holds
            while left:
                batch = backlog.batch
                entry: Delivery | Unseen | None
                if undisturbed and batch:
                    entry = batch.popleft()
                else:
                    undisturbed = False
                    if (entry := self._next()) is None:
                        break
                if isinstance(entry, tuple):  # `_admit`, without the calls
                    frame, raw, source, received, watermark, direct = entry
                    match = matches.get(frame.t or "")
                    if (match is None or not match.handlers) and (match := self._match_for(entry)) is None:
                        continue
                    event: Any
                    try:
                        event = match.decode(frame.d)
                    except Exception:  # noqa: BLE001 - the __post_init__ of a user's own event may raise anything
                        event, match = decode_odd(frame, match)
                    delivery = Delivery(frame, raw, source, received, watermark, direct, event, match)
                    if dedupe.tracking or waits.open:
                        undisturbed = False  # a handler may wait for it
                        if not self._is_new(delivery):
                            continue
                    if ordering.held and self._waits_behind(delivery):
                        continue
                else:
                    delivery = entry
                    frame, raw, source, watermark = delivery.frame, delivery.raw, delivery.source, delivery.watermark
                    event, match = delivery.event, delivery.match
                capacity.count -= 1
                capacity.bytes -= len(raw)
                if capacity.full_since is not None:
                    capacity.mark_freed()
                if not undisturbed:
                    if delivery.wait is not None and self.waiters.hand_over(delivery):
                        continue
                    # The handler may suspend: another worker has to look at the other events then.
                    backlog.wake_if_any()
                if source.lease is not lease:
                    lease = source.lease
                    current_lease.set(lease)
                    context = copy_context()
                ordering.running = fields.delivery = delivery
                outcome: Outcome | None = None  # until it is known, and for good if the worker is cancelled
                try:
                    if sharing:
                        ordering.handler = None  # that of an earlier event
                    is_new = not sharing or await dedupe.is_new(delivery)
                    # Without a valid lease it stays unfinished: the next owner of the shard gets it again. Asked last,
                    # because the lease may have ended while the shared ids were.
                    if lease is None or lease.valid():
                        handlers: Sequence[Handler] = match.handlers if is_new else ()
                        result: Outcome | None = "unwanted"
                        taken = False
                        if match.select is not None and handlers:
                            ordering.handler = None  # the same
                            selection = match.select(event)
                            handlers, taken = selection.handlers, selection.taken
                        if match.is_message:  # `Deduplicator.take`, without the call
                            message: str = event.id
                            if message in messages:
                                handlers = dedupe.take(message, handlers)
                            else:
                                messages[message] = handlers
                                order.append(message)
                                if len(order) > remembered:
                                    del messages[order.popleft()]
                            if taken:
                                dedupe.close(message)
                        user_context = context_of(delivery, event)
                        if match.around is not None:
                            result = await self._run_around(match.around, handlers, user_context, delivery)
                            handlers = ()
                        for handler in handlers:
                            try:
                                if ordering.running is delivery:
                                    ordering.handler = handler
                                else:
                                    delivery.handler = handler
                                if handler.when is not None and not handler.when(event):
                                    continue
                                if plain:
                                    await handler.function(user_context)
                                else:
                                    await runner.run(handler, user_context, delivery)
                                if result == "unwanted":
                                    result = "handled"
                            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - stays with its event
                                if await runner.report(user_context, error, handler.name):
                                    result = "failed"
                                    if isinstance(error, LeaseLost):
                                        delivery.refused = True
                                elif result == "unwanted":
                                    result = "handled"
                        if delivery.refused and lease is not None and (source.ended or not lease.valid()):
                            result = None  # the next owner gets it again, with its dialog
                            if not lease.valid():
                                delivery.answer("failed")
                        if sharing and not dedupe.comes_again(delivery, result):
                            await dedupe.share(delivery)
                        outcome = result
                finally:
                    undisturbed = ordering.running is delivery
                    if undisturbed and outcome is not None and not (dedupe.tracking or completion.listeners):
                        # `_finish`, without the calls: only its source has to know, and what waits behind it.
                        ordering.running = None
                        if delivery.ordering_key is not None:
                            ordering.leave(delivery)
                            undisturbed = False
                        if delivery.dialog is not None:
                            self.waiters.end(delivery, delivery.dialog, outcome)
                        if watermark is not None:
                            watermark.finish(frame.s or 0)
                        if source.watched is not None:
                            source.wake()
                    else:
                        self._finish(delivery, outcome)
                # A handler must not leak context variables or a pending cancellation into the next event.
                try:
                    leaked = copy_context() != context
                except Exception:  # noqa: BLE001 - a value of the user's may not be comparable
                    leaked = True
                if leaked or cancelling() or (runner.cancelled and runner.was_cancelled()):
                    return  # the pool starts a fresh worker
                left -= 1
            if not left:  # other tasks have their turn, and then a worker that sees to the rest
                backlog.wake_if_any()
            if self.closed or not await self._workers.park():
                return

    async def _run_around(
        self,
        around: Around,
        handlers: Sequence[Handler],
        context: object,
        delivery: Delivery,
    ) -> Outcome:
        """Run the handlers that take an event, and what is around them; return how the event ended."""
        runner = self._runner
        taking, result = await self._taking(handlers, context, delivery)
        reported: list[BaseException] = []

        async def run(handler: Handler) -> Exception | None:
            nonlocal result
            self._mark_handler(delivery, handler)
            try:
                await runner.run(handler, context, delivery)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - stays with its event
                if await runner.report(context, error, handler.name):
                    result = "failed"
                    if isinstance(error, LeaseLost):
                        delivery.refused = True
                    failure = error if isinstance(error, Exception) else RuntimeError(f"{handler.name} was cancelled")
                    reported.append(failure)
                    return failure
            if result == "unwanted":
                result = "handled"
            return None

        if not taking:
            return result
        self._mark_handler(delivery, taking[0])
        try:
            await around(context, taking, run)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - stays with its event
            if any(error is each for each in reported) or await runner.report(context, error, "middleware"):
                result = "failed"
        return "handled" if result == "unwanted" else result

    async def _taking(
        self, handlers: Sequence[Handler], context: object, delivery: Delivery
    ) -> tuple[list[Handler], Outcome]:
        """Return the handlers whose predicate holds for an event, and "failed" if one raised."""
        taking: list[Handler] = []
        result: Outcome = "unwanted"
        for handler in handlers:
            self._mark_handler(delivery, handler)
            try:
                if handler.when is None or handler.when(delivery.event):
                    taking.append(handler)
            except Exception as error:  # noqa: BLE001 - stays with its event
                result = "failed"
                await self._runner.report(context, error, handler.name)
        return taking, result

    def _mark_handler(self, delivery: Delivery, handler: Handler) -> None:
        if self._ordering.running is delivery:
            self._ordering.handler = handler
        else:
            delivery.handler = handler

    def _finish(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """End an event, and let it hold nothing any more; None: it was given up."""
        self._ordering.leave(delivery)
        delivery.handler = None
        if delivery.dialog is not None:
            self.waiters.end(delivery, delivery.dialog, outcome)
        self._completion.complete(delivery, outcome)
        if self._completion.listeners and outcome is not None:
            self._completion.report(delivery, outcome)
