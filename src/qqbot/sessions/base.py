"""What a session manager is: the part that decides which process runs which shard.

Owns the contract and the values it shows; `local` is the manager for one process.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal, Protocol

from msgspec import Struct

from ..config import ShardSelection
from ..errors import GatewayHalted, Hint
from ..lease import Lease, LostReason
from ..models.gateway import GatewayBot, ResumeState, ShardExit, ShardKey


class GatewaySource(Protocol):
    """What a session manager asks of the platform, and how many shards the user wants."""

    @property
    def app_id(self) -> str:
        """The bot's AppID."""
        ...

    @property
    def selection(self) -> ShardSelection:
        """Which shards the user wants."""
        ...

    async def fetch(self) -> GatewayBot:
        """Ask /gateway/bot; waits out an unreachable platform."""
        ...


ShardFactory = Callable[[Lease, GatewayBot, ResumeState | None], Awaitable[ShardExit]]
"""Runs one shard until it ends by itself; cancelling it drains, saves the state and closes."""


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


def too_few(count: int, recommended: int) -> GatewayHalted:
    """Return the error that says which number of shards to set, where `count` are too few."""
    enough = recommended if recommended > count else 2 * count
    return GatewayHalted(
        4011,
        f"too many guilds for {count} shards",
        Hint(
            f"请把分片数设为 {enough}：Bot(shards={enough}) 或 QQBOT_SHARDS={enough}",
            f"set the number of shards to {enough}: Bot(shards={enough}) or QQBOT_SHARDS={enough}",
        ),
    )
