"""`Node`: this process as a member of a cluster, from joining to leaving.

Responsible for the loop of a member (synchronise with the store, let `reconcile` decide, carry the actions out in
order, pause), and for stopping in time. Collaborators: `reconcile` (every decision about shards), `shard_runner` (the
shards and their tasks), `state_copies`, `failure_detector` (which nodes are dead), `session_limit`, `resharding`, and
the store behind the Protocol `ClusterStore`. All calls that change ownership are made by one task, one after another.
"""

import asyncio
import contextlib
import logging
import os
import random
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

from msgspec import Struct

from ..._version import __version__
from ..._visible import visible_line
from ...aio.background import background
from ...aio.cancellation import forward_errors
from ...aio.clock import steady
from ...aio.throttle import Throttle
from ...errors import ConfigError, GatewayHalted
from ...models.gateway import ResumeState, ShardKey
from ..base import GatewaySource, ManagerEvent, ShardFactory
from .assignor import Role
from .failure_detector import FailureDetector
from .joining import outlast
from .reconcile import (
    Action,
    ActivateShard,
    Adopt,
    Claim,
    CloseShard,
    Evict,
    Me,
    ReleaseShard,
    RunShard,
    Switch,
    reconcile,
    seconds_until_sure,
)
from .resharding import Resharder
from .session_limit import SessionStartLimiter
from .shard_runner import ShardRunner
from .state import ClusterHalt, ClusterState, NodeInfo, ShardId, shard_id_of
from .state_copies import StateCopies
from .store import ClusterStore, OtherTimings, StoreAway, Synced
from .timings import Timings
from .wake_up import WakeUp, follow_log

log = logging.getLogger(__name__)

SHORTEST_TURN = 0.05  # seconds from one sync to the next, if nothing is urgent
MOST_CAUSE = 500  # characters of what went wrong, with the advice


class NodeSettings(Struct, frozen=True):
    """What the user decided about a node."""

    role: Literal["active", "standby"]
    target_active: int
    timings: Timings
    auto_roll: bool


class Node:
    """One membership; `start` runs a shard, `emit` publishes what happens to shards."""

    def __init__(
        self,
        store: ClusterStore,
        settings: NodeSettings,
        gateway: GatewaySource,
        start: ShardFactory,
        emit: Callable[[ManagerEvent], None],
    ) -> None:
        self.state = ClusterState()  # as the last answered sync found it
        self._store = store
        self._settings = settings
        self._timings = timings = settings.timings
        self._emit = emit
        self._info = NodeInfo(socket.gethostname(), os.getpid(), __version__)
        self._wake_up = wake_up = WakeUp()
        self._failure_detector = FailureDetector(timings.observe)
        self._copies = StateCopies(store)
        self._session_limit = SessionStartLimiter(store, timings, gateway, changed=wake_up.at_once)
        self._resharder = resharder = Resharder(store, gateway, lambda: self.state, auto_roll=settings.auto_roll)
        self._shards = ShardRunner(
            timings,
            self._session_limit,
            start,
            wake_up,
            emit=emit,
            fail=self._fail,
            too_few=lambda: resharder.enlarge(wake_up.at_once, timings.retry),
        )
        self._warnings = Throttle()
        self._sent_at = 0.0  # when the last sync was sent, answered or not: the next renewal counts from there
        self._away = False  # the last call to the store was not answered
        self._settled = False  # once the cluster has been watched for long enough, the node is more than "joining"
        self._previous_generation_until = 0.0  # until then the generation before the current one goes on
        self._stop_at: float | None = None  # the end of a stop; None until one begins
        self._drain = 0.0  # seconds that shards get to finish in a stop
        self._main: asyncio.Task[None] | None = None  # the task of the loop
        self._ended = asyncio.Event()  # set also if `serve` fails or is cancelled, so that `stop` returns
        self._error: Exception | None = None  # the first failure: `serve` raises it after the node has left
        self._unreported_halt: ClusterHalt | None = None  # kept until the store has it

    # Its life

    async def serve(self) -> None:
        """Be a member until `stop`, or until something fails.  Raises: what failed."""
        try:
            async with asyncio.TaskGroup() as self._group:
                self._main = self._group.create_task(self._live(), name="qqbot cluster node")
        finally:
            self._ended.set()
        if self._error is not None:
            raise self._error

    async def _live(self) -> None:
        try:
            await self._join()
            async with background(
                self._supervised(
                    partial(follow_log, self._store, self._wake_up, self._timings.retry), "the cluster's log"
                ),
                self._supervised(self._shards.watch.run, "the watch over leases"),
                self._supervised(self._session_limit.keep, "the session manager"),
                name="qqbot cluster helper",
            ):
                try:
                    while not self._may_leave():
                        await self._turn()
                        await self._pause()
                    await self._leave()
                finally:
                    self._shards.leave()
        except Exception as error:  # noqa: BLE001 - `serve` raises it, outside of the task group
            self._fail(error)
            self._shards.close(self._shards.owned.values())

    async def _supervised(self, work: Callable[[], Awaitable[None]], who: str) -> None:
        """Run a helper; a node whose helper has failed leaves."""
        with forward_errors(self._fail, who):
            await work()

    async def stop(self, drain: float) -> None:
        """Give every shard away and leave; what has not ended in time is cut off."""
        seconds = max(self._timings.stop, 1.5 * drain) - self._timings.call  # the rest is for closing connections
        self._begin_stop(seconds, drain)
        margin = min(self._timings.call, seconds / 4)
        for left in (seconds - margin, margin):  # twice: what the first cut interrupts may wait once more
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._ended.wait()
            if self._ended.is_set():
                return
            self._cut_off()

    def _begin_stop(self, seconds: float, drain: float) -> None:
        if not self._stopping:  # a failure may have begun it: the first deadline holds
            self._stop_at, self._drain = steady() + seconds, drain
        self._wake_up.soon()

    def _cut_off(self) -> None:
        log.warning(
            "the node %s could not leave in time: its shards are taken over when it is missed", self._store.node
        )
        for task in self._shards.tasks:
            task.cancel()
        if self._main is not None:
            self._main.cancel()

    def _fail(self, error: Exception) -> None:
        """Keep the first error for `serve`, and begin to leave."""
        if self._error is not None:
            log.error("something failed while the node was leaving", exc_info=error)
            return
        self._error = error
        if isinstance(error, GatewayHalted):
            self._emit(ManagerEvent("halted", code=error.code))
            if self.state.halt is None:  # this node is the first: the other nodes do not know yet
                self._unreported_halt = ClusterHalt.of(error)
                log.error("the whole cluster is halted: mend its cause, then run `qqbot shards unhalt`")
        self._begin_stop(self._timings.stop, self._timings.stop / 2)

    # Joining and leaving

    async def _join(self) -> None:
        """Become a member, however long the store is away.  Raises: ConfigError for what it refuses."""
        while not self._stopping:
            try:
                await self._store.check()
                await self._sync()
            except StoreAway as error:
                if self._warnings.ready("away"):
                    log.warning(
                        "%s does not answer as it should: %s; starting when it does. 存储恢复正常后将自动启动",
                        self._store,
                        visible_line(str(error), MOST_CAUSE),
                    )
            except OtherTimings as other:
                await outlast(
                    self._store, other.theirs, self._timings, self._wake_up.wait, stopping=lambda: self._stopping
                )
            else:
                self._warnings.reset()
                log.info("node %s joined its cluster in %s", self._store.node, self._store)
                return
            await self._wake_up.wait(self._timings.retry)

    async def _leave(self) -> None:
        await self._report_halt()
        node = self.state.nodes.get(self._store.node)
        if node is not None and not self._away:
            try:
                state = await self._store.look()
                node = state.nodes.get(self._store.node, node)
                await self._store.evict(state, node.id, node.stamp)
            except StoreAway as error:
                log.warning(
                    "this node could not report that it leaves, it will be missed: %s", visible_line(str(error))
                )

    def _may_leave(self) -> bool:
        if not self._stopping or self._shards.tasks:
            return False
        return not self._shards.owned or self._away  # what cannot be released now is taken over later

    async def look(self) -> ClusterState:
        """Return the cluster as it is now, or as this node read it last if the store is away."""
        try:
            return await self._store.look()
        except StoreAway:
            return self.state

    @property
    def _stopping(self) -> bool:
        return self._stop_at is not None

    @property
    def role(self) -> Role:
        """The role that the other nodes see."""
        if self._stopping or self._store.node in self.state.drained:
            return "draining"
        return self._settings.role if self._settled else "joining"

    # A turn: synchronise, decide, act

    async def _turn(self) -> None:
        self._wake_up.clear()
        try:
            await self._sync()
            await self._prepare()
            now = steady()
            owned = [owned.status for owned in self._shards.owned.values()]
            for action in reconcile(self.state, owned, self._me(now), now):
                await self._carry_out(action)
        except StoreAway as error:
            self._away = True
            if self._warnings.ready("away"):
                log.warning(
                    "%s does not answer as it should: %s; the shards go on for %g s at most, then they wait until it "
                    "does. 分片将在租约到期后停止，待存储恢复正常后继续",
                    self._store,
                    visible_line(str(error), MOST_CAUSE),
                    self._timings.own,
                )
            if self._stopping:  # they cannot be handed over one by one
                self._shards.close(self._shards.owned.values())
        except OtherTimings as other:
            self._fail(ConfigError(f"the cluster was started again with other timings: {other.theirs}"))

    async def _sync(self) -> None:
        """Renew the leases, report what is owned, and read the cluster.  Raises: StoreAway, OtherTimings."""
        saving = self._shards.take_saving()
        reported = {shard_id: owned.state for shard_id, owned in self._shards.owned.items()}
        sent_at = self._sent_at = steady()
        sure_in = self.state.incarnation if self._seconds_until_sure(sent_at) <= 0 else 0
        reports = [owned.report(sure_in) for owned in self._shards.owned.values()]
        target = self._settings.target_active
        try:
            synced = await self._store.sync(self.role, self._info, reports, known=self.state, target_active=target)
            self._accept(synced, reported, sent_at)
        finally:
            self._shards.saved(saving)
        if self._copies.age >= 0.8 * self._timings.renew or self.state.next_shards:  # a roll waits for each session
            await self._copies.read(self.state)
            if self.state.next_shards and not self._is_complete():
                self._shards.keep_all()

    def _is_complete(self) -> bool:
        """True if each shard of the current generation has a session: one that was closed with 4011 has none."""
        gen = self.state.gen
        return all((gen, index) in self._copies.known for index in range(self.state.shards))

    def _accept(self, synced: Synced, reported: dict[ShardId, ResumeState | None], sent_at: float) -> None:
        """Use what a sync found: `reported` are the states that it wrote."""
        if self._away:
            self._away = False
            self._warnings.reset()
            log.info("%s answers again", self._store)
        before, self.state = self.state, synced.state
        if before.gen and before.gen < self.state.gen:
            log.info("the cluster runs %d shards now", self.state.shards)
            self._previous_generation_until = steady() + 2 * self._timings.renew  # until every node knows of the switch
        self._shards.renewed_at = sent_at
        incarnation = self.state.incarnation
        if before.incarnation not in (0, incarnation):
            self._wake_up.soon()  # what the store lost is reported again at once
        beats = {name: node.stamp for name, node in self.state.nodes.items()}
        self._failure_detector.record(incarnation, beats, steady())
        for shard_id, state in reported.items():
            owned = self._shards.owned[shard_id]
            if shard_id in synced.lost:
                self._shards.lose(owned)
            elif shard_id in synced.doubtful:
                owned.doubtful = True
            else:
                if owned.confirmed != incarnation:
                    self._wake_up.soon()  # the new store needs the state, and it is sent only with the next sync
                owned.confirm(incarnation, state)
                if owned.lease is not None:
                    owned.lease.deadline.renew(sent_at)

    async def _prepare(self) -> None:
        """Do what comes before the decisions about shards: halts, the number of shards, the node's own role."""
        await self._report_halt()
        if self.state.halt is not None and self._error is None:
            self._fail(self.state.halt.error())
        self._session_limit.update(self.state)
        info = self._session_limit.info
        if info is not None and not self._stopping and await self._resharder.follow(info):
            self._wake_up.soon()
        if not self._settled and self._failure_detector.settled(steady()):
            self._settled = True
            self._wake_up.soon()  # the other nodes see the new role with the next sync

    def _me(self, now: float) -> Me:
        late_at = float("inf") if self._stop_at is None else self._stop_at - self._drain - 2 * self._timings.call
        return Me(
            id=self._store.node,
            timings=self._timings,
            settled=self._failure_detector.settled(now),
            silent=self._failure_detector.silent(now),
            can_start=self._session_limit.info is not None,
            stopping=self._stopping,
            late_at=late_at,
            ending=self._shards.ending.keys(),
            with_session=self._copies.known,
            previous_generation_until=self._previous_generation_until,
        )

    def _seconds_until_sure(self, now: float) -> float:
        return seconds_until_sure(self._timings, self._failure_detector.age(now))

    async def _carry_out(self, action: Action) -> None:
        """Do one thing that was decided.  Raises: StoreAway."""
        shards = self._shards
        match action:
            case Evict(node, stamp):
                if await self._store.evict(self.state, node, stamp):
                    silent = self._timings.observe
                    log.warning(
                        "node %s gave no sign of life for %g s: its shards are free", visible_line(node), silent
                    )
                    self._emit(ManagerEvent("evicted", node=node))
                self._wake_up.soon()
            case Adopt(key, token):
                self._own(key, token, self._copies.stored(shard_id_of(key)))
            case Claim(keys):
                await self._claim(keys)
            case Switch(version):
                await self._store.admin("switch", version)
                self._wake_up.soon()
            case ActivateShard(shard_id):
                shards.activate(shards.owned[shard_id])
            case RunShard(shard_id):
                self._run(shard_id)
            case CloseShard(shard_id):
                shards.close([shards.owned[shard_id]])
            case ReleaseShard(shard_id):
                owned = shards.owned[shard_id]
                await self._store.release(owned.report())
                shards.released(owned)

    async def _claim(self, keys: tuple[ShardKey, ...]) -> None:
        wanted = {shard_id_of(key): key for key in keys}
        granted = await self._store.claim(self.state, list(wanted), self._shards.least_token)
        for grant in granted or ():
            self._own(wanted[grant.shard_id], grant.token, grant.state)
        if granted is None:
            self._wake_up.soon()  # the cluster changed since it was read: plan again

    def _own(self, key: ShardKey, token: int, stored: str) -> None:
        incarnation = self.state.incarnation
        state = self._copies.resumed_from(shard_id_of(key), stored, incarnation)
        self._shards.own(key, token, state, incarnation)
        self._run(shard_id_of(key))

    def _run(self, shard_id: ShardId) -> None:
        info = self._session_limit.info
        if info is None or self._stopping or self.state.halt is not None:
            return  # a stop may have begun since it was decided
        standby = shard_id[0] > self.state.gen
        self._shards.run(self._shards.owned[shard_id], self._group, info, standby=standby)

    # Between turns

    async def _pause(self) -> None:
        """Wait until there is something to do, but not much longer than until the next renewal."""
        if self._may_leave():
            return
        now = steady()
        if self._away:
            wake = now + self._timings.retry
        else:
            wake = self._sent_at + self._timings.renew * random.uniform(0.9, 1.1)
            wake = min(wake, self._failure_detector.next_at())
            me = self._me(now)
            wake = min([wake, *(moment for moment in (me.previous_generation_until, me.activate_at) if moment > now)])
            if any(owned.doubtful for owned in self._shards.owned.values()):
                wake = min(wake, now + max(self._seconds_until_sure(now), 0))
        await self._wake_up.wait(wake - now)
        if not self._wake_up.urgent:
            await asyncio.sleep(max(self._sent_at + SHORTEST_TURN - steady(), 0))

    async def _report_halt(self) -> None:
        if self._unreported_halt is not None and not self._away:
            await self._store.halt(self._unreported_halt)
            self._unreported_halt = None
