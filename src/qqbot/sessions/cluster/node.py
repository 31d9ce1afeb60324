"""`Node`: this process as a member of a cluster, from joining to leaving.

Owns what it does and when: renew, look, evict who is silent, claim what is free, hand over what others are to have,
stop what it may no longer run. What the store does is `scripts`', who is to have what `planner`'s, who is silent
`detector`'s, whether a lease still holds `deadline`'s. Shards run as tasks of one group, whose owner is `serve`.
"""

import asyncio
import contextlib
import logging
import os
import random
import socket
from collections.abc import Callable, Iterable
from importlib import metadata
from typing import Literal

from msgspec import Struct

from ...aio.cancellation import told_to
from ...aio.clock import steady
from ...errors import ConfigError, GatewayHalted
from ...lease import LeaseDeadline, LostReason
from ...models.gateway import GatewayBot, ResumeState, ShardKey
from ..base import GatewaySource, ManagerEvent, ShardFactory
from .assignor import Role, assign, takers
from .failure_detector import FailureDetector
from .owned_shard import NodeLease, OwnedShard, StandbyNodeLease
from .resharding import Resharder
from .session_limit import SessionStartLimiter
from .state import ClusterHalt, ClusterState, NodeInfo, ShardId, read_state
from .store import ClusterStore, Grant, OtherTimings, StoreAway, Synced
from .timings import DRIFT, Timings

log = logging.getLogger(__name__)

SHORTEST_TURN = 0.05
WARN_EVERY_SECONDS = 60.0


class NodeSettings(Struct, frozen=True):
    """What the user decided about a node."""

    role: Literal["active", "standby"]
    target_active: int
    timings: Timings
    auto_roll: bool


class Node:
    """One membership; `tell` hears what happens to shards."""

    def __init__(
        self,
        store: ClusterStore,
        settings: NodeSettings,
        gateway: GatewaySource,
        start: ShardFactory,
        tell: Callable[[ManagerEvent], None],
    ) -> None:
        self.picture = ClusterState()
        self._store = store
        self._settings = settings
        self._timings = settings.timings
        self._gateway = gateway
        self._start = start
        self._tell = tell
        self._failure_detector = FailureDetector(settings.timings.observe)
        self._owned: dict[ShardId, OwnedShard] = {}
        self._ending: dict[ShardId, asyncio.Task[None]] = {}
        self._copies: dict[ShardId, tuple[int, str]] = {}  # with the incarnation in which they were read
        self._states_read = 0.0
        self._session_limit = SessionStartLimiter(
            store, settings.timings, gateway, changed=self._hurry, warn=self._warn
        )
        self._resharder = Resharder(store, gateway, lambda: self.picture, auto_roll=settings.auto_roll)
        self._least = 0  # the largest token under which a sink has taken events, as far as it told us
        self._sync_lock = asyncio.Lock()  # an answer is taken in before the next question is asked
        self._wake = asyncio.Event()
        self._urgent = False
        self._waiting: list[asyncio.Future[None]] = []
        self._leases_moved = asyncio.Event()
        self._renewed = 0.0  # when the last sync was sent
        self._seen_at = 0.0  # when the last one that was answered was sent: leases count from there
        self._away = False
        self._warned: dict[str, float] = {}
        self._settled = False
        self._previous_generation_until = 0.0  # until when the shards of the generation before go on
        self._stop_at: float | None = None
        self._drain = 0.0
        self._main: asyncio.Task[None] | None = None
        self._helpers: list[asyncio.Task[None]] = []
        self._over = False
        self._ended = asyncio.Event()
        self._error: Exception | None = None
        self._untold_halt: ClusterHalt | None = None
        self._host = socket.gethostname()
        self._version = metadata.version("aioqqbot")

    # Its life

    async def serve(self) -> None:
        """Be a member until `stop`, or until something is wrong."""
        try:
            async with asyncio.TaskGroup() as self._group:
                self._main = self._group.create_task(self._live(), name="qqbot cluster node")
        finally:
            self._ended.set()
        if self._error is not None:
            raise self._error

    async def stop(self, drain: float) -> None:
        """Give every shard away and leave; what has not ended in time is cut off."""
        seconds = max(self._timings.stop, 1.5 * drain) - self._timings.call  # the rest is for closing connections
        self._begin_stop(seconds, drain)
        margin = min(self._timings.call, seconds / 4)
        for left in (seconds - margin, margin):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._ended.wait()
            if self._ended.is_set():
                return
            self._cut_off()

    def _begin_stop(self, seconds: float, drain: float) -> None:
        if self._stop_at is None:
            self._stop_at, self._drain = steady() + seconds, drain
        self._wake.set()

    def _cut_off(self) -> None:
        log.warning(
            "the node %s could not leave in time: its shards are taken over when it is missed", self._store.node
        )
        for task in (*self._tasks(), *self._helpers):
            task.cancel()
        if self._main is not None:
            self._main.cancel()

    def _tasks(self) -> list[asyncio.Task[None]]:
        running = [owned.task for owned in self._owned.values() if owned.task is not None]
        return [*running, *self._ending.values()]

    async def _live(self) -> None:
        try:
            await self._join()
            self._helpers = [
                self._group.create_task(self._listen(), name="qqbot cluster log"),
                self._group.create_task(self._watch_leases(), name="qqbot cluster leases"),
                self._group.create_task(self._keep_allowance(), name="qqbot cluster gateway"),
            ]
            while not self._may_leave():
                await self._turn()
                await self._pause()
            await self._leave()
        except Exception as error:  # noqa: BLE001 - `serve` raises it, outside of the task group
            self._fail(error)
            self._close(self._owned.values())
        finally:
            self._over = True
            self._answer(self._waiting)
        # Not where we are cancelled: then all of them are, and a second time would tear them out of their ends.
        for task in self._helpers:
            task.cancel()

    async def _join(self) -> None:
        """Become a member, however long the store is away.  Raises: ConfigError for what it refuses."""
        while self._stop_at is None:
            try:
                await self._store.check()
                await self._sync()
            except StoreAway as error:
                self._warn("away", f"Redis at {self._store} does not answer: {error}; starting when it does")
            except OtherTimings as other:
                await self._outlast(other.theirs)
            else:
                self._warned.clear()
                log.info("node %s joined its cluster at %s", self._store.node, self._store)
                return
            await self._wait_for_wake(self._timings.retry)

    async def _outlast(self, theirs: str) -> None:
        """Remove the members that use other timings, if not one of them is alive.  Raises: ConfigError, StoreAway."""
        patience = max(int(theirs.split()[2]) / 1000, self._timings.observe)
        log.warning("the cluster has members with other timings: looking for %g s whether they are alive", patience)
        before = await self._store.look()
        await self._wait_for_wake(patience)
        if self._stopping:
            return  # not looked for long enough to judge anybody
        after = await self._store.look()
        for name, node in before.nodes.items():
            if name in after.nodes and not await self._store.evict(before, name, node.stamp):
                raise ConfigError(
                    f"the nodes of this cluster use the timings {theirs}, this one {self._timings.shared} (renew, own, "
                    "observe, window, permit, lead, in ms): give all the same Timings, or another cluster name. "
                    "同一集群的各进程 Timings 必须一致"
                )

    async def _leave(self) -> None:
        await self._tell_halt()
        node = self.picture.nodes.get(self._store.node)
        if node is not None and not self._away:
            try:
                picture = await self._store.look()
                node = picture.nodes.get(self._store.node, node)
                await self._store.evict(picture, node.id, node.stamp)
            except StoreAway as error:
                log.warning("this node could not say that it leaves, it will be missed: %s", error)

    async def look(self) -> ClusterState:
        """Return the cluster as it is now, or as this node saw it last where the store is away."""
        try:
            return await self._store.look()
        except StoreAway:
            return self.picture

    @property
    def _stopping(self) -> bool:
        return self._stop_at is not None

    def _may_leave(self) -> bool:
        if not self._stopping or self._tasks():
            return False
        return not self._owned or self._away

    @property
    def role(self) -> Role:
        """What this node is now."""
        if self._stopping or self._store.node in self.picture.drained:
            return "draining"
        return self._settings.role if self._settled else "joining"

    # A turn: look, then act

    async def _turn(self) -> None:
        self._wake.clear()
        self._urgent = False
        try:
            await self._sync()
            await self._act()
            self._release_surplus()
            await self._release_closed()
        except StoreAway as error:
            self._note_away(error)
        except OtherTimings as other:
            self._fail(ConfigError(f"the cluster was started anew with other timings: {other.theirs}"))

    def _note_away(self, error: StoreAway) -> None:
        self._away = True
        self._warn(
            "away",
            f"Redis at {self._store} does not answer: {error}; the shards go on for {self._timings.own:g} s at most, "
            "then they wait until it is back",
        )
        if self._stopping:
            self._close(self._owned.values())

    def _warn(self, what: str, words: str) -> None:
        """Say at once, then once a minute, that `what` is wrong."""
        if steady() - self._warned.get(what, float("-inf")) >= WARN_EVERY_SECONDS:
            self._warned[what] = steady()
            log.warning("%s", words)

    async def _pause(self) -> None:
        """Wait until there is something to do, but not much longer than until the next renewal."""
        begun = steady()
        if self._away:
            wake = begun + self._timings.retry
        else:
            wake = self._renewed + self._timings.renew * random.uniform(0.9, 1.1)
            wake = min(wake, self._failure_detector.next_at())
            wake = min(
                [wake, *(moment for moment in (self._previous_generation_until, self._activate_at) if moment > begun)]
            )
            if any(owned.doubtful for owned in self._owned.values()):
                wake = min(wake, begun + max(self._seconds_until_sure(begun), 0))
        await self._wait_for_wake(wake - begun)
        if not self._urgent:
            await asyncio.sleep(max(self._renewed + SHORTEST_TURN - steady(), 0))

    async def _wait_for_wake(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0)):
                await self._wake.wait()

    async def _sync(self) -> None:
        """Renew, tell and look.  Raises: StoreAway, OtherTimings."""
        async with self._sync_lock:
            waiting, self._waiting = self._waiting, []
            told = {shard_id: owned.state for shard_id, owned in self._owned.items()}
            sent_at = self._renewed = steady()
            sure_in = self.picture.incarnation if self._seconds_until_sure(sent_at) <= 0 else 0
            held = [owned.held(sure_in) for owned in self._owned.values()]
            info = NodeInfo(self._host, os.getpid(), self._version)
            target = self._settings.target_active
            try:
                self._take(
                    await self._store.sync(self.role, info, held, known=self.picture, target_active=target),
                    told,
                    sent_at,
                )
            finally:
                self._answer(waiting)
            if steady() - self._states_read >= 0.8 * self._timings.renew or self.picture.next_shards:
                await self._read_states()

    async def _read_states(self) -> None:
        """Keep what every shard would be resumed from, should the store lose its data together with an owner.

        Where it has, our copies are put back: whoever claims the shard may have joined only now, and has none.
        """
        picture = self.picture
        states = await self._store.states()
        self._states_read = steady()
        older = {
            shard_id: copy
            for shard_id, copy in self._copies.items()
            if shard_id not in states and shard_id[0] >= picture.gen and copy[0] != picture.incarnation
        }
        self._copies = older | {shard_id: (picture.incarnation, state) for shard_id, state in states.items()}
        owned = {shard_id for shard_id, owner in picture.owners.items() if owner.node}
        if lost := {shard_id: state for shard_id, (_, state) in older.items() if shard_id not in owned}:
            await self._store.restore(picture, lost)

    def _state_of(self, shard_id: ShardId, stored: str) -> ResumeState | None:
        """Return the state to begin with: the stored one, or our copy where the store lost its own."""
        incarnation, copy = self._copies.get(shard_id, (0, ""))
        return read_state(stored or (copy if incarnation != self.picture.incarnation else ""))

    def _answer(self, waiting: list[asyncio.Future[None]]) -> None:
        """Let those go on who wait for a sync, however it went."""
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _take(self, synced: Synced, told: dict[ShardId, ResumeState | None], sent_at: float) -> None:
        """Take in what a sync found."""
        if self._away:
            self._away = False
            self._warned.clear()
            log.info("Redis at %s answers again", self._store)
        before, self.picture = self.picture, synced.state
        if before.gen and before.gen < self.picture.gen:
            self._note_switch()
        self._seen_at = sent_at
        incarnation = self.picture.incarnation
        if before.incarnation not in (0, incarnation):
            self._wake.set()  # what the store lost is told again at once
        self._failure_detector.note(
            incarnation, {name: node.stamp for name, node in self.picture.nodes.items()}, steady()
        )
        for shard_id, state in told.items():
            owned = self._owned[shard_id]
            if shard_id in synced.lost:
                self._lose(owned)
            elif shard_id in synced.doubtful:
                owned.doubtful = True
            else:
                if owned.confirmed != incarnation:
                    self._wake.set()  # tell the new store what the old one knew
                owned.confirm(incarnation, state)
                if owned.lease is not None:
                    owned.lease.deadline.renew(sent_at)

    def _note_switch(self) -> None:
        """Let the generation before go on until every node knows of the new one."""
        log.info("the cluster runs %d shards now", self.picture.shards)
        self._previous_generation_until = steady() + 2 * self._timings.renew

    @property
    def _activate_at(self) -> float:
        """When the new generation is heard: the one before has stopped, and what it handled is known by its id."""
        return self._previous_generation_until + self._timings.renew / 2

    def _unmute(self) -> None:
        if steady() >= self._activate_at:
            for owned in self._owned.values():
                if owned.key.gen == self.picture.gen and isinstance(owned.lease, StandbyNodeLease):
                    owned.lease.activate()

    def _seconds_until_sure(self, now: float) -> float:
        """Return when an owner that this store never knew, or forgot, has said so or has stopped.

        Until then a lease that ended in an earlier incarnation is not resumed: while we could not act, the shard may
        have been given to another node, and a store that came back without that record knows nothing of it.
        """
        patience = self._timings.own * (1 + 2 * DRIFT) + self._timings.slack
        return patience - self._failure_detector.age(now)

    # What follows from the picture

    async def _act(self) -> None:
        await self._tell_halt()
        if self.picture.halt is not None and self._error is None:
            self._fail(self.picture.halt.error())
        self._session_limit.note(self.picture)
        if (
            self._session_limit.info is not None
            and not self._stopping
            and await self._resharder.follow(self._session_limit.info)
        ):
            self._wake.set()
        now = steady()
        if self._failure_detector.settled(now):
            if not self._settled:
                self._settled = True
                self._wake.set()  # and say so
            if not await self._evict_silent(now):
                self._adopt()
                await self._claim()
            await self._switch()
        self._unmute()
        self._revive()

    async def _switch(self) -> None:
        """Make the next generation the current one, as soon as each of its shards has a session.

        Where the one before has to end first: as soon as nobody runs a shard of it.
        """
        picture = self.picture
        if picture.restarts:
            due = not picture.owned(picture.gen)
        else:
            owned = picture.owned(picture.gen + 1)
            shard_ids = [(picture.gen + 1, index) for index in range(picture.next_shards)]
            due = bool(shard_ids) and all(
                shard_id[1] in owned and self._copies.get(shard_id, (0,))[0] for shard_id in shard_ids
            )
        if due:
            await self._store.admin("switch", picture.version)
            self._wake.set()

    async def _evict_silent(self, now: float) -> bool:
        """Remove the members that gave no sign of life; True when there was one."""
        silent = {name: stamp for name, stamp in self._failure_detector.silent(now).items() if name != self._store.node}
        for name, stamp in silent.items():
            if await self._store.evict(self.picture, name, stamp):
                log.warning("node %s gave no sign of life for %g s: its shards are free", name, self._timings.observe)
                self._tell(ManagerEvent("evicted", node=name))
            self._wake.set()
        return bool(silent)

    def _plan(self, gen: int, count: int) -> dict[int, str]:
        members = [node.member for node in self.picture.nodes.values()]
        return assign(count, members, self.picture.owned(gen), self.picture.target_active)

    def _adopt(self) -> None:
        """Take over what is ours by the records without our knowing: the answer to a claim was lost."""
        counts = dict(self.picture.generations)
        for shard_id, owner in self.picture.owners.items():
            if owner.node == self._store.node and self._is_idle(shard_id) and shard_id[0] in counts:
                key = ShardKey(*shard_id, counts[shard_id[0]])
                _, state = self._copies.get(shard_id, (0, ""))
                self._hold(key, Grant(shard_id, owner.token, state))

    def _is_idle(self, shard_id: ShardId) -> bool:
        return shard_id not in self._owned and shard_id not in self._ending

    async def _claim(self) -> None:
        """Take the free shards that are planned for this node."""
        if self._session_limit.info is None or self._stopping or self.picture.halt is not None or self.picture.restarts:
            return
        wanted: dict[ShardId, ShardKey] = {}
        for gen, count in self.picture.generations:
            owned = self.picture.owned(gen)
            for index, node in self._plan(gen, count).items():
                if node == self._store.node and index not in owned and self._is_idle((gen, index)):
                    wanted[gen, index] = ShardKey(gen, index, count)
        if not wanted:
            return
        async with self._sync_lock:
            granted = await self._store.claim(self.picture, list(wanted), self._least)
            for grant in granted or ():
                self._hold(wanted[grant.shard_id], grant)
        if granted is None:
            self._wake.set()

    def _hold(self, key: ShardKey, grant: Grant) -> None:
        state = self._state_of(grant.shard_id, grant.state)
        owned = OwnedShard(key, grant.token, state, self.picture.incarnation)
        self._owned[grant.shard_id] = owned
        log.info("shard %s is ours (token %d)", key, grant.token)
        self._tell(ManagerEvent("claimed", key))
        self._run(owned)

    def _revive(self) -> None:
        """Run again what is still ours and not running: its lease had ended."""
        for owned in self._owned.values():
            waits = owned.closing or owned.parked or owned.doubtful or owned.key.gen < self.picture.gen
            if owned.task is None and not waits:
                self._run(owned)

    def _release_surplus(self) -> None:
        """Begin to hand over what others are to have, a few shards at a time."""
        settled = self._failure_detector.settled(steady())
        draining = self.role == "draining"
        self._close(self._of_other_generations())
        if self.picture.restarts:
            self._close(self._closable(self._owned.values()))
        surplus: list[OwnedShard] = []
        for gen, count in self.picture.generations:
            planned = self._plan(gen, count)
            if planned and (settled or draining):
                mine = [owned for (number, _), owned in self._owned.items() if number == gen]
                surplus += [each for each in mine if planned.get(each.key.index) != self._store.node]
        if draining and self._has_to_hurry(settled):
            self._close(self._closable(self._owned.values()))
        else:
            self._close(self._closable(surplus)[: self._handovers()])

    def _closable(self, owned_shards: Iterable[OwnedShard]) -> list[OwnedShard]:
        """Return those of `owned_shards` that may be closed now: not while READY is awaited, unless time runs out."""
        now = steady()
        return [each for each in owned_shards if not each.closing and (now >= each.ready_until or self._is_late)]

    def _of_other_generations(self) -> list[OwnedShard]:
        """Return what is not to be run any more: a generation that was given up, or the one before after its time."""
        known = [gen for gen, _ in self.picture.generations]
        past = steady() >= self._previous_generation_until
        others = [each for each in self._owned.values() if known and each.key.gen not in known]
        return [each for each in others if past or each.key.gen > self.picture.gen]

    def _has_to_hurry(self, settled: bool) -> bool:
        """Whether to release everything at once: nobody can take over now, or there is no time for one by one."""
        members = [node.member for node in self.picture.nodes.values()]
        if not settled or not takers(members, self.picture.target_active):
            return True
        return self._is_late

    @property
    def _is_late(self) -> bool:
        """Whether there is just time for the shards to finish before the end of a stop."""
        return self._stop_at is not None and steady() >= self._stop_at - self._drain - 2 * self._timings.call

    def _handovers(self) -> int:
        """Return how many more shards may be handed over now."""
        closing = sum(owned.closing for owned in self._owned.values())
        free = sum(count - len(self.picture.owned(gen)) for gen, count in self.picture.generations)
        return max(min(self._timings.handovers - closing, 2 * self._timings.handovers - free), 0)

    def _close(self, owned_shards: Iterable[OwnedShard]) -> None:
        for owned in owned_shards:
            if not owned.closing:
                owned.closing = True
                if owned.task is None:
                    self._hurry()
                elif owned.lease is not None and not owned.lease.ended:  # else it is being ended
                    owned.task.cancel()

    async def _release_closed(self) -> None:
        """Give back what has been closed."""
        for shard_id, owned in list(self._owned.items()):
            if owned.closing and owned.task is None:
                async with self._sync_lock:
                    await self._store.release(owned.held())
                    del self._owned[shard_id]
                log.info("shard %s is released", owned.key)
                self._tell(ManagerEvent("released", owned.key))

    def _lose(self, owned: OwnedShard) -> None:
        """Another node owns the shard."""
        log.warning("shard %s is another node's by now", owned.key)
        del self._owned[owned.shard_id]
        if owned.task is not None:
            self._ending[owned.shard_id] = owned.task
        self._end_lease(owned, "taken")

    def _end_lease(self, owned: OwnedShard, reason: LostReason) -> None:
        if owned.lease is not None:
            owned.lease.end(reason)
        if owned.task is not None:
            owned.task.cancel()
        self._tell(ManagerEvent("lost", owned.key, cause=reason))

    def _give_up(self, owned: OwnedShard, token: int) -> None:
        """Release a shard of which events were published under a larger token, to claim it under one larger still.

        It is another node's, as the next sync will say, or the store lost its data and its clock went back.
        """
        self._least = max(self._least, token)
        if not owned.closing:
            self._close([owned])
            self._tell(ManagerEvent("lost", owned.key, cause="fenced"))

    # Shards

    def _run(self, owned: OwnedShard) -> None:
        info = self._session_limit.info
        if info is None or self._stopping or self.picture.halt is not None:
            return
        deadline = LeaseDeadline(self._timings.own, self._seen_at)
        if owned.key.gen > self.picture.gen:
            kept = 3 * self._timings.renew + self._timings.window
            lease: NodeLease = StandbyNodeLease(
                owned, deadline, self._session_limit, self._save, self._give_up, kept=kept
            )
        else:
            lease = NodeLease(owned, deadline, self._session_limit, self._save, self._give_up)
        owned.lease = lease
        running = self._run_shard(owned, lease, info)
        owned.task = self._group.create_task(running, name=f"qqbot shard {owned.key}")
        # Not a `finally` in there: a task that is cancelled before it begins never comes to it.
        owned.task.add_done_callback(lambda _: self._note_end(owned, lease))
        self._leases_moved.set()

    async def _run_shard(self, owned: OwnedShard, lease: NodeLease, info: GatewayBot) -> None:
        with told_to(self._fail, f"shard {lease.shard}"):
            ended = await self._start(lease, info, owned.state)
            if ended.cause == "reshard":
                owned.parked = True
                await self._resharder.enlarge(self._hurry, self._timings.retry)

    def _note_end(self, owned: OwnedShard, lease: NodeLease) -> None:
        lease.end("stopped")
        if owned.lease is lease:
            owned.task = None
        self._ending.pop(owned.shard_id, None)
        self._hurry()

    def _hurry(self) -> None:
        """Take the next turn at once."""
        self._urgent = True
        self._wake.set()

    async def _save(self, owned: OwnedShard) -> None:
        """Return when a sync that began from now on has ended, well or not."""
        if owned.closing or self._over:
            return  # the release takes it along; after the end nothing can
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._hurry()
        await future

    async def _watch_leases(self) -> None:
        """End each lease at its deadline, whatever the store does."""
        while True:
            self._leases_moved.clear()
            left = [self._judge(owned) for owned in list(self._owned.values()) if owned.lease is not None]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, default=None)):
                    await self._leases_moved.wait()

    def _judge(self, owned: OwnedShard) -> float:
        """End the lease if it is over; return for how many seconds not to look."""
        lease = owned.lease
        assert lease is not None
        if not lease.valid() and not lease.ended:
            log.warning("shard %s: its lease could not be renewed in time, it stops", owned.key)
            self._end_lease(owned, "expired")
        return lease.deadline.left() or self._timings.own

    async def _keep_allowance(self) -> None:
        with told_to(self._fail, "the session manager"):
            await self._session_limit.keep()

    # What wakes this node, and what ends it

    async def _listen(self) -> None:
        """Wake up by what other nodes do."""
        after = "$"
        while True:
            try:
                entries = await self._store.entries(after)
            except StoreAway:  # also of a store that refuses this: listening only makes us faster
                after = "$"
                await asyncio.sleep(self._timings.retry)
                continue
            if entries:
                after = entries[-1][0]
                if any(entry.get("node") != self._store.node for _, entry in entries):
                    self._wake.set()

    def _fail(self, error: Exception) -> None:
        """Keep the first error for `serve`, and begin to leave."""
        if self._error is not None:
            log.error("something failed while the node was leaving", exc_info=error)
            return
        self._error = error
        if isinstance(error, GatewayHalted):
            self._tell(ManagerEvent("halted", code=error.code))
            if self.picture.halt is None:
                self._untold_halt = ClusterHalt.of(error)
                log.error("the whole cluster is halted: mend what is said here, then `qqbot shards unhalt`")
        self._begin_stop(self._timings.stop, self._timings.stop / 2)

    async def _tell_halt(self) -> None:
        if self._untold_halt is not None and not self._away:
            await self._store.halt(self._untold_halt)
            self._untold_halt = None
