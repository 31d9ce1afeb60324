"""What a session manager is: the part that decides which process runs which shard.

Owns the contract and the values it shows; `local` is the manager for one process.
"""

from collections.abc import AsyncIterator
from typing import Literal, Protocol

from msgspec import Struct

from ..models.gateway import ResumeState, ShardKey
from ..ports import GatewaySource, LostReason, ShardFactory


class ShardView(Struct, frozen=True):
    """One shard that is owned: its fencing token, the node that runs it, and what was stored of its session last.

    `node` is "" where a manager serves one process alone, `state` None without a session.
    """

    shard: ShardKey
    token: int
    node: str = ""
    state: ResumeState | None = None


class NodeView(Struct, frozen=True):
    """One member of a cluster. `role` is what it does, `shards` how many it runs."""

    id: str
    role: str
    shards: int
    host: str = ""
    pid: int = 0
    version: str = ""


class ClusterView(Struct, frozen=True):
    """What a manager knows: the shards that are owned, and how many sessions may still be created (None: unknown).

    `nodes` are the members of a cluster, `count` the number of its shards, owned or not. `incarnation` changes when
    the store is another one or lost its data. `next_count` is the number of shards that the cluster is changing to (0:
    it is not), `halted` why nobody connects ("": they do). `lost_leases`: how many this process has lost, by cause.
    """

    shards: tuple[ShardView, ...] = ()
    remaining: int | None = None
    nodes: tuple[NodeView, ...] = ()
    count: int = 0
    next_count: int = 0
    incarnation: int = 0
    halted: str = ""
    lost_leases: dict[str, int] = {}


class ManagerEvent(Struct, frozen=True):
    """Something that happened to the ownership of a shard; `halted` concerns all of them, `evicted` another `node`.

    `lost`: the lease ended without our doing; `cause` says why: `taken` by another node, `expired` because it could not
    be renewed in time, `fenced` by a sink. It may be `claimed` again, or resumed without that.
    """

    kind: Literal["claimed", "released", "lost", "evicted", "halted"]
    shard: ShardKey | None = None
    code: int | None = None
    node: str = ""
    cause: LostReason | None = None


class SessionManager(Protocol):
    """Hands out leases and runs a shard for each."""

    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        """Run shards until `stop`; waits out an empty budget.

        Raises: GatewayHalted when the platform says stop, and whatever `start` raises.
        """
        ...

    async def stop(self, *, drain: float = 10.0) -> None:
        """End `run`: shards get `drain` seconds to finish. Without a run in progress it does nothing."""
        ...

    async def snapshot(self) -> ClusterView:
        """Return what is known now."""
        ...

    def watch(self) -> AsyncIterator[ManagerEvent]:
        """Iterate over what happens from now on, until `run` ends."""
        ...
