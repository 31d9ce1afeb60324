"""`LocalSessionManager`: all shards, or a fixed part of them, in this process.

Responsible for the leases, the pace of IDENTIFYs, the daily budget and the number of shards. Collaborators: `permits`
(the arithmetic), `state_file` (what outlives the process). It does not coordinate with other processes: two that run
the same shards reset each other's sessions.
"""

import asyncio
import itertools
import logging
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext

from ..aio.backoff import Backoff
from ..aio.cancellation import forward_errors
from ..aio.clock import Clock
from ..aio.loops import check_loop
from ..config import ShardSelection, check_path
from ..errors import ConfigError, GatewayError, GatewayHalted
from ..lease import LostReason
from ..models.gateway import GatewayBot, ResumeState, ShardKey
from .base import ClusterView, GatewaySource, ManagerEvent, ShardFactory, ShardView, too_few
from .permits import WINDOW_SECONDS, Budget, IdentifyPacer
from .state_file import StateFile, States
from .watchers import Watchers

log = logging.getLogger(__name__)

STOP_MARGIN_SECONDS = 15.0
SHORTEST_BUDGET_WAITS = Backoff(1.0, 30.0, low=1.0)  # the platform allows two calls of /gateway/bot a minute
FENCING_TOKEN = 1  # no other process can own a shard, so all leases share one token


class LocalSessionManager:
    """Runs every selected shard in this process. It can be run again after it was stopped.

    `state`: a file that carries the sessions over: the next process RESUMEs them and skips finished events. It is
    written every second if anything changed, and when a session begins, is resumed or is given up.
    `window`: seconds; at most max_concurrency sessions are created in each.
    """

    def __init__(
        self,
        *,
        state: str | os.PathLike[str] | None = None,
        window: float = WINDOW_SECONDS,
        clock: Clock = time.monotonic,
    ) -> None:
        self._path = None if state is None else check_path(state, "state")
        self._pacer = IdentifyPacer(1, window=window)  # kept over runs: the platform counts on
        self._clock = clock
        self._run: _Run | None = None  # None: not running
        self._watchers = Watchers()

    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        """Run shards until `stop`; wait while the budget is empty.

        Raises: GatewayHalted if the platform forbids to continue, GatewayError if no shard is left, ConfigError if
        another run is in progress or the state file cannot be used, and whatever `start` raises.
        """
        if self._run is not None:
            raise ConfigError("this session manager is running already: give each bot its own")
        identify_queue = _LocalIdentifyQueue(gateway, self._pacer, self._clock)
        states = None if self._path is None else States(StateFile(self._path, gateway.app_id))
        self._run = _Run(gateway.selection, identify_queue, start, self._watchers.emit, states)
        try:
            await self._run.serve()
        finally:
            self._run = None
            self._watchers.emit(None)

    async def stop(self, *, drain: float = 10.0) -> None:
        """End `run`: shards have `drain` seconds to finish. Without a run in progress it does nothing."""
        if self._run is not None:
            check_loop(self._run.loop, "the session manager")
            await self._run.stop(drain + STOP_MARGIN_SECONDS)

    async def snapshot(self) -> ClusterView:
        """Return the shards that run now."""
        return ClusterView() if self._run is None else self._run.view()

    def watch(self) -> AsyncIterator[ManagerEvent]:
        """Iterate over the events from now on, until `run` ends."""
        if self._run is not None:
            check_loop(self._run.loop, "the session manager")
        return self._watchers.watch()


class _Permit:
    """Usable until a moment of `clock`."""

    def __init__(self, until: float, clock: Clock) -> None:
        self._until = until
        self._clock = clock

    def usable(self) -> bool:
        return self._clock() <= self._until


class _Lease:
    """The lease of one shard: valid while the task of the shard runs."""

    def __init__(self, shard: ShardKey, identify_queue: "_LocalIdentifyQueue", states: States | None) -> None:
        self.shard = shard
        self.token = FENCING_TOKEN
        self.identify_turn = identify_queue.turn
        self.identify_permit = identify_queue.permit
        self.may_renew = identify_queue.can_spare
        self._states = states
        self._held = True  # read for each event: a plain attribute is faster than a look into `_ended`
        self._ended = asyncio.Event()  # set once: a lease never becomes valid again
        self.cause: LostReason | None = None  # None: released by us

    def valid(self) -> bool:
        return self._held

    async def wait_lost(self) -> LostReason:
        await self._ended.wait()
        return self.cause or "stopped"

    def checkpoint(self, state: ResumeState) -> None:
        if self._states is not None:
            self._states.note(self.shard.index, state)

    async def save(self, state: ResumeState | None) -> None:
        if self._states is not None:
            self._states.note(self.shard.index, state)
            await self._states.flush()

    def fenced(self, token: int) -> None:  # noqa: ARG002 - all tokens of this manager are equal
        self.cause = "fenced"
        self.end()

    def end(self) -> None:
        self._held = False
        self._ended.set()


class _LocalIdentifyQueue:
    """The turns, the permits and the budget of one process."""

    def __init__(self, gateway: GatewaySource, pacer: IdentifyPacer, clock: Clock) -> None:
        self._gateway = gateway
        self._clock = clock
        self._pacer = pacer
        self._budget = Budget(1, 1, 0, clock())  # replaced by the first answer of /gateway/bot
        self._turns = asyncio.Semaphore(1)  # sockets that are open for an IDENTIFY; sized by `open`
        self._budget_lock = asyncio.Lock()  # a single task waits for the budget and asks the platform
        self._waiting = 0  # turns in progress or waited for: each needs a session
        self._shards = 0  # sessions that `can_spare` keeps in reserve

    async def ask(self) -> GatewayBot:
        """Ask /gateway/bot and apply its pace and budget."""
        info = await self._gateway.fetch()
        limit = info.session_start_limit
        self._budget = Budget(limit.total, limit.remaining, limit.reset_seconds, self._clock())
        self._pacer.resize(limit.max_concurrency)
        return info

    async def open(self, shards: int, new: int, concurrency: int) -> None:
        """Wait until `new` of the `shards` can identify; then `concurrency` of them may connect at a time."""
        self._shards = shards
        await self._afford(new)
        self._turns = asyncio.Semaphore(max(concurrency, 1))

    @property
    def remaining(self) -> int:
        return self._budget.remaining

    async def can_spare(self) -> bool:
        """True if a session that still works may be replaced: one session for each shard is kept in reserve."""
        if not self._budget.renewed_in(self._clock()):
            await self.ask()
        return self._budget.remaining > self._shards

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        self._waiting += 1
        try:
            async with self._turns:
                await self._afford(self._waiting)
                yield
        finally:
            self._waiting -= 1

    async def permit(self) -> _Permit:
        while (wait := self._pacer.ready_at(self._clock()) - self._clock()) > 0:  # noqa: ASYNC110 - only time ends it
            await asyncio.sleep(wait)
        self._budget.spend()
        return _Permit(self._pacer.take(self._clock()), self._clock)

    async def _afford(self, needed: int) -> None:
        """Wait until the budget covers `needed` sessions."""
        async with self._budget_lock:
            asked = 0
            while not self._budget.covers(needed):
                wait = max(self._budget.renewed_in(self._clock()), SHORTEST_BUDGET_WAITS.delay(asked, 1.0))
                log.warning(
                    "the platform allows %d more sessions, %d are needed: waiting %.0f s until it renews the allowance",
                    self._budget.remaining,
                    needed,
                    wait,
                )
                await asyncio.sleep(wait)
                await self.ask()
                asked += 1


class _Run:
    """One run of the manager, in one event loop."""

    def __init__(
        self,
        selection: ShardSelection,
        identify_queue: _LocalIdentifyQueue,
        start: ShardFactory,
        emit: Callable[[ManagerEvent], None],
        states: States | None,
    ) -> None:
        self._selection = selection
        self._identify_queue = identify_queue
        self._start = start
        self._emit = emit
        self._states = states
        self.loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()  # `serve` is over, the state file is closed
        self._leases: list[_Lease] = []  # of the current round, the ended ones as well
        self._shards: list[asyncio.Task[None]] = []  # of the current round
        self._rounds: asyncio.Task[None] | None = None  # set by the task itself, which may start eagerly
        self._stopped = False  # no further round begins
        self._round_running = False  # shards exist: `_round_over` ends them, and each is cancelled once
        self._round_over = asyncio.Event()  # ends the shards of the current round
        self._too_few = False  # a shard was closed with 4011: the next round has more shards
        self._error: Exception | None = None  # the first failure, raised by `serve`

    async def serve(self) -> None:
        """Run until `stop`, or until a shard or the platform fails."""
        try:
            async with self._states or nullcontext(), asyncio.TaskGroup() as group:
                if not self._stopped:
                    group.create_task(self._run(), name="qqbot sessions")
        finally:
            self._ended.set()
        if self._error is not None:
            raise self._error

    async def stop(self, seconds: float) -> None:
        """Cancel the shards, and again those that have not ended after `seconds`."""
        self._stopped = True
        self._round_over.set()  # ends running shards; cancelling `_rounds` as well would interrupt their cleanup
        if self._rounds is not None and not self._round_running:
            self._rounds.cancel()
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            for shard in self._shards:
                shard.cancel()

    def view(self) -> ClusterView:
        """Return the shards that run now."""
        shards = tuple(ShardView(lease.shard, lease.token) for lease in self._leases if lease.valid())
        return ClusterView(shards, self._identify_queue.remaining)

    async def _run(self) -> None:
        self._rounds = asyncio.current_task()
        if not self._stopped:  # between the creation of this task and its first step
            await self._run_rounds()

    async def _run_rounds(self) -> None:
        """Run all shards, again with more of them if the platform requires it."""
        with forward_errors(self._fail, "the session manager"):
            info = await self._identify_queue.ask()
            for generation in itertools.count():
                count, indices = self._selection.resolve(info.shards)
                known = await self._states.begin(count) if self._states is not None else {}
                new = sum(index not in known for index in indices)
                await self._identify_queue.open(len(indices), new, info.session_start_limit.max_concurrency)
                await self._run_shards(info, [ShardKey(generation, index, count) for index in indices], known)
                if self._stopped or self._error is not None:
                    return
                info = await self._ask_for_more(count)

    async def _run_shards(self, info: GatewayBot, keys: list[ShardKey], known: Mapping[int, ResumeState]) -> None:
        """Run a task for each shard until one fails or asks for more shards, or none is left; then end the others.

        `known`: the sessions to resume, by shard index.
        """
        self._round_over.clear()
        self._too_few = False
        self._round_running = True  # before the tasks: an eager one may call `stop` in its first step
        self._leases = [_Lease(key, self._identify_queue, self._states) for key in keys]
        async with asyncio.TaskGroup() as group:
            self._shards = [
                group.create_task(
                    self._run_shard(lease, info, known.get(lease.shard.index)), name=f"qqbot shard {lease.shard}"
                )
                for lease in self._leases
            ]
            await self._round_over.wait()
            for shard in self._shards:
                shard.cancel()
        self._shards = []
        self._round_running = False

    async def _run_shard(self, lease: _Lease, info: GatewayBot, state: ResumeState | None) -> None:
        self._emit(ManagerEvent("claimed", lease.shard))
        try:
            with forward_errors(self._fail, f"shard {lease.shard}"):
                shard_exit = await self._start(lease, info, state)
                self._too_few |= shard_exit.cause == "reshard"
        finally:
            lease.end()
            cause = lease.cause
            self._emit(ManagerEvent("released" if cause is None else "lost", lease.shard, cause=cause))
            if self._too_few or self._error is not None or not any(lease.valid() for lease in self._leases):
                self._round_over.set()

    def _fail(self, error: Exception) -> None:
        """Keep the first error for `serve`; later ones, while the other shards end, are only logged."""
        if self._error is not None:
            log.error("a shard failed while the shards were being ended", exc_info=error)
            return
        self._error = error
        if isinstance(error, GatewayHalted):
            self._emit(ManagerEvent("halted", code=error.code))

    async def _ask_for_more(self, count: int) -> GatewayBot:
        """Return the answer of /gateway/bot after `count` shards were too few.

        Raises: GatewayHalted if it recommends no more, or the user fixed the number; GatewayError if the shards were
        not too few, but every one has lost its lease.
        """
        if not self._too_few:
            raise GatewayError("every shard of this process lost its lease, nothing is left to run: start it again")
        info = await self._identify_queue.ask()
        wanted, _ = self._selection.resolve(info.shards)
        if wanted > count:
            log.warning("%d shards are too few for the platform: starting over with %d", count, wanted)
            return info
        raise too_few(count, info.shards)
