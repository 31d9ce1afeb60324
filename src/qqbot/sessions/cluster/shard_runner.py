"""`ShardRunner`: the shards that a node owns, and the tasks that run them.

Responsible for carrying decisions out on a shard: own it, run it under a lease, close it, lose it; and for the waits of
shards whose state is to be written now. Collaborators: `reconcile` (decides), `node` (calls the store), `lease_watch`
(calls `expire`), `session_limit` (permits). Shards run as tasks of the node's task group, which `Node.serve` owns.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable

from ...aio.cancellation import forward_errors
from ...lease import LeaseDeadline, LostReason
from ...models.gateway import GatewayBot, ResumeState, ShardKey
from ..base import ManagerEvent, ShardFactory
from .lease_watch import LeaseWatch
from .owned_shard import NodeLease, OwnedShard, StandbyNodeLease
from .session_limit import SessionStartLimiter
from .state import ShardId
from .timings import Timings
from .wake_up import WakeUp

log = logging.getLogger(__name__)


class ShardRunner:
    """Runs the shards of one node.

    `start` runs a shard, `emit` publishes what happens to one, `fail` receives the error that ends the node,
    `too_few` is awaited when the platform closed a shard because there are too few.
    """

    def __init__(
        self,
        timings: Timings,
        session_limit: SessionStartLimiter,
        start: ShardFactory,
        wake_up: WakeUp,
        *,
        emit: Callable[[ManagerEvent], None],
        fail: Callable[[Exception], None],
        too_few: Callable[[], Awaitable[None]],
    ) -> None:
        self.owned: dict[ShardId, OwnedShard] = {}
        self.ending: dict[ShardId, asyncio.Task[None]] = {}  # of lost shards: they must not run twice in this process
        self.least_token = 0  # the largest token under which a sink has taken events, as far as it was reported
        self.renewed_at = 0.0  # when the last answered sync was sent: leases count from there
        self.over = False  # the node has left: no sync comes any more that a save could wait for
        self.watch = LeaseWatch(self.owned, timings.own, self.expire)
        self._timings = timings
        self._session_limit = session_limit
        self._start = start
        self._wake_up = wake_up
        self._emit = emit
        self._fail = fail
        self._too_few = too_few
        self._saving: list[asyncio.Future[None]] = []  # they wait for a sync that begins after them

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The tasks that have not ended, those of lost shards as well."""
        running = [owned.task for owned in self.owned.values() if owned.task is not None]
        return [*running, *self.ending.values()]

    # What reconcile decides

    def own(self, key: ShardKey, token: int, state: ResumeState | None, incarnation: int) -> OwnedShard:
        """Own a shard that was granted in `incarnation`."""
        owned = OwnedShard(key, token, state, incarnation)
        self.owned[owned.shard_id] = owned
        log.info("shard %s is ours (token %d)", key, token)
        self._emit(ManagerEvent("claimed", key))
        return owned

    def run(self, owned: OwnedShard, group: asyncio.TaskGroup, info: GatewayBot, *, standby: bool) -> None:
        """Run a shard under a new lease; as a `standby` its events wait until it is activated."""
        lease = self._lease(owned, standby=standby)
        owned.lease = lease
        owned.task = group.create_task(self._run(owned, lease, info), name=f"qqbot shard {owned.key}")
        # A callback, not a `finally` of the coroutine: a task that is cancelled before it begins never runs that.
        owned.task.add_done_callback(lambda _: self._ended(owned, lease))
        self.watch.begun()

    def _lease(self, owned: OwnedShard, *, standby: bool) -> NodeLease:
        deadline = LeaseDeadline(self._timings.own, self.renewed_at)
        if not standby:
            return NodeLease(owned, deadline, self._session_limit, self._save, self._give_up)
        kept = 3 * self._timings.renew + self._timings.window
        return StandbyNodeLease(owned, deadline, self._session_limit, self._save, self._give_up, kept=kept)

    async def _run(self, owned: OwnedShard, lease: NodeLease, info: GatewayBot) -> None:
        with forward_errors(self._fail, f"shard {lease.shard}"):
            # An eager task factory runs the first step inside `create_task`, before `owned.task` is set: a shard that
            # gives itself up in that step would not be cancelled.
            await asyncio.sleep(0)
            ended = await self._start(lease, info, owned.state)
            if ended.cause == "reshard":
                owned.parked = True
                await self._too_few()

    def _ended(self, owned: OwnedShard, lease: NodeLease) -> None:
        lease.end("stopped")
        if owned.lease is lease:
            owned.task = None
        self.ending.pop(owned.shard_id, None)
        self._wake_up.at_once()

    def close(self, owned_shards: Iterable[OwnedShard]) -> None:
        """Drain and end shards; they can be released as soon as their tasks have ended."""
        for owned in owned_shards:
            if owned.closing:
                continue
            owned.closing = True
            if owned.task is None:
                self._wake_up.at_once()
            elif owned.lease is not None and not owned.lease.ended:  # else its task was cancelled when the lease ended
                owned.task.cancel()

    def released(self, owned: OwnedShard) -> None:
        """Forget a shard that was given back."""
        del self.owned[owned.shard_id]
        log.info("shard %s is released", owned.key)
        self._emit(ManagerEvent("released", owned.key))

    def activate(self, owned: OwnedShard) -> None:
        """Let the events of a shard be handled, if they wait."""
        if isinstance(owned.lease, StandbyNodeLease):
            owned.lease.activate()

    def keep_all(self) -> None:
        """Let the shards on standby keep all events: some are handled by no shard of the current generation."""
        for owned in self.owned.values():
            if isinstance(owned.lease, StandbyNodeLease):
                owned.lease.kept = math.inf

    # What ends a lease

    def lose(self, owned: OwnedShard) -> None:
        """Forget a shard that another node owns by now, and end its lease."""
        log.warning("shard %s is owned by another node by now", owned.key)
        del self.owned[owned.shard_id]
        if owned.task is not None:
            self.ending[owned.shard_id] = owned.task
        self._end_lease(owned, "taken")

    def expire(self, owned: OwnedShard) -> None:
        """End a lease that was not renewed in time; the shard is still ours, and runs again later."""
        log.warning("shard %s: its lease could not be renewed in time, it stops", owned.key)
        self._end_lease(owned, "expired")

    def _end_lease(self, owned: OwnedShard, reason: LostReason) -> None:
        if owned.lease is not None:
            owned.lease.end(reason)
        if owned.task is not None:
            owned.task.cancel()
        self._emit(ManagerEvent("lost", owned.key, cause=reason))

    def _give_up(self, owned: OwnedShard, token: int) -> None:
        """Close a shard whose events were published under a larger token, to claim it under one larger still.

        Another node owns it, as the next sync will show, or the store lost its data and its clock went back.
        """
        self.least_token = max(self.least_token, token)
        if not owned.closing:
            self.close([owned])
            self._emit(ManagerEvent("lost", owned.key, cause="fenced"))

    # Saving

    async def _save(self, owned: OwnedShard) -> None:
        """Return when a sync that began from now on has ended, well or not."""
        if owned.closing or self.over:
            return  # the release writes the state; after the node has left nothing can
        future = asyncio.get_running_loop().create_future()
        self._saving.append(future)
        self._wake_up.at_once()
        await future

    def take_saving(self) -> list[asyncio.Future[None]]:
        """Return the waits that the sync which begins now will end."""
        saving, self._saving = self._saving, []
        return saving

    def saved(self, saving: Iterable[asyncio.Future[None]]) -> None:
        """End waits, however the sync went."""
        for future in saving:
            if not future.done():
                future.set_result(None)

    def leave(self) -> None:
        """End all waits for a sync: none will come."""
        self.over = True
        self.saved(self.take_saving())
