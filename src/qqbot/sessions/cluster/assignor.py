"""`assign`: which node of a cluster runs which shard.

Owns the arithmetic; pure. Every node computes the same plan from the same picture; the versioned claim of the store
sees to it that a plan from an old picture fails.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

Role = Literal["joining", "active", "standby", "draining"]


class ClusterMember(Struct, frozen=True):
    """One node, as the planner sees it; of two the one with the smaller `join` came first."""

    id: str
    role: Role
    join: int = 0


def takers(members: Iterable[ClusterMember], target_active: int = 0) -> list[str]:
    """Return the nodes that run shards: the active ones, and the oldest standbys up to `target_active` in all."""
    known = sorted(members, key=lambda member: (member.join, member.id))
    active = [member.id for member in known if member.role == "active"]
    standby = [member.id for member in known if member.role == "standby"]
    return active + standby[: max(target_active - len(active), 0)]


def assign(
    shards: int, members: Iterable[ClusterMember], owners: Mapping[int, str], target_active: int = 0
) -> dict[int, str]:
    """Return the node for each of `shards` shards: floor or ceiling of the average each, with the fewest moves.

    `owners` has the shards that are owned now. Nobody takes shards: the answer is empty.
    """
    nodes = takers(members, target_active)
    if not nodes:
        return {}
    held: dict[str, list[int]] = {node: [] for node in nodes}
    for shard in range(shards):
        if (owner := owners.get(shard)) in held:
            held[owner].append(shard)
    order = sorted(nodes, key=lambda node: (-len(held[node]), node))
    floor, extra = divmod(shards, len(order))
    quotas = {node: floor + (rank < extra) for rank, node in enumerate(order)}
    planned = {shard: node for node in order for shard in held[node][: quotas[node]]}
    pool = sorted(set(range(shards)) - planned.keys(), key=lambda shard: (shard in owners, shard))
    for node in order:
        wanted = max(quotas[node] - len(held[node]), 0)
        planned.update(dict.fromkeys(pool[:wanted], node))
        pool = pool[wanted:]
    return planned
