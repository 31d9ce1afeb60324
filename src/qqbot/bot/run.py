"""`BotRun`: what exists while a bot is served once, from its API client to its handlers.

Responsible for the order in which these parts start and end, for the tasks of the bot, and for taking events that no
shard of this process received. Collaborators: `runtime` (makes the parts), `shards` (runs the shards), `dispatcher`
(runs the handlers). It reads no configuration.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from contextvars import Context, ContextVar, copy_context
from typing import TypeVar

from .._visible import visible
from ..aio.background import Troubles, background, current_troubles, repeat
from ..aio.cancellation import unexpected_cancellation
from ..aio.ending import ENDING_SECONDS, end_tasks
from ..aio.loop_lag import LoopLag
from ..aio.loops import check_loop
from ..api.client import Api
from ..dispatcher import DirectSource, Dispatcher
from ..dispatcher.delivery import NO_HEADERS
from ..errors import ConfigError, Interrupted, QQBotError
from ..ingest import Forwarder
from ..ingest.source import EventSource
from ..ingest.worker import EventWorker
from ..lease import Ownership, current_lease
from ..models.frames import Frame
from ..models.outcome import Outcome
from ..models.stats import BotStats
from .shards import ShardSupervisor

log = logging.getLogger(__name__)

T = TypeVar("T")

STANDSTILL_SECONDS = 30.0
ROOM_SECONDS = 3.0
"""How long a webhook call waits while too many events are unfinished; then it has to come again."""

_inside: ContextVar["BotRun | None"] = ContextVar("qqbot_inside", default=None)
"""The run that the current task belongs to: a task that waits for its own end deadlocks."""


class BotRun:
    """One bot in one event loop, from entering `serve` to leaving it."""

    def __init__(
        self,
        api: Api,
        dispatcher: Dispatcher,
        supervisor: ShardSupervisor | None,
        forwarder: Forwarder | None,
        *,
        drain: float,
    ) -> None:
        """`supervisor` None: no gateway connection. `drain`: seconds that the handlers have at the end."""
        self.loop = asyncio.get_running_loop()  # no other one takes events, or stops the run
        self.api = api
        self.supervisor = supervisor
        self.dispatcher = dispatcher
        self.forwarder = forwarder
        self.loop_lag = LoopLag()
        self.troubles: Troubles = {}  # background tasks that fail or have ended
        self._standstill_logged = False  # once for each standstill, until reading goes on
        self._drain = drain
        self._direct_source: DirectSource | None = None  # made for the first event that comes by no shard
        self._leased: dict[int, DirectSource] = {}  # by the id of the lease under which their events are handled
        self._workers: list[EventWorker] = []  # those that read from sources, or did: their counters stay
        self._over = asyncio.Event()  # set when the bot was asked to stop, or has ended by itself
        self._begun = asyncio.Event()  # set when the lifespan was entered: no event is handled before
        self._main: asyncio.Task[None] | None = None  # runs the shards; None before the lifespan was entered
        self._enterer = asyncio.current_task()  # enters the lifespan, so it must not wait for what follows
        self._owner: asyncio.Task[object] | None = None  # leaves `run`: its cancellation is ours
        self._background: set[asyncio.Task[object]] = set()  # spawned and unfinished; asyncio itself keeps weak ones
        self._draining: set[asyncio.Task[object]] = set()  # those of them that are waited for at the end
        self._closed = False  # True when the bot has drained: nothing would cancel a task that is spawned now

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Run shards and handlers while the body runs; leaving drains, then cancels what is left.

        Raises: on leaving, the error that ended the shards.
        """
        async with (
            self._collecting_troubles(),
            self.dispatcher.within(self._own_context()),
            self._forwarding(),
            background(self._stop_when_refused(), name="qqbot sink refusal"),
            background(repeat(self._watch_reading), name="qqbot reading watch"),
            background(repeat(self.loop_lag.look), name="qqbot loop lag"),
        ):
            self._owner = asyncio.current_task()
            main = self._main = asyncio.create_task(self._run_shards(), name="qqbot shards")
            self._begun.set()
            try:
                yield
            finally:
                await self._end_shards(main)
        self._raise_failure()

    @asynccontextmanager
    async def _collecting_troubles(self) -> AsyncGenerator[None]:
        """Let the tasks that begin while the body runs report their troubles to `self.troubles`."""
        before = current_troubles.get()
        current_troubles.set(self.troubles)
        try:
            yield
        finally:
            current_troubles.set(before)  # not by a token: a test may leave in another context than it entered

    async def _stop_when_refused(self) -> None:
        """Stop when the sink refuses the events until a person corrects something."""
        if self.forwarder is not None:
            await self.forwarder.refused.wait()
            log.error("the bot has stopped: %s", visible(str(self.forwarder.refusal)))
            self._over.set()

    def _forwarding(self) -> AbstractAsyncContextManager[object]:
        return nullcontext() if self.forwarder is None else self.forwarder.within()

    @property
    def direct_source(self) -> DirectSource:
        """The source of events that no shard of this process received."""
        if self._direct_source is None:
            self._direct_source = DirectSource(self.dispatcher)
        return self._direct_source

    async def receive(self, frame: Frame, raw: bytes, *, awaited: bool) -> Outcome | None:
        """Take an event that came by webhook; return its outcome if it is `awaited`, None if it was queued.

        Raises: Interrupted when the bot is stopping, TimeoutError when there was no room for a while, ConfigError
        from another event loop.
        """
        self._check_open(frame)
        async with asyncio.timeout(ROOM_SECONDS):
            await self._begun.wait()  # the lifespan comes first
            self._check_open(frame)
            if self.forwarder is not None:
                await self.forwarder.receive(frame, raw)
                return None
            if not awaited:
                if await self.direct_source.take(frame, raw):
                    return None
                raise _interrupted(frame)
            accepted = await self.direct_source.accept(frame, raw, retry=True)
        outcome = await accepted  # outside the timeout: it limits the wait for room, and not the handlers
        if outcome is None:
            raise _interrupted(frame)
        return outcome

    async def handle(
        self,
        frame: Frame,
        raw: bytes,
        *,
        age: float,
        lease: Ownership | None = None,
        again: bool = False,
        retry: bool = False,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Outcome:
        """Take an event that another process received `age` seconds ago; return how it ended.

        Raises: as `accept`; Interrupted when the bot stops first, or the lease is lost.
        """
        ending = await self.accept(frame, raw, age=age, lease=lease, again=again, retry=retry, headers=headers)
        outcome = await ending
        if outcome is None:
            raise _interrupted(frame)
        return outcome

    async def accept(
        self,
        frame: Frame,
        raw: bytes,
        *,
        age: float,
        lease: Ownership | None,
        again: bool,
        retry: bool,
        headers: Mapping[str, str],
    ) -> "asyncio.Future[Outcome | None]":
        """Take an event of another process as soon as there is room; return the future of its outcome.

        Raises: Interrupted when the bot stops first; ConfigError from another event loop, or from the lifespan itself.
        """
        if self._main is None and asyncio.current_task() is self._enterer:
            raise ConfigError("the lifespan is entered before the bot handles events: bot.spawn() what calls handle()")
        self._check_open(frame)
        await self._begun.wait()
        self._check_open(frame)
        source = self.direct_source if lease is None else self._source_of(lease)
        return await source.accept(frame, raw, age=age, retry=retry, again=again, headers=headers)

    def _source_of(self, lease: Ownership) -> DirectSource:
        """Return the source of the events that are handled under `lease`."""
        if (source := self._leased.get(id(lease))) is None:
            for key, each in list(self._leased.items()):
                if each.lease is None or not each.lease.valid():
                    each.end()
                    del self._leased[key]  # a lease that is valid again gets a new one
            source = self._leased[id(lease)] = DirectSource(self.dispatcher, lease)
        return source

    async def end_lease(self, lease: Ownership) -> None:
        """End the dialogs under a lease that is given up; if the bot stops, the end of the dispatcher cancels them."""
        if not self.stopping and (source := self._leased.get(id(lease))) is not None:
            source.end()
            await source.drain(ENDING_SECONDS)

    async def work(self, source: EventSource, worker: EventWorker) -> None:
        """Handle the events of `source` until the bot is asked to stop, or the source ends.

        Raises: ConfigError; what the source raises.
        """
        self._workers.append(worker)
        self.dispatcher.settled.append(worker.suspended)
        try:
            async with background(self._stop_at_end(worker), name="qqbot source end"):
                await worker.run(source)
        finally:
            self.dispatcher.settled.remove(worker.suspended)

    async def _stop_at_end(self, worker: EventWorker) -> None:
        await self._over.wait()
        await worker.stop()

    def _check_open(self, frame: Frame) -> None:
        """Raises: Interrupted when the bot is stopping, ConfigError from another event loop."""
        check_loop(self.loop, "the bot")
        if self.stopping:
            raise Interrupted(f"the bot is stopping: {frame.id} has to be delivered again")

    @property
    def stopping(self) -> bool:
        """True if it was asked to stop, or has ended by itself."""
        return self._over.is_set()

    @property
    def standing_still(self) -> float:
        """Seconds for which nothing was read because too many events are unfinished."""
        return max(self.dispatcher.full_for, 0.0 if self.forwarder is None else self.forwarder.full_for)

    def stats(self) -> BotStats:
        """Return the figures of the shards and of the events in flight."""
        dispatcher, forwarder = self.dispatcher, self.forwarder
        return BotStats(
            shards=() if self.supervisor is None else tuple(self.supervisor.stats()),
            inflight=dispatcher.inflight + (0 if forwarder is None else forwarder.inflight),
            max_inflight=dispatcher.max_inflight,
            queued=dispatcher.queued,
            queued_bytes=dispatcher.queued_bytes,
            waiting=dispatcher.waiting,
            workers=dispatcher.workers,
            failed=dispatcher.failed,
            surprises={f"{name}: {path}": times for (name, path), times in dispatcher.surprises.items()},
            standing_still=self.standing_still,
            loop_lag=self.loop_lag.peak,
            troubles=dict(self.troubles),
            published=0 if forwarder is None else forwarder.published,
            publish_failures=0 if forwarder is None else forwarder.failures,
            lag=sum(worker.lag for worker in self._workers),
            retries=sum(worker.retries for worker in self._workers),
            dead_letters=sum(worker.dead for worker in self._workers),
            expired=sum(worker.expired for worker in self._workers),
        )

    async def _watch_reading(self) -> None:
        """Warn when reading stands still, and name the handler that holds it up."""
        await asyncio.sleep(1)
        if self.standing_still < STANDSTILL_SECONDS:
            self._standstill_logged = False
        elif not self._standstill_logged:
            self._standstill_logged = True
            log.warning(
                "no event was read for %.0f s: as many as there is room for are unfinished; %s",
                self.standing_still,
                self._holder(),
                extra=self.dispatcher.oldest_fields(),
            )

    def _holder(self) -> str:
        if self.forwarder is not None and self.forwarder.full:
            return "the sink does not take them"
        oldest, busiest = self.dispatcher.oldest(), self.dispatcher.busiest()
        holder = f"the oldest is held by {oldest[0]} in {oldest[1]}" if oldest else "none has begun yet"
        if busiest is None:
            return holder
        return f"{holder}; {busiest[1]} of those that wait are of {busiest[0] or 'no conversation'}"

    async def _run_shards(self) -> None:
        try:
            if self.supervisor is None:
                await self._over.wait()
                return
            await self.supervisor.run()
        except QQBotError as error:
            log.error("the bot has stopped: %s", visible(str(error)))  # noqa: TRY400 - the text explains it; `wait` raises the error
            raise
        except asyncio.CancelledError as error:
            # `asyncio.run` cancels all tasks at once.
            if self.stopping or (self._owner is not None and self._owner.cancelling()):
                raise
            failure = unexpected_cancellation("the bot", error)
            log.exception("the bot has stopped: another task has cancelled 'qqbot shards'")
            raise failure from error
        except Exception:
            log.exception("the bot has stopped")
            raise
        finally:
            self._over.set()

    async def _end_shards(self, main: "asyncio.Task[None]") -> None:
        self._over.set()
        now = self.loop.time
        ends_at = now() + self._drain + ENDING_SECONDS
        try:
            async with asyncio.TaskGroup() as group:
                if self._direct_source is not None:
                    group.create_task(self._drain_direct_source(self._direct_source))
                for source in self._leased.values():
                    if source.lease and source.lease.valid():  # otherwise its worker has drained it
                        group.create_task(self._drain_direct_source(source))
                if self._draining:
                    group.create_task(self._drain_spawned())
                if self.supervisor is not None:
                    await self.supervisor.stop()
                await asyncio.wait([main], timeout=max(ends_at - now(), ENDING_SECONDS))
        finally:
            await end_tasks([main])  # it has ended, unless draining was cut short or the session manager goes on

    async def _drain_direct_source(self, direct_source: DirectSource) -> None:
        if unfinished := await direct_source.drain(self._drain):
            log.warning("%d events that came by no shard are unfinished after %g s", unfinished, self._drain)

    async def _drain_spawned(self) -> None:
        _, unfinished = await asyncio.wait(self._draining, timeout=self._drain)
        if unfinished:
            names = ", ".join(sorted(task.get_name() for task in unfinished))
            log.warning("spawned tasks are unfinished after %g s, and are cancelled: %s", self._drain, names)

    @property
    def failure(self) -> BaseException | None:
        """The error that ended the shards, or that the sink raised for a person to correct."""
        main = self._main
        if main is not None and main.done() and not main.cancelled() and (error := main.exception()) is not None:
            return error
        return None if self.forwarder is None else self.forwarder.refusal

    def _raise_failure(self) -> None:
        if (failure := self.failure) is not None:
            raise failure

    def not_ready(self) -> list[str]:
        """Return why not all is well: a shard is not READY, reading stands still, or a background task fails."""
        reasons = [] if self.supervisor is None else self.supervisor.not_ready()
        if self.standing_still >= STANDSTILL_SECONDS:
            reasons.append(f"no event was read for {self.standing_still:.0f} s: too many are unfinished")
        return reasons + [f"the background task {name!r} {what}" for name, what in self.troubles.items()]

    def ask_to_stop(self) -> None:
        """Let `wait` return."""
        self._over.set()

    async def wait(self) -> None:
        """Return when the bot was asked to stop.  Raises: the error that ended the shards."""
        await self._over.wait()
        self._raise_failure()

    async def ready(self) -> None:
        """Return when every shard of this process is READY.

        Raises: the error that ended the shards; ConfigError when the bot was stopped before, or if waiting cannot end.
        """
        if self._main is None and asyncio.current_task() is self._enterer:
            raise ConfigError("the lifespan is entered before the bot connects: bot.spawn() what waits for ready()")
        await self._begun.wait()
        main = self._main
        if main is None:  # the lifespan failed
            raise ConfigError("the bot was stopped before it was ready")
        if self.supervisor is None:
            return
        async with background(self.supervisor.ready(), name="qqbot ready") as (ready,):
            await asyncio.wait([ready, main], return_when=asyncio.FIRST_COMPLETED)
        if main.done():
            self._raise_failure()
            raise ConfigError("the bot was stopped before it was ready")

    @property
    def inside(self) -> bool:
        """True if the caller is a handler or a background task of this run, or a task that one of them created."""
        return _inside.get() is self

    def enter(self) -> None:
        """Let the current task, and the tasks that it creates from now on, be inside."""
        _inside.set(self)

    def _own_context(self) -> Context:
        context = copy_context()
        context.run(_inside.set, self)
        # A spawned task may outlive the event of its handler: the end of that lease must not refuse its calls.
        context.run(current_lease.set, None)
        return context

    def spawn(
        self, coroutine: Coroutine[object, object, T], name: str | None, *, drain: bool = False
    ) -> "asyncio.Task[T]":
        """Run a background task.  Raises: ConfigError when the bot has drained."""
        if self._closed:
            coroutine.close()
            raise ConfigError("the bot has drained: nothing can be spawned any more")
        task = asyncio.create_task(coroutine, name=name, context=self._own_context())
        self._background.add(task)
        if drain:
            self._draining.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: "asyncio.Task[object]") -> None:
        self._background.discard(task)
        self._draining.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the background task %s failed", task.get_name(), exc_info=error)

    async def end_background(self) -> None:
        """Cancel the spawned tasks and wait for their end; none can be spawned from here on."""
        self._closed = True
        self._over.set()  # if the lifespan failed, nothing else lets `wait` and `ready` return
        self._begun.set()
        tasks = self._background - {asyncio.current_task()}
        self._background -= tasks  # one that cannot be ended is waited for once
        await end_tasks(tasks)


def _interrupted(frame: Frame) -> Interrupted:
    return Interrupted(f"the bot stopped, or lost its lease, before it was done with {frame.id}: deliver it again")
