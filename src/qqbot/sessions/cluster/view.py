"""`view`: what users see of a cluster.

Responsible for turning a `ClusterState` into the public `ClusterView`; pure. Which leases this process lost is added by
`manager`.
"""

from ...models.gateway import ShardKey
from ..base import ClusterView, NodeView, ShardView
from .state import ClusterState, read_state


def view(state: ClusterState) -> ClusterView:
    """Return what users see of `state`."""
    counts = dict(state.generations)
    shards = [
        ShardView(ShardKey(gen, index, counts.get(gen, 0)), owner.token, owner.node, read_state(stored))
        for (gen, index), owner in sorted(state.owners.items())
        if owner.node
        for stored in [state.states.get((gen, index), "")]
    ]
    nodes = [
        NodeView(
            node.id,
            node.role,
            sum(shard.node == node.id for shard in shards),
            node.info.host,
            node.info.pid,
            node.info.version,
        )
        for node in sorted(state.nodes.values(), key=lambda node: node.join)
    ]
    return ClusterView(
        tuple(shards),
        state.budget,
        tuple(nodes),
        state.shards,
        state.next_shards,
        state.incarnation,
        "" if state.halt is None else str(state.halt.error()),
    )
