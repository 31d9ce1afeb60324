"""`assign`: a sticky assignor, which decides which node of a cluster should run which shard.

Responsible for the arithmetic; pure. Every node computes the same plan from the same cluster state; a claim carries the
version of that state, so that the store refuses a plan that is out of date. It moves nothing, see `reconcile`.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

Role = Literal["joining", "active", "standby", "draining"]


class ClusterMember(Struct, frozen=True):
    """One node, as the assignor sees it; the one with the smaller `join` came first."""

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

    `owners` has the shards that are owned now. The answer is empty if no node takes shards.
    """
    nodes = takers(members, target_active)
    if not nodes:
        return {}
    owned: dict[str, list[int]] = {node: [] for node in nodes}
    for shard in range(shards):
        if (owner := owners.get(shard)) in owned:
            owned[owner].append(shard)
    # Most shards first: the nodes that already have one more than the floor keep it, and the fewest move.
    order = sorted(nodes, key=lambda node: (-len(owned[node]), node))
    floor, extra = divmod(shards, len(order))
    quotas = {node: floor + (rank < extra) for rank, node in enumerate(order)}
    planned = {shard: node for node in order for shard in owned[node][: quotas[node]]}
    # Free shards first: they are to be claimed now, and an owned one is handed over only if it has to be.
    pool = sorted(set(range(shards)) - planned.keys(), key=lambda shard: (shard in owners, shard))
    for node in order:
        wanted = max(quotas[node] - len(owned[node]), 0)
        planned.update(dict.fromkeys(pool[:wanted], node))
        pool = pool[wanted:]
    return planned
