"""Each call of a store keeps its contract: on every kind of Redis server, and on etcd."""

import asyncio
import contextlib

import pytest

from qqbot.models.gateway import GatewayBot, SessionStartLimit
from qqbot.sessions.cluster.state import ClusterHalt, ClusterState, NodeInfo
from qqbot.sessions.cluster.store import Grant, OtherTimings, OwnershipReport, PermitAnswer, StoreAway
from qqbot.sessions.cluster.timings import Timings
from tests.sessions.cluster.stores import TIMINGS, A, B, Cluster, cluster, place, shared_etcd

__all__ = ["cluster", "place", "shared_etcd"]


def report(grant: Grant, state: str = "=", incarnation: int | None = None) -> OwnershipReport:
    return OwnershipReport(grant.shard_id, grant.token, state, incarnation)


# sync


async def test_sync_joins_and_beats(cluster: Cluster) -> None:
    first = (await cluster.sync("a", role="joining")).state
    second = (await cluster.sync("a", role="joining")).state
    assert first.nodes["a"].join == second.nodes["a"].join
    assert 0 < first.nodes["a"].beat == second.nodes["a"].beat - 1
    assert second.version == first.version and second.incarnation == first.incarnation
    third = (await cluster.sync("a", target=2)).state
    assert third.nodes["a"].role == "active" and third.version > second.version and third.target_active == 2
    assert (third.gen, third.shards) == (1, 2)
    assert await cluster.logged() == ["incarnation", "plan", "join", "role"]


async def test_sync_stores_states_of_what_is_ours(cluster: Cluster) -> None:
    (a,) = await cluster.claim("a", A)
    await cluster.sync("a", report(a, '{"x":1}'))
    assert await cluster.states() == {A: '{"x":1}'}
    await cluster.sync("a", report(a))
    assert await cluster.states() == {A: '{"x":1}'}
    await cluster.sync("a", report(a, "-"))
    assert await cluster.states() == {}


async def test_sync_refuses_what_another_node_owns_by_now(cluster: Cluster) -> None:
    (old,) = await cluster.claim("a", A)
    assert await (await cluster.store("a")).release(report(old))
    (new,) = await cluster.claim("b", A)
    late = await cluster.sync("a", report(old, '{"late":1}'))
    assert late.lost == {A} and late.state.owners[A].token == new.token
    assert await cluster.states() == {}


async def test_sync_after_an_eviction_refuses_everything(cluster: Cluster) -> None:
    (old,) = await cluster.claim("a", A)
    store = await cluster.store("b")
    state = (await cluster.sync("b")).state
    assert await store.evict(state, "a", state.nodes["a"].stamp)
    late = await cluster.sync("a", report(old, '{"late":1}'))
    assert late.lost == {A} and await cluster.states() == {}
    assert late.state.nodes["a"].join > old.token  # a new member


async def test_sync_writes_again_what_the_store_lost(cluster: Cluster) -> None:
    (a,) = await cluster.claim("a", A)
    await cluster.lose()
    found = await cluster.sync("a", report(a, '{"x":1}'))
    state = found.state
    assert not found.lost and state.owners[A] == ClusterState(owners={A: state.owners[A]}).owners[A]
    assert (state.owners[A].token, state.owners[A].node) == (a.token, "a")
    assert await cluster.states() == {A: '{"x":1}'} and (state.gen, state.shards) == (1, 2)
    (b,) = await cluster.claim("b", B)
    assert b.token > a.token


async def test_the_larger_token_wins_when_two_write_again(cluster: Cluster) -> None:
    (old,) = await cluster.claim("a", A)
    await (await cluster.store("a")).release(report(old))
    (new,) = await cluster.claim("b", A)
    await cluster.lose()
    assert not (await cluster.sync("a", report(old))).lost  # no other node has reported yet
    assert not (await cluster.sync("b", report(new))).lost
    assert (await cluster.sync("a", report(old))).lost == {A}


async def test_an_owner_whose_lease_ended_does_not_write_into_a_new_incarnation(cluster: Cluster) -> None:
    (a,) = await cluster.claim("a", A)
    before = cluster.known["a"].incarnation
    assert not (await cluster.sync("a", report(a, "=", before))).doubtful  # nothing happened to the store
    await cluster.lose()
    for _ in range(2):
        found = await cluster.sync("a", report(a, "=", before))
        assert found.doubtful == {A} and A not in found.state.owners and not found.lost
    found = await cluster.sync("a", report(a, "=", found.state.incarnation))
    assert not found.doubtful and found.state.owners[A].node == "a"


async def test_a_record_that_survived_a_restart_does_not_confirm_an_ended_lease(cluster: Cluster) -> None:
    (a,) = await cluster.claim("a", A)
    before = cluster.known["a"].incarnation
    await cluster.become_another()  # as after a failover to a replica that lags behind
    for _ in range(2):
        assert (await cluster.sync("a", report(a, "=", before))).doubtful == {A}
    assert not (await cluster.sync("a", report(a))).doubtful


async def test_nodes_with_other_timings_do_not_join(cluster: Cluster) -> None:
    await cluster.sync("a")
    other = await cluster.store("b", Timings())
    with pytest.raises(OtherTimings, match=TIMINGS.shared):
        await other.sync("active", NodeInfo(), [], known=ClusterState(), target_active=0)
    state = (await cluster.sync("a")).state
    assert list(state.nodes) == ["a"]
    assert await (await cluster.store("a")).evict(state, "a", state.nodes["a"].stamp)
    found = await other.sync("active", NodeInfo(), [], known=ClusterState(), target_active=0)
    assert found.state.timings == Timings().shared


# Incarnations and the clock


async def test_a_new_server_is_a_new_incarnation(cluster: Cluster) -> None:
    first = (await cluster.sync("a")).state
    await cluster.restart_empty()
    with contextlib.suppress(StoreAway):  # some clients only notice by the next call that a connection broke
        await cluster.sync("a")
    second = (await cluster.sync("a")).state
    assert second.incarnation > first.incarnation
    await cluster.lose()
    third = (await cluster.sync("a")).state
    assert third.incarnation > second.incarnation and third.version > 0
    assert (await cluster.sync("a")).state.incarnation == third.incarnation


async def test_tokens_grow_although_the_clock_went_back(cluster: Cluster) -> None:
    (a,) = await cluster.claim("a", A)
    await cluster.meta("tok", a.token + 3_600_000)  # it was an hour later when it was given out
    (b,) = await cluster.claim("a", B)
    assert b.token == a.token + 3_600_001


# claim


async def test_claim_takes_what_is_free_with_growing_tokens(cluster: Cluster) -> None:
    first = await cluster.claim("a", A, B)
    assert [grant.shard_id for grant in first] == [A, B] and first[0].token < first[1].token
    assert await cluster.claim("b", A, B) == []
    await (await cluster.store("a")).release(report(first[0], '{"x":1}'))
    (again,) = await cluster.claim("b", A)
    assert again.token > first[1].token and again.state == '{"x":1}'


async def test_claim_needs_the_present_state(cluster: Cluster) -> None:
    stale = (await cluster.sync("a")).state
    await cluster.sync("b")  # one more member
    store = await cluster.store("a")
    assert await store.claim(stale, [A]) is None
    fresh = (await cluster.sync("a")).state
    await cluster.become_another()
    assert await store.claim(fresh, [A]) is None
    fresh = (await cluster.sync("a")).state
    assert await store.evict(fresh, "a", fresh.nodes["a"].stamp)
    assert await store.claim(await store.look(), [A]) is None  # no member any more
    assert A not in (await store.look()).owners


async def test_claim_goes_above_a_token_that_was_seen_elsewhere(cluster: Cluster) -> None:
    (first,) = await cluster.claim("a", A)
    (second,) = await cluster.claim("a", B, least=first.token + 1_000_000)
    assert second.token > first.token + 1_000_000


async def test_claim_takes_only_what_exists(cluster: Cluster) -> None:
    assert await cluster.claim("a", (2, 0)) == []


async def test_a_claim_whose_answer_was_lost_shows_in_the_next_sync(cluster: Cluster) -> None:
    await cluster.claim("a", A)  # and the node never received the answer
    state = (await cluster.sync("a")).state
    assert state.owners[A].node == "a"


# release and evict


async def test_release_compares(cluster: Cluster) -> None:
    (a,) = await cluster.claim("a", A)
    store = await cluster.store("a")
    assert not await store.release(OwnershipReport(A, a.token - 1, '{"bad":1}'))
    assert not await (await cluster.store("b")).release(report(a, '{"bad":1}'))
    assert await store.release(report(a, '{"x":1}'))
    state = await store.look()
    assert (state.owners[A].token, state.owners[A].node) == (a.token, "") and state.states == {A: '{"x":1}'}
    assert not await store.release(report(a, "-"))


async def test_evict_compares_beat_and_incarnation(cluster: Cluster) -> None:
    (a,) = await cluster.claim("a", A)
    store = await cluster.store("b")
    seen = (await cluster.sync("b")).state
    await cluster.sync("a", report(a))  # a sign of life in between
    assert not await store.evict(seen, "a", seen.nodes["a"].stamp)
    seen = (await cluster.sync("b")).state
    await cluster.become_another()
    assert not await store.evict(seen, "a", seen.nodes["a"].stamp)
    seen = (await cluster.sync("b")).state
    assert await store.evict(seen, "a", seen.nodes["a"].stamp)
    state = await store.look()
    assert "a" not in state.nodes and state.owners[A].node == "" and state.owners[A].token == a.token
    assert (await cluster.logged())[-1] == "evict"


# permit


async def permits(cluster: Cluster, grant: Grant, concurrency: int, count: int) -> list[tuple[float, float]]:
    """Ask for permits as fast as they come, renew as a node does; return the earliest and latest moment of each."""
    store = await cluster.store("a")
    loop, usable = asyncio.get_running_loop(), list[tuple[float, float]]()
    while len(usable) < count:
        asked = loop.time()
        answer, wait = await store.permit(grant.shard_id, grant.token, concurrency)
        if answer is PermitAnswer.GRANTED:
            usable.append((asked + wait, loop.time() + wait))
        else:
            await asyncio.sleep(min(wait, TIMINGS.renew))
            await cluster.sync("a", report(grant))
    return usable


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_permits_keep_the_window(cluster: Cluster, concurrency: int) -> None:
    (a,) = await cluster.claim("a", A)
    usable = await permits(cluster, a, concurrency, 2 * concurrency)
    spacing = TIMINGS.window + TIMINGS.permit
    gaps = [later - earlier for (earlier, _), (_, later) in zip(usable, usable[concurrency:], strict=False)]
    assert all(gap >= spacing - 0.02 for gap in gaps), gaps


async def test_permits_that_are_asked_for_at_once(cluster: Cluster) -> None:
    (a,) = await cluster.claim("a", A)
    (b,) = await cluster.claim("b", B)
    stores = [(await cluster.store("a"), a), (await cluster.store("b"), b)] * 8
    asked = [store.permit(grant.shard_id, grant.token, 16) for store, grant in stores]
    assert {answer for answer, _ in await asyncio.gather(*asked)} == {PermitAnswer.GRANTED}
    assert (await stores[0][0].permit(A, a.token, 16))[0] is PermitAnswer.LATER


async def test_permits_need_the_shard(cluster: Cluster) -> None:
    (a,) = await cluster.claim("a", A)
    assert (await (await cluster.store("a")).permit(A, a.token - 1, 1))[0] == -1
    assert (await (await cluster.store("b")).permit(A, a.token, 1))[0] == -1


async def test_permits_count_the_budget(cluster: Cluster) -> None:
    (a,) = await cluster.claim("a", A)
    store = await cluster.store("a")
    await store.put_gateway(gateway(remaining=1, reset=60))
    assert (await store.permit(A, a.token, 9))[0] == 1
    answer, wait = await store.permit(A, a.token, 9)
    assert answer is PermitAnswer.NO_BUDGET and wait == pytest.approx(60, abs=2)
    await store.put_gateway(gateway(remaining=5, reset=60))  # within the period the smaller number holds
    assert (await store.permit(A, a.token, 9))[0] == -2
    await cluster.meta("budget_reset", 1)
    await store.put_gateway(gateway(remaining=5, reset=60))
    assert (await store.permit(A, a.token, 9))[0] == 1 and (await store.look()).budget == 4


async def test_no_node_identifies_while_halted(cluster: Cluster) -> None:
    (a,) = await cluster.claim("a", A)
    store = await cluster.store("a")
    await store.halt(ClusterHalt(4914, "taken down"))
    await store.halt(ClusterHalt(4915, "banned"))
    assert (await store.permit(A, a.token, 1))[0] == -3
    halt = (await store.look()).halt
    assert halt is not None and halt.code == 4914
    assert await store.admin("unhalt") and not await store.admin("unhalt")
    assert (await store.permit(A, a.token, 1))[0] == 1


# admin


def gateway(remaining: int, reset: float) -> GatewayBot:
    limit = SessionStartLimit(total=10, remaining=remaining, reset_after=reset * 1000)
    return GatewayBot(url="wss://host/", shards=2, session_start_limit=limit)


async def test_one_of_many_asks_the_gateway(cluster: Cluster) -> None:
    stores = [await cluster.store(f"n{number}") for number in range(10)]
    assert sum(await asyncio.gather(*(store.admin("ask", 600_000, 10_000) for store in stores))) == 1
    assert await stores[0].admin("ask", 600_000, 0)  # the node that was to ask did not answer
    await stores[0].put_gateway(gateway(5, 60))
    assert not any(await asyncio.gather(*(store.admin("ask", 600_000, 0) for store in stores)))
    assert (await stores[1].look()).gateway == gateway(5, 60)
    await cluster.meta("gateway_at", 1)
    assert await stores[0].admin("ask", 600_000, 0)


async def test_the_number_of_shards_is_only_set_if_no_shard_is_owned(cluster: Cluster) -> None:
    (a,) = await cluster.claim("a", A)
    await cluster.sync("a", report(a, '{"x":1}'))
    store = await cluster.store("a")
    assert not await store.admin("plan", 4)
    await store.release(report(a))
    assert await store.admin("plan", 4)
    state = await store.look()
    assert (state.gen, state.shards, state.owners, state.states) == (2, 4, {}, {})


async def test_drain_marks_members_only(cluster: Cluster) -> None:
    store = await cluster.store("x")
    assert not await store.admin("drain", "a")
    await cluster.sync("a")
    assert await store.admin("drain", "a")
    state = (await cluster.sync("b")).state
    assert state.drained == {"a"}
    await store.evict(state, "a", state.nodes["a"].stamp)
    assert (await store.look()).drained == frozenset()


async def test_a_roll_begins_switches_and_aborts_once(cluster: Cluster) -> None:
    store = await cluster.store("a")

    async def version() -> int:
        return (await cluster.sync("a")).state.version

    (old,) = await cluster.claim("a", A)
    seen = await version()
    assert await store.admin("begin", seen, 4)
    assert not await store.admin("begin", seen, 4) and not await store.admin("begin", await version(), 4)
    (new,) = await cluster.claim("a", (2, 3))
    assert await store.admin("abort", await version())
    assert not await store.admin("abort", await version())
    assert await store.release(report(new, '{"x":1}'))
    assert (2, 3) not in (await store.look()).owners  # nothing of it is kept
    assert await store.admin("begin", await version(), 4)
    (new,) = await cluster.claim("a", (2, 3))
    assert not await store.admin("switch", seen)
    assert await store.admin("switch", await version())
    state = (await cluster.sync("a", report(old, '{"x":1}'), report(new))).state
    assert (state.gen, state.shards, state.next_shards) == (2, 4, 0)
    assert await store.release(report(old, '{"x":1}'))
    state = await store.look()
    assert A not in state.owners and A not in state.states
    assert (await cluster.sync("a", report(old))).lost == {A}  # nor is it written again


async def test_a_restart_ends_one_generation_before_the_next_begins(cluster: Cluster) -> None:
    store = await cluster.store("a")

    async def version() -> int:
        return (await cluster.sync("a")).state.version

    (old,) = await cluster.claim("a", A)
    (other,) = await cluster.claim("a", B)
    assert await store.admin("begin", await version(), "4 restart")
    assert not await store.admin("begin", await version(), "4")
    state = (await cluster.sync("a", report(old, '{"x":1}'))).state
    assert (state.gen, state.shards, state.next_shards, state.restarts) == (1, 2, 4, True)
    assert state.generations == [(1, 2)]
    assert await store.release(report(old, '{"x":1}'))
    assert await cluster.claim("a", A) == [] and await cluster.claim("a", (2, 3)) == []
    assert await store.admin("abort", await version())
    (old,) = await cluster.claim("a", A)
    assert old.state == '{"x":1}'  # given up: everything goes on as it was
    assert await store.admin("begin", await version(), "4 restart")
    assert await store.release(report(old, '{"x":1}')) and await store.release(report(other))
    assert await store.admin("switch", await version())
    state = await store.look()
    assert (state.gen, state.shards, state.next_shards, state.restarts) == (2, 4, 0, False)
    assert state.owners == {} and state.states == {}
    (new,) = await cluster.claim("a", (2, 3))
    assert new.token > old.token


async def test_the_restart_is_written_again_to_a_store_without_its_data(cluster: Cluster) -> None:
    store = await cluster.store("a")
    await cluster.claim("a", A)
    assert await store.admin("begin", (await cluster.sync("a")).state.version, "4 restart")
    known = (await cluster.sync("a")).state
    await cluster.lose()
    info = NodeInfo("host", 1, "1")
    after = (await store.sync("active", info, [], known=known, target_active=0)).state
    assert (after.gen, after.shards, after.next_shards, after.restarts) == (1, 2, 4, True)


async def test_lost_states_are_put_back_if_the_store_has_none(cluster: Cluster) -> None:
    (a,) = await cluster.claim("a", A)
    store = await cluster.store("b")
    state = (await cluster.sync("b")).state
    lost = {A: '{"x":1}', B: '{"x":2}', (7, 0): '{"x":3}'}
    assert await store.restore(state, lost) == 1
    assert await store.states() == {B: '{"x":2}'}, "one that is owned, or of no generation, was put back"
    assert await store.restore(state, {B: '{"x":4}'}) == 0
    assert (await store.states())[B] == '{"x":2}'
    await store.evict(state, "a", state.nodes["a"].stamp)
    assert await store.restore(ClusterState(incarnation=1), lost) == 0
    assert await store.restore(state, lost) == 1 and (await store.states())[A] == '{"x":1}'
    assert a.token


# The log


async def test_the_log_wakes_a_waiting_node(cluster: Cluster) -> None:
    store = await cluster.store("b")
    waiting = asyncio.create_task(store.entries("$", 5.0))
    async with asyncio.timeout(5):
        while not waiting.done():
            await cluster.sync("a", role="active" if len(await cluster.logged()) % 2 else "standby")
            await asyncio.sleep(0.05)
    (number, entry), *_ = waiting.result()
    assert entry["node"] == "a" and entry["kind"] in ("join", "role")
    rest = await store.entries(number, 0.01)
    assert [each["kind"] for _, each in rest] == (await cluster.logged())[-len(rest) :] if rest else True
