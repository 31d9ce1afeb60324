"""`reconcile`, by tables: what a node does in each row of docs/production.md. No server, no clock."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqbot.models.gateway import ShardKey
from qqbot.sessions.cluster.assignor import Role
from qqbot.sessions.cluster.reconcile import (
    Action,
    ActivateShard,
    Adopt,
    Claim,
    CloseShard,
    Evict,
    Me,
    OwnedStatus,
    ReleaseShard,
    RunShard,
    Switch,
    reconcile,
    seconds_until_sure,
)
from qqbot.sessions.cluster.state import ClusterHalt, ClusterState, NodeInfo, NodeRecord, OwnerRecord, ShardId
from qqbot.sessions.cluster.timings import Timings

NOW = 1000.0
TIMES = Timings()  # handovers=2
VERSION = 77
ROLES: dict[str, Role] = {"J": "joining", "A": "active", "S": "standby", "D": "draining"}
FREE = "."


def stamp(node: str) -> str:
    return f"{ord(node)}:1"


def cluster(
    owners: str = "", following: str | None = None, *, nodes: str = "aA bA", gen: int = 1, **more: Any
) -> ClusterState:
    """A cluster with one letter for the owner of each shard, and of each shard of the next generation."""
    records = {
        name: NodeRecord(name, ord(name), 1, ROLES[role], NodeInfo()) for name, role in (each for each in nodes.split())
    }
    shards = {(gen, index): node for index, node in enumerate(owners)}
    shards |= {(gen + 1, index): node for index, node in enumerate(following or "")}
    return ClusterState(
        incarnation=1,
        version=VERSION,
        gen=gen,
        shards=len(owners),
        next_shards=more.pop("next_shards", len(following or "")),
        nodes=records,
        owners={
            shard_id: OwnerRecord(10 * shard_id[0] + shard_id[1], "" if node == FREE else node)
            for shard_id, node in shards.items()
        },
        **more,
    )


@dataclass
class Case:
    """What node `a` sees, what it knows, and what it does; by default it runs the shards that the store shows."""

    view: ClusterState
    expected: list[Action]
    changed: dict[ShardId, dict[str, Any]] = field(default_factory=dict)
    forgotten: frozenset[ShardId] = frozenset()
    more: tuple[OwnedStatus, ...] = ()
    me: dict[str, Any] = field(default_factory=dict)

    @property
    def owned(self) -> list[OwnedStatus]:
        counts = {self.view.gen: self.view.shards, self.view.gen + 1: self.view.next_shards}
        mine = [shard_id for shard_id, owner in self.view.owners.items() if owner.node == "a"]
        kept = [
            OwnedStatus(ShardKey(*shard_id, counts[shard_id[0]]), **self.changed.get(shard_id, {}))
            for shard_id in mine
            if shard_id not in self.forgotten
        ]
        return [*kept, *self.more]


def keys(count: int, *indices: int, gen: int = 1) -> tuple[ShardKey, ...]:
    return tuple(ShardKey(gen, index, count) for index in indices)


def closes(*indices: int, gen: int = 1) -> list[Action]:
    return [CloseShard((gen, index)) for index in indices]


IDLE = {"running": False}
DOUBTFUL = {"running": False, "doubtful": True}
CLOSING = {"closing": True}
ENDED = {"running": False, "closing": True}
STANDBY = {"standby": True}
HALT = ClusterHalt(4914, "taken down")


def old(index: int, count: int = 2, gen: int = 1, **more: Any) -> OwnedStatus:
    """A shard that is owned here and that the store does not show any more."""
    return OwnedStatus(ShardKey(gen, index, count), **more)


CASES: dict[str, Case] = {
    # A start
    "start: a cluster without a number of shards has nothing to share": Case(cluster(""), []),
    "start: nothing is claimed before the cluster was watched": Case(cluster("...."), [], me={"settled": False}),
    "start: nothing is claimed before the platform's answer is known": Case(
        cluster("...."), [], me={"can_start": False}
    ),
    "start: each node claims its half": Case(cluster("...."), [Claim(keys(4, 0, 1))]),
    "start: a joining node claims nothing": Case(cluster("....", nodes="aJ bA"), []),
    "start: a balanced cluster rests": Case(cluster("aabb"), []),
    # kill -9
    "kill: a silent node is evicted, and nothing is claimed in the same turn": Case(
        cluster("aab.", nodes="aA bA"), [Evict("b", stamp("b"))], me={"silent": {"b": stamp("b")}}
    ),
    "kill: its shards are claimed when it is gone": Case(cluster("aa..", nodes="aA"), [Claim(keys(4, 2, 3))]),
    "kill: the survivors share its shards": Case(cluster("aabb..", nodes="aA bA"), [Claim(keys(6, 4))]),
    "kill: a node never evicts itself": Case(cluster("aabb"), [], me={"silent": {"a": stamp("a")}}),
    "kill-twice: two silent nodes are evicted in one turn": Case(
        cluster("aabc", nodes="aA bA cA"),
        [Evict("b", stamp("b")), Evict("c", stamp("c"))],
        me={"silent": {"b": stamp("b"), "c": stamp("c")}},
    ),
    # SIGSTOP, then SIGCONT: sync has taken the lost shards away
    "pause: what was lost and has not ended is not run twice in this process": Case(
        cluster("bb..", nodes="aA bA"), [Claim(keys(4, 3))], me={"ending": {(1, 2)}}
    ),
    "pause: a lost shard that came back by the records waits for its old task": Case(
        cluster("aabb"), [], forgotten=frozenset({(1, 1)}), me={"ending": {(1, 1)}}
    ),
    "pause: the node that took over gives the surplus back, two at a time": Case(cluster("aaaaaabb"), closes(4, 5)),
    # A store without its data, a new incarnation: not settled
    "store-restart-empty: free shards are not claimed for the time being": Case(
        cluster("aa..", nodes="aA"), [], me={"settled": False}
    ),
    "store-restart-empty: nothing is handed over while members are missing": Case(
        cluster("aaaa", nodes="aA bA"), [], me={"settled": False}
    ),
    "store-restart-and-kill: what no owner reported is claimed when that has settled": Case(
        cluster("aa..", nodes="aA"), [Claim(keys(4, 2, 3))]
    ),
    "flushall: silence is no reason before that has settled": Case(
        cluster("aabb"), [], me={"settled": False, "silent": {"b": stamp("b")}}
    ),
    "flushall: a leave that needs no plan goes on": Case(
        cluster("aabb"), closes(0, 1), me={"settled": False, "stopping": True}
    ),
    # Leases that ended
    "store-frozen-shortly: shards that still run are left alone": Case(cluster("aabb"), []),
    "store-frozen-long: what is still ours runs again": Case(
        cluster("aabb"), [RunShard((1, 0)), RunShard((1, 1))], changed={(1, 0): IDLE, (1, 1): IDLE}
    ),
    "outage: a doubtful lease is not resumed": Case(
        cluster("..bb"), [], me={"settled": False}, more=(old(0, 4, **DOUBTFUL), old(1, 4, **DOUBTFUL))
    ),
    "outage: a doubtful lease is not claimed past itself": Case(
        cluster("..bb"), [], more=(old(0, 4, **DOUBTFUL), old(1, 4, **DOUBTFUL))
    ),
    "outage: it runs again when the store has confirmed it": Case(cluster("aabb"), [RunShard((1, 0))], {(1, 0): IDLE}),
    "doubtful-leases: the confirmed one runs, the doubtful one waits": Case(
        cluster("aabb"), [RunShard((1, 1))], changed={(1, 0): DOUBTFUL, (1, 1): IDLE}
    ),
    "doubtful-leases: a stop gives them back without running them": Case(
        cluster("aabb", nodes="aD bA"),
        [*closes(0, 1), ReleaseShard((1, 0)), ReleaseShard((1, 1))],
        changed={(1, 0): DOUBTFUL, (1, 1): DOUBTFUL},
        me={"stopping": True},
    ),
    "lost-lease: a shard of another node is left alone": Case(cluster("bbbb", nodes="aA bD"), []),
    "lost-lease: an answer to a claim that was lost is taken up": Case(
        cluster("aabb"), [Adopt(*keys(4, 1), 11)], forgotten=frozenset({(1, 1)})
    ),
    "lost-lease: a shard that was fenced out is released, not run": Case(
        cluster("aabb"), [ReleaseShard((1, 0))], changed={(1, 0): ENDED}
    ),
    "restored-store: a node that came back first evicts, then claims": Case(
        cluster("aa.c", nodes="aA cA"), [Evict("c", stamp("c"))], me={"silent": {"c": stamp("c")}}
    ),
    "restored-store: a record that is ours and forgotten here is adopted under its own token": Case(
        cluster("aa", nodes="aA"),
        [Adopt(*keys(2, 0), 10), Adopt(*keys(2, 1), 11)],
        forgotten=frozenset({(1, 0), (1, 1)}),
    ),
    "cut-off: a node without shards claims its share again": Case(
        cluster("bb..", nodes="aA bA"), [Claim(keys(4, 2, 3))]
    ),
    "sentinel-failover: the time of the store decides nothing": Case(cluster("aabb", now=-86_400.0), []),
    "clock-steps: the time of the store decides nothing": Case(cluster("aab.", now=1e12, nodes="aA bA"), []),
    # Planned moves
    "join-and-leave: the surplus is handed over, two at a time": Case(cluster("aaaaaa"), closes(3, 4)),
    "join-and-leave: one that is closing counts": Case(cluster("aaaaaa"), closes(4), changed={(1, 3): CLOSING}),
    "join-and-leave: two that are closing are enough": Case(
        cluster("aaaaaa"), [], changed={(1, 3): CLOSING, (1, 4): CLOSING}
    ),
    "join-and-leave: four free shards are enough for the cluster": Case(
        cluster("aaaaaa....", nodes="aA bA"), [], me={"can_start": False}
    ),
    "join-and-leave: three free shards leave room for one": Case(
        cluster("aaaaaa...", nodes="aA bA"), closes(5), me={"can_start": False}
    ),
    "join-and-leave: what has ended is released": Case(
        cluster("aaaaaa"), [*closes(4), ReleaseShard((1, 3))], changed={(1, 3): ENDED}
    ),
    "join-and-leave: no hand-over while READY is awaited": Case(
        cluster("aaaa"), closes(3), changed={(1, 2): {"ready_until": NOW + 1}}
    ),
    "join-and-leave: a hand-over when READY can come no more": Case(
        cluster("aaaa"), closes(2, 3), changed={(1, 2): {"ready_until": NOW}}
    ),
    "join-and-leave: a shard that does not run is handed over as it is": Case(
        cluster("aaab", nodes="aA bA"), [*closes(2), ReleaseShard((1, 2))], changed={(1, 2): IDLE}
    ),
    "rolling-deploy: a node that stops hands over, two at a time": Case(
        cluster("aaabbb", nodes="aD bA"), closes(0, 1), me={"stopping": True}
    ),
    "rolling-deploy: it claims and runs nothing": Case(
        cluster("a...bb", nodes="aD bA"),
        [*closes(0), ReleaseShard((1, 0))],
        changed={(1, 0): IDLE},
        me={"stopping": True},
    ),
    "rolling-deploy: without another node it gives everything at once": Case(
        cluster("aaaa", nodes="aD"), closes(0, 1, 2, 3), me={"stopping": True}
    ),
    "rolling-deploy: without another active node it gives everything at once": Case(
        cluster("aaaa", nodes="aD bJ cS"), closes(0, 1, 2, 3), me={"stopping": True}
    ),
    "rolling-deploy: what is left near the end of the stop goes at once, READY or not": Case(
        cluster("aaaabb", nodes="aD bA"),
        closes(0, 1, 2, 3),
        changed={(1, 0): {"ready_until": NOW + 9}},
        me={"stopping": True, "late_at": NOW},
    ),
    "rolling-deploy: until then READY is awaited": Case(
        cluster("aabb", nodes="aD bA"),
        closes(1),
        changed={(1, 0): {"ready_until": NOW + 9}},
        me={"stopping": True, "late_at": NOW + 1},
    ),
    "drain: a drained node hands over, two at a time": Case(
        cluster("aaabbb", nodes="aD bA", drained=frozenset("a")), closes(0, 1)
    ),
    "drain: without another node it gives everything at once": Case(
        cluster("aaaa", nodes="aD", drained=frozenset("a")), closes(0, 1, 2, 3)
    ),
    "drain: it takes nothing, and what it has runs on": Case(
        cluster("a..b", nodes="aD bA", drained=frozenset("a")),
        [RunShard((1, 0))],
        changed={(1, 0): IDLE | {"ready_until": NOW + 1}},
    ),
    "drain: another node is drained": Case(cluster("aabb", nodes="aA bD", drained=frozenset("b")), []),
    "standby: it waits while enough nodes are active": Case(cluster("bb..", nodes="aS bA cA", target_active=2), []),
    "standby: it takes over when one is missing": Case(
        cluster("bb..", nodes="aS bA", target_active=2), [Claim(keys(4, 2, 3))]
    ),
    "standby: the oldest of two takes over": Case(
        cluster("cc..", nodes="bS cA aS", target_active=2), [Claim(keys(4, 2, 3))]
    ),
    "standby: it hands over when an active node is back": Case(
        cluster("aabb", nodes="aS bA cA", target_active=2), closes(0, 1)
    ),
    # Halt
    "halt: nothing is claimed or run": Case(cluster("aa..", nodes="aA", halt=HALT), [], changed={(1, 0): IDLE}),
    "halt: a node that ends for it gives everything back": Case(
        cluster("aa..", nodes="aD", halt=HALT),
        [*closes(0, 1), ReleaseShard((1, 0))],
        changed={(1, 0): IDLE},
        me={"stopping": True},
    ),
    "halt: a node that ends for it hands nothing over before the others know its new role": Case(
        cluster("aabb", halt=HALT), [], me={"stopping": True}
    ),
    "halt: dead nodes are evicted all the same": Case(
        cluster("aabb", halt=HALT), [Evict("b", stamp("b"))], me={"silent": {"b": stamp("b")}}
    ),
    # A roll
    "roll: the next generation is claimed beside the current one": Case(
        cluster("ab", "...."), [Claim(keys(4, 0, 1, gen=2))]
    ),
    "roll: it does not switch before every shard has a session": Case(
        cluster("ab", "abab"), [], me={"with_session": {(2, 0), (2, 1), (2, 2)}}
    ),
    "roll: it does not switch before every shard has an owner": Case(
        cluster("ab", "aba.", nodes="aA bA"), [], me={"with_session": {(2, index) for index in range(4)}}
    ),
    "roll: it switches when every shard has a session": Case(
        cluster("ab", "abab"), [Switch(VERSION)], me={"with_session": {(2, index) for index in range(4)}}
    ),
    "roll: a node that has not settled does not switch": Case(
        cluster("ab", "abab"), [], me={"with_session": {(2, index) for index in range(4)}, "settled": False}
    ),
    "roll: the events of the next generation wait": Case(cluster("ab", "abab"), [], changed={(2, 0): STANDBY}),
    "roll: after the switch they wait until the generation before has stopped": Case(
        cluster("abab", gen=2), [], changed={(2, 0): STANDBY}, me={"previous_generation_until": NOW}
    ),
    "roll: then they are handled": Case(
        cluster("abab", gen=2),
        [ActivateShard((2, 0))],
        changed={(2, 0): STANDBY},
        me={"previous_generation_until": NOW - TIMES.renew / 2},
    ),
    "roll: the generation before goes on for a moment": Case(
        cluster("abab", gen=2), [], more=(old(0),), me={"previous_generation_until": NOW + 0.1}
    ),
    "roll: then it is closed, and its end counts as a hand-over": Case(
        cluster("aaaaab", gen=2),
        closes(0, gen=1) + closes(3, gen=2),
        more=(old(0),),
        me={"previous_generation_until": NOW},
    ),
    "roll: a shard of the generation before does not run again": Case(
        cluster("abab", gen=2), [], more=(old(0, **IDLE),), me={"previous_generation_until": NOW + 0.1}
    ),
    "roll: what was given up ends at once, READY or not": Case(
        cluster("ab"),
        closes(0, gen=2),
        more=(old(0, 4, 2, ready_until=NOW + 9),),
        me={"previous_generation_until": NOW + 9},
    ),
    "roll-by-restart: the old shards end first, all at once": Case(
        cluster("aab.", next_shards=4, restarts=True), closes(0, 1)
    ),
    "roll-by-restart: READY is awaited": Case(
        cluster("aab", next_shards=4, restarts=True), closes(1), changed={(1, 0): {"ready_until": NOW + 1}}
    ),
    "roll-by-restart: it does not switch while a shard is owned": Case(cluster(".b", next_shards=4, restarts=True), []),
    "roll-by-restart: it switches when no shard is owned": Case(
        cluster("..", next_shards=4, restarts=True), [Switch(VERSION)]
    ),
    "too-few-shards: a shard that was closed with 4011 waits": Case(
        cluster("aabb"), [], changed={(1, 0): IDLE | {"parked": True}}
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_row(name: str) -> None:
    case = CASES[name]
    me = Me(id="a", timings=TIMES, **case.me)
    assert reconcile(case.view, case.owned, me, NOW) == case.expected


def test_the_order_of_a_turn() -> None:
    view = cluster("aaaa....", nodes="aA", gen=2)
    owned = [
        OwnedStatus(ShardKey(2, 0, 8), running=False),
        OwnedStatus(ShardKey(2, 1, 8), standby=True),
        OwnedStatus(ShardKey(1, 0, 4), running=False),
        OwnedStatus(ShardKey(2, 2, 8), running=False, closing=True),
    ]
    me = Me(id="a", timings=TIMES)
    kinds = [type(action) for action in reconcile(view, owned, me, NOW)]
    assert kinds == [Adopt, Claim, ActivateShard, RunShard, CloseShard, ReleaseShard, ReleaseShard]


def test_a_doubtful_lease_is_sure_when_a_forgotten_owner_has_stopped() -> None:
    assert seconds_until_sure(TIMES, 0.0) > TIMES.own * 1.01 + TIMES.slack
    assert seconds_until_sure(TIMES, TIMES.observe) <= 0
    assert seconds_until_sure(TIMES, 3.0) == seconds_until_sure(TIMES, 0.0) - 3.0


NAMES = "abc"


@st.composite
def situations(draw: st.DrawFn) -> tuple[ClusterState, list[OwnedStatus], Me]:
    """Any cluster, with anything that node `a` may know about it, consistent or not."""
    owner = st.sampled_from(NAMES + FREE)
    nodes = " ".join(name + draw(st.sampled_from("JASD")) for name in NAMES)
    following = draw(st.one_of(st.none(), st.text(owner, min_size=1, max_size=8)))
    view = cluster(
        draw(st.text(owner, min_size=1, max_size=8)),
        following,
        nodes=nodes,
        gen=2,
        restarts=following is not None and draw(st.booleans()),
        halt=draw(st.sampled_from([None, HALT])),
        drained=frozenset(draw(st.sets(st.sampled_from(NAMES)))),
        target_active=draw(st.integers(0, 3)),
    )
    known = draw(st.sets(st.tuples(st.integers(1, 3), st.integers(0, 7)), max_size=10))
    owned = [
        OwnedStatus(
            ShardKey(gen, index, 8),
            *draw(st.tuples(*[st.booleans()] * 5)),
            ready_until=draw(st.sampled_from([0.0, NOW + 1])),
        )
        for gen, index in sorted(known)
    ]
    me = Me(
        id="a",
        timings=TIMES,
        settled=draw(st.booleans()),
        silent={name: stamp(name) for name in draw(st.sets(st.sampled_from(NAMES)))},
        can_start=draw(st.booleans()),
        stopping=draw(st.booleans()),
        late_at=draw(st.sampled_from([NOW, float("inf")])),
        ending=draw(st.sets(st.tuples(st.integers(1, 3), st.integers(0, 7)), max_size=3)) - known,
        previous_generation_until=draw(st.sampled_from([0.0, NOW + 1])),
    )
    return view, owned, me


@given(situations())
def test_whatever_it_sees_it_stays_within_its_rights(situation: tuple[ClusterState, list[OwnedStatus], Me]) -> None:
    view, owned, me = situation
    actions = reconcile(view, owned, me, NOW)
    status = {each.shard_id: each for each in owned}

    def ids(kind: type[RunShard] | type[CloseShard] | type[ReleaseShard] | type[ActivateShard]) -> set[ShardId]:
        return {action.shard_id for action in actions if isinstance(action, kind)}

    claimed = [(key.gen, key.index) for action in actions if isinstance(action, Claim) for key in action.keys]
    begun = [(action.key.gen, action.key.index) for action in actions if isinstance(action, Adopt)] + claimed
    assert len(begun) == len(set(begun)), "a shard begins once"
    assert not set(begun) & (status.keys() | me.ending), "nothing that is owned or ending begins again"
    assert not any(view.owners.get(shard_id, OwnerRecord(0, "")).node for shard_id in claimed), "only what is free"
    assert not ids(RunShard) & ids(CloseShard)
    for shard_id in ids(RunShard):
        each = status[shard_id]
        assert not (each.running or each.closing or each.parked or each.doubtful) and each.key.gen >= view.gen
    if me.stopping or view.halt is not None or not me.can_start:
        assert not claimed and not ids(RunShard)
    if not me.settled:
        assert not begun and not any(isinstance(action, (Evict, Switch)) for action in actions)
    assert not any(status[shard_id].closing for shard_id in ids(CloseShard)), "it is closed once"
    for shard_id in ids(ReleaseShard):
        assert not status[shard_id].running and (status[shard_id].closing or shard_id in ids(CloseShard))
    for shard_id in ids(ActivateShard):
        assert status[shard_id].standby and shard_id[0] == view.gen
