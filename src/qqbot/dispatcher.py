"""Takes frames from shards, drops repeats and unwanted ones, and runs the handlers of the rest.

Owns order, bounds and workers: events of one lane (a conversation) run one after another, lanes run side by
side, at most `max_inflight` events are accepted and unfinished. Workers are started on demand, reused, and
ended when idle; an event whose handlers do not suspend costs no task. What a handler is, is the router's.
"""

import asyncio
import contextlib
import logging
import types
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any, Self

from .gateway.frames import Frame
from .models.events import Event, MessageEvent, UnknownEvent, decode_event
from .ports import Clock, Handler, Handlers, Lease, Outcome, Settled, current_lease
from .watermark import Watermark

log = logging.getLogger(__name__)

REMEMBERED_MESSAGES = 4096
REMEMBERED_WORDS = 1024
SYSTEM_EVENTS = ("READY", "RESUMED")
IDLE_SECONDS = 5.0


class _Entry:
    """One accepted event; entries of one lane are a chain."""

    __slots__ = ("event", "feed", "frame", "lane", "next", "raw", "received", "watermark")

    def __init__(self, event: Event, frame: Frame, raw: bytes, feed: "Feed", received: float) -> None:
        self.event = event
        self.lane = event.lane
        self.frame = frame
        self.raw = raw
        self.feed = feed
        self.received = received
        self.watermark = feed.watermark  # that of its own session: the feed may have begun another since
        self.next: _Entry | None = None


class Feed:
    """The dispatcher's inlet for one lease; counts what of its session is finished."""

    def __init__(self, dispatcher: "Dispatcher", lease: Lease) -> None:
        self.lease = lease
        self.watermark = Watermark()
        self.repeats = 0
        self.pending = 0
        self._dispatcher = dispatcher
        self._drained: asyncio.Future[None] | None = None

    @property
    def full(self) -> bool:
        """Whether reading has to wait."""
        return self._dispatcher.full

    async def room(self) -> None:
        """Return when there is room for another event."""
        await self._dispatcher.room()

    def begin(self, session_id: str, seq: int, done: Sequence[tuple[int, int]] = ()) -> None:
        """Start counting the session: everything up to `seq`, and the ranges `done`, is finished."""
        log.debug("counting session %s from seq %d", session_id, seq)
        self.watermark = Watermark(seq, done)

    def publish(self, frame: Frame, raw: bytes) -> None:
        """Take one dispatch; a repeat of what this session delivered before is dropped."""
        if frame.s is not None and not self.watermark.accept(frame.s):
            self.repeats += 1
            return
        self._dispatcher.accept(frame, raw, self)

    async def drain(self, seconds: float) -> int:
        """Wait until every event is finished, at most `seconds`; return how many are not."""
        if self.pending:
            self._drained = asyncio.get_running_loop().create_future()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained, seconds)
            self._drained = None
        return self.pending

    def leave(self, watermark: Watermark, finished: int | None) -> None:
        """Note that one event needs no more work here; `finished` is its seq if it is never to come again."""
        self.pending -= 1
        if finished is not None:
            watermark.finish(finished)
        if not self.pending and self._drained is not None and not self._drained.done():
            self._drained.set_result(None)


@types.coroutine
def _go_on(context: Context, coroutine: Coroutine[Any, Any, None], awaited: object) -> Generator[Any, Any, None]:
    """Await the rest of `coroutine`, which was begun inside `context` and waits for `awaited`.

    Each step is taken inside `context`; the task, and with it cancelling and timeouts, stays the worker's.
    """
    while True:
        step: Callable[[Any], Any] = coroutine.send
        value: object
        try:
            value = yield awaited
        except BaseException as error:  # noqa: BLE001 - a cancellation has to reach the handler too
            value, step = error, coroutine.throw
        try:
            awaited = context.run(step, value)
        except StopIteration:
            return


class Dispatcher:
    """Runs handlers for the events that its feeds take in, inside `within`."""

    def __init__(self, handlers: Handlers, clock: Clock, *, max_inflight: int = 256) -> None:
        self.settled: list[Settled] = []
        self.surprises: Counter[tuple[str, str]] = Counter()
        self._handlers = handlers
        self._clock = clock
        self._max_inflight = max_inflight
        self._inflight = 0
        self._tails: dict[str, _Entry] = {}  # the last entry of each lane that has work
        self._ready: deque[_Entry] = deque()  # the first entry of each lane that nobody works on
        self._workers: set[asyncio.Task[None]] = set()
        self._parked: list[asyncio.Future[bool]] = []
        self._closing = False
        self._waking = False
        self._fewest_parked = 0
        self._trimmer: asyncio.TimerHandle | None = None
        self._roomy: asyncio.Future[None] | None = None
        self._named: set[str] = set()
        self._messages: dict[str, tuple[Handler, ...]] = {}
        self._older_messages: dict[str, tuple[Handler, ...]] = {}

    @asynccontextmanager
    async def within(self, context: Context) -> AsyncGenerator[Self]:
        """Run handlers while the body runs, each event's in a copy of `context`; leaving cancels them."""
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

    def feed(self, lease: Lease) -> Feed:
        """Return a new inlet for the events of `lease`."""
        return Feed(self, lease)

    @property
    def inflight(self) -> int:
        """How many events are accepted and unfinished."""
        return self._inflight

    @property
    def workers(self) -> int:
        """How many worker tasks exist."""
        return len(self._workers)

    @property
    def full(self) -> bool:
        """Whether `max_inflight` events are accepted and unfinished."""
        return self._inflight >= self._max_inflight

    async def room(self) -> None:
        """Return when fewer than `max_inflight` events are unfinished."""
        while self.full:
            if self._roomy is None:
                self._roomy = self._loop.create_future()
            await asyncio.shield(self._roomy)

    def accept(self, frame: Frame, raw: bytes, feed: Feed) -> None:
        """Queue one event in its lane; an unwanted one is finished at once, its `d` undecoded."""
        name = frame.t or ""
        feed.pending += 1
        if not self._handlers.wanted(name):
            self._drop_unwanted(name, frame, feed)
            return
        event = decode_event(name, frame.d, self._note_surprise)
        if isinstance(event, UnknownEvent):
            self._note_unknown(event)
        entry = _Entry(event, frame, raw, feed, self._clock())
        self._inflight += 1
        lane = entry.lane
        tail = self._tails.get(lane) if lane else None
        if lane:
            self._tails[lane] = entry
        if tail is not None:
            tail.next = entry
            return
        self._ready.append(entry)
        if not self._waking:
            self._wake()

    def _drop_unwanted(self, name: str, frame: Frame, feed: Feed) -> None:
        if name not in SYSTEM_EVENTS and self._first_time(name):
            log.info("nobody handles %s; to handle it: @bot.on(%r)", name, name)
        feed.leave(feed.watermark, frame.s)
        self._settle(frame, "unwanted")

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

    def _wake(self) -> None:
        """See that one more worker looks at the ready lanes, unless one is on its way already."""
        self._waking = True
        while self._parked:
            future = self._parked.pop()
            self._fewest_parked = min(self._fewest_parked, len(self._parked))
            if not future.done():
                future.set_result(True)
                return
        worker = self._loop.create_task(self._work(), name="qqbot worker")
        self._workers.add(worker)
        worker.add_done_callback(self._bury)

    def _bury(self, worker: "asyncio.Task[None]") -> None:
        self._workers.discard(worker)
        if not worker.cancelled() and (error := worker.exception()) is not None:
            log.critical("a handler ended its worker", exc_info=error)
        if self._ready and not self._closing and not self._waking:
            self._wake()  # it may have been about to go on with its lane

    async def _work(self) -> None:
        ready = self._ready
        while True:
            self._waking = False
            while ready:  # no more than `max_inflight`, so the loop is not held up for long
                entry = ready.popleft()
                if ready and not self._waking:
                    self._wake()  # this worker may suspend in a handler: somebody must see the other lanes
                # In a context of its own: what a handler sets in it, the next event never sees.
                handling, context = self._handle(entry), self._context.copy()
                try:
                    awaited = context.run(handling.send, None)
                except StopIteration:
                    continue  # nothing suspended
                await _go_on(context, handling, awaited)
            if self._closing or not await self._park():
                return

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

    async def _handle(self, entry: _Entry) -> None:
        lease = entry.feed.lease
        finished: int | None = None
        try:
            if lease.valid():  # else it stays unfinished: the next owner of the shard gets it again
                current_lease.set(lease)
                outcome = await self._run_handlers(entry, lease)
                finished = entry.frame.s
                if self.settled:
                    self._settle(entry.frame, outcome)
        finally:
            entry.feed.leave(entry.watermark, finished)
            self._leave_lane(entry)

    async def _run_handlers(self, entry: _Entry, lease: Lease) -> Outcome:
        event = entry.event
        handlers = self._handlers.match(event)
        if isinstance(event, MessageEvent):
            handlers = self._not_yet_run(event.id, handlers)
        if not handlers:
            return "unwanted"
        outcome: Outcome = "unwanted"
        context = self._handlers.context(event, entry.frame, entry.raw, lease, entry.received)
        for handler in handlers:
            try:
                if handler.when is not None and not handler.when(event):
                    continue
                if outcome == "unwanted":
                    outcome = "handled"
                await handler.function(context)
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

    async def _report(self, context: object, error: Exception, name: str) -> None:
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

    def _not_yet_run(self, message: str, handlers: Sequence[Handler]) -> Sequence[Handler]:
        """Return the handlers that have not had this message: the platform may deliver one twice."""
        earlier = self._messages.get(message) or self._older_messages.get(message)
        if earlier is None:
            self._messages[message] = tuple(handlers)
            if len(self._messages) >= REMEMBERED_MESSAGES:
                self._older_messages, self._messages = self._messages, {}
            return handlers
        fresh = tuple(handler for handler in handlers if handler not in earlier)
        self._messages[message] = earlier + fresh
        return fresh

    def _leave_lane(self, entry: _Entry) -> None:
        self._inflight -= 1
        if self._roomy is not None and self._inflight < self._max_inflight:
            self._roomy.set_result(None)
            self._roomy = None
        if entry.next is not None:
            self._ready.append(entry.next)
        elif entry.lane and self._tails.get(entry.lane) is entry:
            del self._tails[entry.lane]

    def _settle(self, frame: Frame, outcome: Outcome) -> None:
        for callback in tuple(self.settled):
            try:
                callback(frame.id or "", outcome)
            except Exception:
                log.exception("an on_settled callback failed")
