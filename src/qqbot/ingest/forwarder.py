"""`Forwarder`: stands in for the dispatcher in a process that only receives events and publishes them to a sink.

Responsible for batches, order, retries, back-pressure, and for which events of each session are stored. An event is
finished when the sink has returned: then its seq is saved, and no later process asks the platform for it again.
Collaborators: the `EventSink` of the user, `models.watermark`, `lease` (fencing), `models.ingest` (the envelope). It
handles no event and keeps none beyond the process.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Protocol, Self, cast, runtime_checkable

from msgspec import Struct
from msgspec.structs import replace

from .._visible import visible_line
from ..aio.backoff import Backoff
from ..aio.cancellation import is_cancelled
from ..aio.capacity import Capacity
from ..aio.ending import end_tasks
from ..aio.throttle import Throttle
from ..aio.unawaited import take_error
from ..errors import ConfigError, FencedOut, Interrupted
from ..lease import Lease
from ..models.frames import SYSTEM_EVENTS, Frame
from ..models.ingest import Envelope, Fence, key_of
from ..models.watermark import Watermark


class EventSink(Protocol):
    """Stores events that are handled in another process.

    One that is an async context manager as well is entered before the first batch, and left after the last one. One
    that has `async def check_for(app_id)` may raise ConfigError there, if the bot's events cannot be stored.
    """

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        """Store the events, in order; returning means that they are safe.

        Raises: FencedOut, with the later owner's token, if a later owner has published; ConfigError for what a person
        has to correct, which ends the bot; anything else is retried.
        """
        ...


@runtime_checkable
class CheckableSink(Protocol):
    """A sink that can tell a wrong configuration before the first batch."""

    async def check_for(self, app_id: str) -> None:
        """Return if the bot's events can be stored, or the broker is away.  Raises: ConfigError."""
        ...


class Published(Struct, frozen=True):
    """One call of a sink, for metrics: the number of `events`, the `seconds` that it took, what it raised."""

    events: int
    seconds: float
    error: BaseException | None = None


PublishListener = Callable[[Published], None]
EnvelopeHook = Callable[[str, str, dict[str, str]], None]
"""Called with the wire name and the id of an event and with the headers of its envelope, to add some."""

log = logging.getLogger(__name__)

LARGEST_BATCH = 256  # events
RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.5, 30.0


class Forwarder:
    """Publishes events of the bot `app_id` to `sink` while `within` runs; at most `max_inflight` wait to be stored.

    `hooks` add headers to the envelopes; `listeners` are called after each call of the sink.
    """

    def __init__(
        self,
        sink: EventSink,
        *,
        app_id: str = "",
        max_inflight: int = 256,
        hooks: Sequence[EnvelopeHook] = (),
        listeners: Sequence[PublishListener] = (),
    ) -> None:
        self.sink = sink
        self.published = 0  # events that the sink has stored
        self.failures = 0  # calls of the sink that raised
        self._app_id = app_id
        self._hooks = hooks
        self._listeners = listeners
        self.closed = False  # a sink may swallow the cancellation of its sender: then this flag ends the retries
        self.refusal: ConfigError | None = None  # what the sink raised for a person to correct: nothing more is sent
        self.refused = asyncio.Event()  # set with it
        self.capacity = Capacity(max_inflight)  # events of all shards that wait to be stored
        self._senders: set[asyncio.Task[None]] = set()  # one for each source with events; ended by `within`
        self._stored: asyncio.Future[None] | None = None  # shared by all that wait for a change; None if none waits
        self._calls = CallBatcher(self)

    @asynccontextmanager
    async def within(self) -> AsyncGenerator[Self]:
        """Publish while the body runs; at its end give up what the sink has not stored."""
        self._loop = asyncio.get_running_loop()
        self.closed, self.refusal = False, None
        self.refused.clear()
        async with opened_sink(self.sink, self._app_id):
            try:
                yield self
            finally:
                self.closed = True
                await end_tasks(self._senders)
                self._calls.give_up()

    def feed(self, lease: Lease) -> "ForwardingSource":
        """Return a new source for the events of `lease`."""
        return ForwardingSource(self, lease)

    @property
    def inflight(self) -> int:
        """How many events wait to be stored."""
        return self.capacity.count

    @property
    def full(self) -> bool:
        """True if `max_inflight` events wait to be stored."""
        return self.capacity.full

    @property
    def full_for(self) -> float:
        """Seconds for which there has been no room for another event."""
        return self.capacity.full_for

    async def changed(self) -> None:
        """Return when events were stored, or given up."""
        if self._stored is None:
            self._stored = self._loop.create_future()
        await asyncio.shield(self._stored)  # shared, so a waiter that is cancelled must not cancel it

    def count_off(self, events: int) -> None:
        """Count so many events as waiting no longer: they were stored, or given up."""
        self.capacity.remove(count=events)
        if self._stored is not None:
            self._stored.set_result(None)
            self._stored = None

    async def receive(self, frame: Frame, raw: bytes) -> None:
        """Publish an event that came by webhook; return when it is stored.

        Raises: Interrupted if it was not: it has to come again.
        """
        await self._calls.publish(frame, raw)

    def refuse(self, error: ConfigError) -> None:
        """Send nothing more: a person has to correct something. The bot ends; what is not stored comes again."""
        self.closed, self.refusal = True, self.refusal or error
        self.refused.set()
        self.count_off(0)  # no event has to wait any longer

    async def store(self, batch: Sequence[Envelope], fence: Fence) -> None:
        """Call the sink, and the listeners.  Raises: what the sink raises."""
        began, error = time.monotonic(), None
        try:
            await self.sink.publish(batch, fence)
        except BaseException as raised:
            error = raised
            self.failures += 1
            raise
        else:
            self.published += len(batch)
        finally:
            if self._listeners:
                self._report(Published(len(batch), time.monotonic() - began, error))

    def _report(self, published: Published) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(published)
            except Exception:
                log.exception("an on_published callback failed")

    def envelope(
        self,
        frame: Frame,
        raw: bytes,
        event_id: str,
        shard: int | None = None,
        session: str = "",
        *,
        again: bool = False,
    ) -> Envelope:
        """Return the envelope of an event that came now."""
        name, headers = frame.t or "", dict[str, str]()
        for hook in self._hooks:
            try:
                hook(name, event_id, headers)
            except Exception:
                log.exception("an on_envelope hook failed")
        return Envelope(
            id=event_id,
            type=name,
            shard=shard,
            session=session,
            seq=frame.s or 0,
            key=key_of(name, frame.d, event_id),
            ts=round(time.time() * 1000),
            raw=raw,
            app_id=self._app_id,
            headers=headers,
            again=again,
        )

    def start(self, feed: "ForwardingSource | CallBatcher") -> None:
        """Publish what `feed` has, in a task that ends when nothing is left."""
        sender = self._loop.create_task(feed.send(), name=f"qqbot sink {feed.name}")
        self._senders.add(sender)
        sender.add_done_callback(self._sender_ended)

    def _sender_ended(self, sender: "asyncio.Task[None]") -> None:
        self._senders.discard(sender)
        if sender.cancelled():
            if not self.closed:
                log.error("another task has cancelled %r: its events are sent with the next one", sender.get_name())
        elif (error := sender.exception()) is not None:
            log.critical("events can no longer be sent to the sink", exc_info=error)


class ForwardingSource:
    """The source of events for one lease; counts which events of its session are stored."""

    def __init__(self, forwarder: Forwarder, lease: Lease) -> None:
        self.lease = lease
        self.name = str(lease.shard)
        self.watermark = Watermark()
        self.repeats = 0  # duplicates
        self._forwarder = forwarder
        self._session = ""  # for the envelope, and for the ids of events that have none
        self._waiting: deque[tuple[Envelope, Watermark]] = deque()  # each with the watermark of its own session
        self._sending = False  # one sender at a time keeps the order
        self._fenced = False  # the shard's later owner stores what comes from here on
        self._warnings = Throttle()

    @property
    def full(self) -> bool:
        """True if reading has to wait."""
        return self._forwarder.full or self.watermark.crowded

    async def room(self) -> None:
        """Return when there is room for another event."""
        await self._forwarder.capacity.room()
        while self.watermark.crowded:
            await self._forwarder.changed()
            await self._forwarder.capacity.room()

    def begin(
        self,
        session_id: str,
        seq: int,
        done: Sequence[tuple[int, int]] = (),
        *,
        taken_over: bool = False,
    ) -> None:
        """Start counting the session: everything up to `seq`, and the ranges `done`, is finished.

        `taken_over`: from an earlier process, which may have stored what is repeated until `caught_up`.
        """
        self._session = session_id
        self.watermark = Watermark(seq, done, taken_over=taken_over)

    def publish(self, frame: Frame, raw: bytes) -> bool:
        """Queue one dispatch, but no duplicate of the session; return False to wait before the next."""
        seq, name = frame.s, frame.t or ""
        if self._fenced:  # the later owner receives it too
            return not self._forwarder.full
        if seq is not None and not self.watermark.accept(seq):
            self.repeats += 1
            return True
        if name in SYSTEM_EVENTS:  # about the session itself, so no handler elsewhere needs them
            self.watermark.finish(seq or 0)
            return True
        event_id = frame.id or f"{self._session}:{seq}"
        again = seq is not None and self.watermark.is_again(seq)
        envelope = self._forwarder.envelope(frame, raw, event_id, self.lease.shard.index, self._session, again=again)
        self._waiting.append((envelope, self.watermark))
        is_room = self._forwarder.capacity.add()
        if not self._sending:
            self._sending = True
            self._forwarder.start(self)
            return not self._forwarder.full  # an eager task may have stored it already
        return is_room

    def caught_up(self, seq: int) -> None:
        """Mark everything up to `seq` as repeated; what follows is new."""
        self.watermark.caught_up(seq)

    async def drain(self, seconds: float) -> int:
        """Wait until every event is stored, at most `seconds`; return how many are not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._waiting and not self._fenced and self._forwarder.refusal is None:
                    await self._forwarder.changed()
        return len(self._waiting)

    def end(self) -> None:
        """Do nothing: no handler runs here, so there are no dialogs."""

    async def send(self) -> None:
        """Publish all that waits, in order, batch by batch."""
        try:
            while self._waiting and not self._forwarder.closed:
                # Kept in the queue until stored: a sender that ends before must not lose them.
                batch = [self._waiting[place] for place in range(min(len(self._waiting), LARGEST_BATCH))]
                if not await self._store([envelope for envelope, _ in batch]):
                    return
                for envelope, watermark in batch:
                    self._waiting.popleft()
                    watermark.finish(envelope.seq)
                self._forwarder.count_off(len(batch))
        finally:
            self._sending = False

    async def _store(self, batch: Sequence[Envelope]) -> bool:
        """Publish `batch` until it is stored; return False if it is left to a later owner of the shard."""
        backoff, failures = Backoff(RETRY_SECONDS, LONGEST_RETRY_SECONDS), 0
        fence = Fence(self.lease.shard, self.lease.token)
        while True:
            try:
                await self._forwarder.store(batch, fence)
            except FencedOut as error:
                log.warning("shard %s: %s; it is given up here", self.lease.shard, visible_line(str(error)))
                self._give_shard_up()
                self.lease.fenced(error.token)
                return False
            except ConfigError as error:
                self._forwarder.refuse(error)
                return False
            except (Exception, asyncio.CancelledError) as error:  # a failing sink must not lose events
                if isinstance(error, asyncio.CancelledError) and is_cancelled():
                    raise  # we are asked to end; any other cancellation came out of something that the sink awaited
                self._warn(error)
            else:
                if failures:
                    log.info("shard %s: the sink takes events again. 事件又能存入了", self.lease.shard)
                return True
            if self._forwarder.closed:  # the sink swallowed our cancellation, or raised another error instead
                return False
            batch = [envelope if envelope.again else replace(envelope, again=True) for envelope in batch]
            await asyncio.sleep(backoff.delay(failures, random.random()))
            failures += 1

    def _give_shard_up(self) -> None:
        """Drop what was not stored: the platform replays it to the shard's next owner."""
        self._fenced = True
        events = len(self._waiting)
        self._waiting.clear()
        self._forwarder.count_off(events)

    def _warn(self, error: BaseException) -> None:
        if self._warnings.ready():
            cause = visible_line(str(error)).rstrip(". ") or type(error).__name__
            log.warning(
                "shard %s: the sink takes no events, trying again until it does: %s. 事件暂时无法存入，正在重试",
                *(self.lease.shard, cause),
            )


class CallBatcher:
    """Publishes the events of webhook calls, in the order of their arrival; a call waits until its event is stored.

    A batch that the sink refuses is not kept: its calls are answered so that the platform delivers the events again.
    """

    name = "webhook"

    def __init__(self, forwarder: Forwarder) -> None:
        self._forwarder = forwarder
        self._waiting: deque[tuple[Envelope, asyncio.Future[None]]] = deque()
        # By event id: the platform repeats a call that takes long.
        self._unfinished: dict[str, asyncio.Future[None]] = {}
        self._sending = False  # one sender at a time keeps the order
        self._warnings = Throttle()

    async def publish(self, frame: Frame, raw: bytes) -> None:
        """Publish one event; a duplicate of one that is not stored yet waits with it.  Raises: Interrupted."""
        event_id = frame.id or ""
        stored = self._unfinished.get(event_id)
        if stored is None:
            await self._forwarder.capacity.room()
            stored = self._unfinished.get(event_id)  # a duplicate may have had its turn first
        if stored is None:
            stored = self._put(frame, raw, event_id)
        await asyncio.shield(stored)  # a call that gives up must not take the event away from its duplicates

    def _put(self, frame: Frame, raw: bytes, event_id: str) -> "asyncio.Future[None]":
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        stored.add_done_callback(take_error)  # all calls may have given up before it comes
        self._unfinished[event_id] = stored
        self._waiting.append((self._forwarder.envelope(frame, raw, event_id), stored))
        self._forwarder.capacity.add()
        if not self._sending:
            self._sending = True
            self._forwarder.start(self)
        return stored

    async def send(self) -> None:
        """Publish all that waits, in order, batch by batch."""
        try:
            while self._waiting and not self._forwarder.closed:
                batch = [self._waiting[place] for place in range(min(len(self._waiting), LARGEST_BATCH))]
                try:
                    await self._forwarder.store([envelope for envelope, _ in batch], Fence(None, 0))
                except (Exception, asyncio.CancelledError) as error:  # a failing sink must not lose events
                    if isinstance(error, asyncio.CancelledError) and is_cancelled():
                        raise  # we are asked to end; any other cancellation came out of something that the sink awaited
                    if isinstance(error, ConfigError):
                        self._forwarder.refuse(error)
                    elif self._warnings.ready():
                        cause = visible_line(str(error)).rstrip(". ") or type(error).__name__
                        log.warning(
                            "the sink takes no events of webhook calls, they have to come again: %s. "
                            "事件暂时无法存入，等待平台重新推送",
                            cause,
                        )
                    self._end(len(batch), Interrupted("the sink did not store the event: it has to come again"))
                else:
                    self._end(len(batch), None)
        finally:
            self._sending = False

    def _end(self, events: int, error: Interrupted | None) -> None:
        for _ in range(events):
            envelope, stored = self._waiting.popleft()
            self._unfinished.pop(envelope.id, None)
            if error is None:
                stored.set_result(None)
            else:
                stored.set_exception(error)
        self._forwarder.count_off(events)

    def give_up(self) -> None:
        """Let the calls that wait be answered: the platform delivers their events again."""
        self._end(len(self._waiting), Interrupted("the bot is stopping: the event has to be delivered again"))


def opened(end: object) -> AbstractAsyncContextManager[object]:
    """Return the sink or source itself if it is an async context manager, else one that does nothing."""
    if not isinstance(end, AbstractAsyncContextManager):
        return nullcontext()
    return cast("AbstractAsyncContextManager[object]", end)


@asynccontextmanager
async def opened_sink(sink: EventSink | None, app_id: str) -> AsyncGenerator[None]:
    """Enter a sink, and check it.  Raises: ConfigError."""
    async with opened(sink):
        if isinstance(sink, CheckableSink):
            await sink.check_for(app_id)
        yield
