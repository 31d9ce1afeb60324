"""`EventWorker`: handles the events of a source, in order, bounded, until they are done.

Responsible for how many events are open at a time, for repeats after a failure, for dead letters, and for what is too
old. Collaborators: `source` (delivers and acknowledges), the function that runs the handlers of one event. It does not
decide which process reads which partition: the source does.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from msgspec.structs import replace

from .._visible import visible_line
from ..aio.background import background
from ..aio.backoff import Backoff
from ..aio.cancellation import is_cancelled
from ..aio.capacity import Capacity
from ..aio.ending import end_tasks
from ..aio.throttle import Throttle
from ..errors import ConfigError, DecodeError, Interrupted
from ..lease import Ownership
from ..models.ingest import Envelope, Fence, Received
from ..models.outcome import Outcome
from .forwarder import EventSink, opened, opened_sink
from .source import EventSource, Partition

log = logging.getLogger(__name__)

Accept: TypeAlias = Callable[[Envelope, Ownership, bool], Awaitable["asyncio.Future[Outcome | None]"]]
"""Takes one event as soon as there is room; True: it may have been begun before.  Raises: Interrupted, DecodeError."""

EndLease: TypeAlias = Callable[[Ownership], Awaitable[None]]
"""Ends the dialogs of events that were accepted under a lease, and waits for their ends for a moment."""

ATTEMPTS = 3
MOST_DELIVERIES = 20  # an event that so many workers have begun, and none has ended, is what ends them
RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.5, 30.0
ATTEMPTS_HEADER, REASON_HEADER = "qqbot-attempts", "qqbot-reason"


class EventWorker:
    """Handles the events of one source.

    `concurrency`: events that are begun at a time, without those whose handlers are suspended in `wait_for`. `max_age`:
    seconds after which an event is dropped, None: never. `attempts`: how often a failing event is run. `dead_letters`
    gets what fails at last. `drain`: seconds that handlers have when a partition is given up.
    """

    def __init__(
        self,
        accept: Accept,
        end_lease: EndLease,
        app_id: str,
        *,
        concurrency: int,
        max_age: float | None,
        attempts: int,
        dead_letters: EventSink | None,
        drain: float,
    ) -> None:
        self.retries = 0  # runs after a failure
        self.dead = 0  # events given up after the last attempt
        self.expired = 0  # events dropped because of their age
        self.capacity = Capacity(concurrency)
        self._accept = accept
        self._end_lease = end_lease
        self._app_id = app_id
        self._max_age = max_age
        self._attempts = attempts
        self._dead_letters = dead_letters
        self._drain = drain
        self._source: EventSource | None = None
        self._stopped = False
        self._refusal: ConfigError | None = None  # of the dead letters
        self._open: dict[str, _OpenEvent] = {}  # by event id; of duplicates, the last one
        self._warnings = Throttle()

    @property
    def lag(self) -> int:
        """How many stored events of this process are not finished."""
        return 0 if self._source is None else self._source.lag

    async def run(self, source: EventSource) -> None:
        """Handle events until it, or the source, is stopped.

        Raises: ConfigError, also if the dead letters refuse an event; what the source raises.
        """
        self._source = source
        async with opened_sink(self._dead_letters, self._app_id), opened(source):
            if not self._stopped:
                await source.run(self._app_id, self._work)
        if self._refusal is not None:
            raise self._refusal

    async def stop(self) -> None:
        """Let `run` return when what has begun has ended, also if it is only starting."""
        self._stopped = True
        if self._source is not None:
            await self._source.stop()

    def suspended(self, event_id: str, outcome: Outcome) -> None:
        """Let another event begin: the handler of this one waits for it, perhaps. A callback of `on_settled`."""
        if outcome == "waiting" and (event := self._open.get(event_id)) is not None:
            event.suspend()

    async def _work(self, partition: Partition) -> None:
        """Handle the events of one partition until it is given up."""
        begun = _Begun()
        try:
            with contextlib.suppress(Interrupted):  # the bot is stopping: what it has begun may end
                async with background(self._begin_again(begun), name=f"qqbot worker {partition.lease.shard}"):
                    while batch := await partition.receive():
                        for received in batch:
                            if self._admits(partition, received):
                                # It takes what is free at once, also before those that queue.
                                if self.capacity.full:
                                    await self.capacity.room()
                                await self._begin(_OpenEvent(self.capacity, partition, received, begun))
            try:
                async with asyncio.timeout(self._drain):
                    while begun.running():
                        begun.ended.clear()
                        await begun.ended.wait()
            except TimeoutError:
                log.warning(
                    "partition %s: %d events are unfinished after %g s, and come again",
                    *(partition.lease.shard, begun.running(), self._drain),
                )
            # A handler that still waited would take events of the next ownership. Where this is cancelled, the first
            # event of the next ownership ends the dialogs.
            await self._end_lease(partition.lease)
        finally:
            tasks = [event.task for event in begun.events if event.task is not None]
            for event in list(begun.events):
                self._close(event)
            await end_tasks(tasks)

    async def _begin_again(self, begun: "_Begun") -> None:
        """Begin again, in order, what was given up together with an earlier ownership of the partition."""
        with contextlib.suppress(Interrupted):
            while True:
                await begun.given_up.wait()
                await asyncio.sleep(RETRY_SECONDS)  # the events of one dialog are given up one by one
                begun.given_up.clear()
                for event in [event for event in begun.events if event.given_up]:
                    event.given_up = False
                    self.retries += 1
                    await self._start(event, again=True)

    def _admits(self, partition: Partition, received: Received) -> bool:
        """Return whether an event is to be handled; otherwise it is done with."""
        envelope = received.envelope
        if envelope.app_id and envelope.app_id != self._app_id:
            if self._warnings.ready("app"):
                log.error(
                    "events of the bot %.40r are dropped: this worker runs the bot %s. 事件属于另一个机器人，已丢弃",
                    envelope.app_id,
                    self._app_id,
                )
        elif self._max_age is not None and time.time() - envelope.ts / 1000 > self._max_age:
            self.expired += 1
            if self._warnings.ready("age"):
                log.warning(
                    "events older than %g s are dropped, %d so far. 过旧的事件已丢弃", self._max_age, self.expired
                )
        else:
            return True
        partition.done(received)
        return False

    async def _begin(self, event: "_OpenEvent") -> None:
        """Start the handlers of an event; return before their end."""
        first = self._open.get(event.envelope.id)
        self._open[event.envelope.id] = event
        event.open()
        if first is not None and first.suspended:  # a duplicate ends with it, so it takes no place either
            event.suspend()
        if event.received.deliveries > MOST_DELIVERIES:
            self._start_to_bury(event, f"{event.received.deliveries} workers did not end it")
            return
        await self._start(event, again=event.received.deliveries > 1)

    async def _start(self, event: "_OpenEvent", *, again: bool) -> None:
        try:
            outcome = await self._accept(event.envelope, event.partition.lease, again)
        except DecodeError as error:
            self._start_to_bury(event, str(error))
        except BaseException:
            self._close(event)
            raise
        else:
            outcome.add_done_callback(lambda done: self._ended(event, done))

    def _ended(self, event: "_OpenEvent", outcome: "asyncio.Future[Outcome | None]") -> None:
        """Acknowledge an event, or run it again."""
        if not event.is_open or outcome.cancelled():
            return
        error = outcome.exception()
        result = None if error is not None else outcome.result()
        if result == "failed":
            event.task = asyncio.create_task(self._repeat(event), name="qqbot worker retry")
        elif result is None and event.partition.lease.valid():
            event.give_up()  # it was a repeat of one that an earlier ownership of the partition had begun
        else:
            self._finish(event, result)

    def _finish(self, event: "_OpenEvent", outcome: Outcome | None) -> None:
        """Acknowledge an event, unless it was given up (None): then it comes again."""
        if outcome is not None:
            event.partition.done(event.received)
        self._close(event)

    async def _repeat(self, event: "_OpenEvent") -> None:
        """Run a failed event again until it ends, or for the last time."""
        backoff = Backoff(RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        try:
            for attempt in range(1, self._attempts):
                await asyncio.sleep(backoff.delay(attempt - 1, random.random()))
                self.retries += 1
                outcome = await (await self._accept(event.envelope, event.partition.lease, True))
                if outcome != "failed":
                    self._finish(event, outcome)
                    return
        except Interrupted:
            self._close(event)
            return
        if event.partition.lease.valid():
            await self._bury(event, "its handlers failed")
        else:
            self._close(event)  # the next owner of the partition gets it

    def _start_to_bury(self, event: "_OpenEvent", reason: str) -> None:
        event.task = asyncio.create_task(self._bury(event, reason), name="qqbot worker dead letter")

    async def _bury(self, event: "_OpenEvent", reason: str) -> None:
        """Give an event up: publish it to the dead letters, and acknowledge it."""
        headers = event.envelope.headers | {ATTEMPTS_HEADER: str(self._attempts), REASON_HEADER: reason}
        if self._dead_letters is None:
            log.error("event %.200r is given up: %s. 事件处理失败，已放弃", event.envelope.id, visible_line(reason))
        else:
            try:
                await self._publish(self._dead_letters, replace(event.envelope, headers=headers))
            except ConfigError as error:  # it is not done, and comes again
                self._refusal = self._refusal or error
                self._close(event)
                await self.stop()
                return
        self.dead += 1
        self._finish(event, "failed")

    async def _publish(self, sink: EventSink, letter: Envelope) -> None:
        backoff, failures = Backoff(RETRY_SECONDS, LONGEST_RETRY_SECONDS), 0
        while True:
            try:
                await sink.publish([letter], Fence(None, 0))
            except ConfigError:
                raise
            except (Exception, asyncio.CancelledError) as error:  # a failing sink must not lose the event
                if isinstance(error, asyncio.CancelledError) and is_cancelled():
                    raise  # we are asked to end; any other cancellation came out of something that the sink awaited
                if self._warnings.ready("dead"):
                    cause = visible_line(str(error)).rstrip(". ") or type(error).__name__
                    log.warning(
                        "dead letters cannot be stored, trying again until they are: %s. 死信暂时无法存入，正在重试",
                        cause,
                    )
            else:
                return
            await asyncio.sleep(backoff.delay(failures, random.random()))
            failures += 1

    def _close(self, event: "_OpenEvent") -> None:
        if self._open.get(event.envelope.id) is event:
            del self._open[event.envelope.id]
        event.close()


class _Begun:
    """What has begun in one partition, and has not ended."""

    def __init__(self) -> None:
        self.events: dict[_OpenEvent, None] = {}  # in the order in which they began
        self.ended = asyncio.Event()  # set when one was finished, suspended, or given up
        self.given_up = asyncio.Event()  # set when one has to begin again

    def running(self) -> int:
        """Return how many have handlers that are not suspended."""
        return sum(not event.suspended and not event.given_up for event in self.events)


class _OpenEvent:
    """One event from the source until it is done, or is left to the next owner of its partition."""

    def __init__(
        self,
        capacity: Capacity,
        partition: Partition,
        received: Received,
        begun: _Begun,
    ) -> None:
        self.envelope = received.envelope
        self.partition = partition
        self.received = received
        self.is_open = False
        self.given_up = False  # it has to begin again
        self.suspended = False  # its handler is in `wait_for`, or was: then it takes no place any more
        self.task: asyncio.Task[None] | None = None  # runs it again, or buries it
        self._capacity = capacity
        self._begun = begun

    def open(self) -> None:
        """Take a place."""
        self.is_open = True
        self._begun.events[self] = None
        self._capacity.add()

    def suspend(self) -> None:
        """Give the place to another event."""
        if self.is_open and not self.suspended:
            self.suspended = True
            self._capacity.remove()
            self._begun.ended.set()

    def give_up(self) -> None:
        """Mark it to begin again."""
        self.given_up = True
        self._begun.given_up.set()
        self._begun.ended.set()

    def close(self) -> None:
        """Take no place any more."""
        if self.is_open:
            self.is_open = False
            self._begun.events.pop(self, None)
            if not self.suspended:
                self._capacity.remove()
            self._begun.ended.set()
