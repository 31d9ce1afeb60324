"""`reconcile`: what a node has to do, decided from what the store shows and what the node owns.

Responsible for every decision about shards: which node to evict, which shards to claim, adopt, run, close and release,
when to switch to the next generation, and when to activate it. Pure: a function of its arguments, without event loop,
store or clock.
Collaborators: `assignor` (which node should own what), `failure_detector` (which nodes are dead); `node` and
`shard_runner` carry the actions out, in order. Whether a lease still holds is not decided here, see `lease_watch`.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from ...models.gateway import ShardKey
from .assignor import assign, takers
from .state import ClusterState, ShardId, shard_id_of
from .timings import DRIFT, Timings

FOREVER = float("inf")


class Evict(Struct, frozen=True):
    """Remove a node whose beat is still `stamp`, and free its shards."""

    node: str
    stamp: str


class Adopt(Struct, frozen=True):
    """Own and run a shard that the store shows as ours: the answer to its claim was lost."""

    key: ShardKey
    token: int


class Claim(Struct, frozen=True):
    """Own and run those of these shards that are still free."""

    keys: tuple[ShardKey, ...]


class Switch(Struct, frozen=True):
    """Make the next generation the current one, unless the cluster changed since `version`."""

    version: int


class ActivateShard(Struct, frozen=True):
    """Let the events of a shard be handled: its generation is the current one."""

    shard_id: ShardId


class RunShard(Struct, frozen=True):
    """Run a shard again that is still ours: its lease had ended."""

    shard_id: ShardId


class CloseShard(Struct, frozen=True):
    """Drain a shard and end it."""

    shard_id: ShardId


class ReleaseShard(Struct, frozen=True):
    """Give a shard back that has ended."""

    shard_id: ShardId


Action = Evict | Adopt | Claim | Switch | ActivateShard | RunShard | CloseShard | ReleaseShard


class OwnedStatus(Struct, frozen=True):
    """One owned shard, as the decisions see it.

    `running`: its task has not ended. `closing`: it is to be released. `parked`: it ended because there are too few
    shards. `doubtful`: its lease ended, and the store cannot confirm yet that it is ours. `standby`: it is connected,
    and its events wait. `ready_until`: until then READY may come for its IDENTIFY.
    """

    key: ShardKey
    running: bool = True
    closing: bool = False
    parked: bool = False
    doubtful: bool = False
    standby: bool = False
    ready_until: float = 0.0

    @property
    def shard_id(self) -> ShardId:
        """The generation and index of the shard."""
        return shard_id_of(self.key)


class Me(Struct, frozen=True, kw_only=True):
    """What this node knows that the store does not show; moments are seconds of its own clock.

    `settled`: this incarnation of the store has been known for long enough to judge other nodes. `silent`: the nodes
    that are taken for dead, each with its last beat. `can_start`: the answer of /gateway/bot is known. `ending`: shards
    that were lost, and whose tasks have not ended. `with_session`: shards whose session was seen in the store.
    `late_at`: from then on a stop leaves just enough time for the shards to finish. `previous_generation_until`: until
    then the generation before the current one goes on.
    """

    id: str
    timings: Timings
    settled: bool = True
    silent: Mapping[str, str] = {}
    can_start: bool = True
    stopping: bool = False
    late_at: float = FOREVER
    ending: AbstractSet[ShardId] = frozenset()
    with_session: AbstractSet[ShardId] = frozenset()
    previous_generation_until: float = 0.0

    @property
    def activate_at(self) -> float:
        """When the current generation may be handled: the one before has stopped, and its events are known by id."""
        return self.previous_generation_until + self.timings.renew / 2

    def may_start(self, view: ClusterState) -> bool:
        """True if shards may be claimed and run now."""
        return self.can_start and not self.stopping and view.halt is None

    def is_draining(self, view: ClusterState) -> bool:
        """True if this node gives its shards away."""
        return self.stopping or self.id in view.drained


def reconcile(view: ClusterState, owned: Iterable[OwnedStatus], me: Me, now: float) -> list[Action]:
    """Return what this node has to do now, in the order in which it is to be done."""
    owned = tuple(owned)
    plans = {gen: _plan(view, gen, count) for gen, count in view.generations}
    to_close = dict.fromkeys(status.shard_id for status in _to_close(view, owned, me, plans, now))  # ordered
    actions: list[Action] = []
    if me.settled:
        actions += _membership(view, {status.shard_id for status in owned}, me, plans)
        if _is_switch_due(view, me):
            actions.append(Switch(view.version))
    if now >= me.activate_at:
        actions += [ActivateShard(each.shard_id) for each in owned if each.standby and each.key.gen == view.gen]
    if me.may_start(view):
        actions += [
            RunShard(each.shard_id) for each in owned if each.shard_id not in to_close and _is_to_run(view, each)
        ]
    actions += [CloseShard(shard_id) for shard_id in to_close]
    ended = [each for each in owned if not each.running and (each.closing or each.shard_id in to_close)]
    return actions + [ReleaseShard(each.shard_id) for each in ended]


def seconds_until_sure(timings: Timings, age: float) -> float:
    """Return in how many seconds every owner that this store forgot, or never knew, has reported itself or stopped.

    `age`: for how many seconds this incarnation of the store has been known. Until then a lease that ended in an
    earlier incarnation is not resumed: while we could not act, the shard may have been given to another node, and a
    store that came back without that record cannot know.
    """
    return timings.own * (1 + 2 * DRIFT) + timings.slack - age


def _plan(view: ClusterState, gen: int, count: int) -> dict[int, str]:
    return assign(count, [node.member for node in view.nodes.values()], view.owned(gen), view.target_active)


def _membership(
    view: ClusterState, owned: AbstractSet[ShardId], me: Me, plans: Mapping[int, Mapping[int, str]]
) -> list[Action]:
    """Return which nodes to evict, else which shards to adopt and claim: an eviction changes the plan."""
    evictions: list[Action] = [Evict(node, stamp) for node, stamp in me.silent.items() if node != me.id]
    if evictions:
        return evictions
    busy = owned | me.ending  # a lost shard that has not ended here must not run twice in this process
    counts = dict(view.generations)
    actions: list[Action] = [
        Adopt(ShardKey(*shard_id, counts[shard_id[0]]), owner.token)
        for shard_id, owner in view.owners.items()
        if owner.node == me.id and shard_id not in busy and shard_id[0] in counts
    ]
    if not me.may_start(view) or view.restarts:  # the old generation has to end before a new shard begins
        return actions
    wanted = [
        ShardKey(gen, index, counts[gen])
        for gen, plan in plans.items()
        for owners in [view.owned(gen)]
        for index, node in plan.items()
        if node == me.id and index not in owners and (gen, index) not in busy
    ]
    return [*actions, Claim(tuple(wanted))] if wanted else actions


def _is_switch_due(view: ClusterState, me: Me) -> bool:
    """True if each shard of the next generation has a session; in a restart, if no shard of the old one is owned."""
    if view.restarts:
        return not view.owned(view.gen)
    owned = view.owned(view.gen + 1)
    following = [(view.gen + 1, index) for index in range(view.next_shards)]
    return bool(following) and all(shard_id[1] in owned and shard_id in me.with_session for shard_id in following)


def _is_to_run(view: ClusterState, status: OwnedStatus) -> bool:
    waits = status.closing or status.parked or status.doubtful or status.key.gen < view.gen
    return not status.running and not waits


def _to_close(
    view: ClusterState, owned: Iterable[OwnedStatus], me: Me, plans: Mapping[int, Mapping[int, str]], now: float
) -> list[OwnedStatus]:
    """Return what to close now: what must not run any more, and, a few at a time, what other nodes should own."""
    known = dict(view.generations)
    late = now >= me.late_at
    draining = me.is_draining(view)
    members = [node.member for node in view.nodes.values()]
    others = [each for each in owned if not each.closing and known and each.key.gen not in known]
    # A generation that was given up ends at once; the one before the current goes on until all nodes have switched.
    obsolete = [each for each in others if now >= me.previous_generation_until or each.key.gen > view.gen]
    # Not while READY is awaited: a shard that ends before it leaves a session that no node knows.
    closable = [each for each in owned if not each.closing and (late or now >= each.ready_until)]
    # No other node can take over now, or there is no time to hand over a few at a time.
    at_once = draining and (late or not me.settled or not takers(members, view.target_active))
    if view.restarts or at_once:
        return obsolete + closable
    surplus = [
        each
        for gen, plan in plans.items()
        if plan and (me.settled or draining)  # before it has settled a node cannot know which plan is right
        for each in closable
        if each.key.gen == gen and plan.get(each.key.index) != me.id
    ]
    closing = sum(each.closing for each in owned) + len(obsolete)
    return obsolete + surplus[: _handovers(view, me.timings.handovers, closing)]


def _handovers(view: ClusterState, most: int, closing: int) -> int:
    """Return how many more shards may be handed over now: `most` of this node at once, and twice that may be free."""
    free = sum(count - len(view.owned(gen)) for gen, count in view.generations)
    return max(min(most - closing, 2 * most - free), 0)
