"""`assign`: balance, the fewest moves, and no move that is taken back."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from qqbot.sessions.cluster.assignor import ClusterMember, Role, assign, takers

NODES = st.integers(0, 7).map(lambda number: f"n{number}")
SHARDS = st.integers(1, 40)


def active(*names: str) -> list[ClusterMember]:
    return [ClusterMember(name, "active", join) for join, name in enumerate(names)]


@st.composite
def clusters(draw: st.DrawFn) -> tuple[int, list[ClusterMember], dict[int, str]]:
    shards = draw(SHARDS)
    members = active(*draw(st.lists(NODES, min_size=1, max_size=8, unique=True)))
    owners = draw(st.dictionaries(st.integers(0, shards - 1), NODES, max_size=shards))
    return shards, members, owners


@given(clusters())
def test_every_node_gets_the_floor_or_the_ceiling(cluster: tuple[int, list[ClusterMember], dict[int, str]]) -> None:
    shards, members, owners = cluster
    planned = assign(shards, members, owners)
    assert sorted(planned) == list(range(shards))
    counts = Counter(planned.values())
    sizes = {counts[member.id] for member in members}
    assert max(sizes) - min(sizes) <= 1


def fewest_moves(shards: int, names: list[str], owners: dict[int, str]) -> int:
    """How many owned shards have to move at least: all that are over the best choice of quotas."""
    held = sorted((sum(owner == name for owner in owners.values()) for name in names), reverse=True)
    floor, extra = divmod(shards, len(names))
    kept = sum(min(count, floor + (rank < extra)) for rank, count in enumerate(held))
    return len(owners) - kept


@given(clusters())
def test_nothing_moves_that_could_stay(cluster: tuple[int, list[ClusterMember], dict[int, str]]) -> None:
    shards, members, owners = cluster
    planned = assign(shards, members, owners)
    moved = sum(planned[shard] != owner for shard, owner in owners.items())
    assert moved == fewest_moves(shards, [member.id for member in members], owners)


@given(clusters())
def test_it_is_the_same_everywhere(cluster: tuple[int, list[ClusterMember], dict[int, str]]) -> None:
    shards, members, owners = cluster
    shuffled = random.Random(1).sample(members, len(members))
    backwards = dict(reversed(owners.items()))
    assert assign(shards, members, owners) == assign(shards, shuffled, backwards)


@given(clusters(), st.randoms())
def test_moving_one_by_one_ends_at_the_plan_with_its_number_of_moves(
    cluster: tuple[int, list[ClusterMember], dict[int, str]], chance: random.Random
) -> None:
    shards, members, owners = cluster
    least = fewest_moves(shards, [member.id for member in members], owners)
    now, releases = dict(owners), 0
    for _ in range(4 * shards + 4):
        planned = assign(shards, members, now)
        free = [shard for shard in range(shards) if shard not in now]
        wrong = [shard for shard, owner in now.items() if planned[shard] != owner]
        if not free and not wrong:
            break
        if free and (not wrong or chance.random() < 0.5):
            shard = chance.choice(free)
            now[shard] = planned[shard]
        else:
            del now[chance.choice(wrong)]
            releases += 1
    assert assign(shards, members, now) == now
    assert releases == least


def test_only_takers_count() -> None:
    roles: list[Role] = ["joining", "active", "standby", "standby", "draining"]
    members = [ClusterMember(role + str(number), role, number) for number, role in enumerate(roles)]
    assert takers(members) == ["active1"]
    assert takers(members, 2) == ["active1", "standby2"]
    assert takers(members, 9) == ["active1", "standby2", "standby3"]
    assert set(assign(4, members, {0: "draining4"}).values()) == {"active1"}
    assert assign(4, [ClusterMember("a", "joining")], {}) == {}


def test_the_moves_of_joins_and_leaves_are_those_that_were_measured() -> None:
    moves, owners = [], assign(20, active("a", "b"), {})
    for names in ("abcd", "abc", "bc", "bcd"):
        left = {shard: owner for shard, owner in owners.items() if owner in names}
        planned = assign(20, active(*names), left)
        moves.append(sum(planned[shard] != owners[shard] for shard in planned))
        owners = planned
    assert moves == [10, 5, 7, 6]
