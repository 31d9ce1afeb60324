"""What a session manager is: the part that decides which process runs which shard.

Responsible for the Protocols between a bot and its session manager, and for the values that a manager shows.
Collaborators: `local` and `cluster` implement it, `lease` defines what a manager grants. It runs nothing itself.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal, Protocol

from msgspec import Struct

from ..config import ShardSelection
from ..errors import GatewayHalted, Hint
from ..lease import Lease, LostReason
from ..models.gateway import GatewayBot, ResumeState, ShardExit, ShardKey


class GatewaySource(Protocol):
    """What a session manager reads from the platform, and how many shards the user wants."""

    @property
    def app_id(self) -> str:
        """The bot's AppID."""
        ...

    @property
    def selection(self) -> ShardSelection:
        """Which shards the user wants."""
        ...

    async def fetch(self) -> GatewayBot:
        """Return the answer of /gateway/bot; wait while the platform cannot be reached."""
        ...


ShardFactory = Callable[[Lease, GatewayBot, ResumeState | None], Awaitable[ShardExit]]
"""Runs one shard until it ends by itself; cancelling it drains, saves the state and closes."""


class ShardView(Struct, frozen=True):
    """One shard that has an owner: its fencing token, the node that runs it, and the stored state of its session.

    `node` is "" if the manager serves a single process, `state` is None without a session.
    """

    shard: ShardKey
    token: int
    node: str = ""
    state: ResumeState | None = None


class NodeView(Struct, frozen=True):
    """One member of a cluster. `role`: what it does; `shards`: how many it runs."""

    id: str
    role: str
    shards: int
    host: str = ""
    pid: int = 0
    version: str = ""


class ClusterView(Struct, frozen=True):
    """What a manager knows: the shards with an owner, and how many sessions may still be created (None: unknown).

    `nodes`: the members of the cluster; `count`: the number of its shards, with or without an owner. `incarnation`
    changes if the store was replaced or lost its data. `next_count`: the number of shards that the cluster is changing
    to (0: no change). `halted`: why no node connects ("": they do). `lost_leases`: how many leases this process has
    lost, by cause.
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
    """A change in the ownership of a shard; `halted` concerns all shards, `evicted` another `node`.

    `lost`: the lease ended although we did not release it. `cause`: `taken` by another node, `expired` because it was
    not renewed in time, `fenced` by a sink. The shard may be `claimed` again, or continue without another event.
    """

    kind: Literal["claimed", "released", "lost", "evicted", "halted"]
    shard: ShardKey | None = None
    code: int | None = None
    node: str = ""
    cause: LostReason | None = None


class SessionManager(Protocol):
    """Hands out leases and runs a shard for each."""

    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        """Run shards until `stop`; wait while the budget is empty.

        Raises: GatewayHalted if the platform forbids to continue, and whatever `start` raises.
        """
        ...

    async def stop(self, *, drain: float = 10.0) -> None:
        """End `run`: shards have `drain` seconds to finish. Without a run in progress it does nothing."""
        ...

    async def snapshot(self) -> ClusterView:
        """Return the current view."""
        ...

    def watch(self) -> AsyncIterator[ManagerEvent]:
        """Iterate over the events from now on, until `run` ends."""
        ...


def too_few(count: int, recommended: int) -> GatewayHalted:
    """Return the error for `count` shards being too few; it names the number to set."""
    enough = recommended if recommended > count else 2 * count
    return GatewayHalted(
        4011,
        f"too many guilds for {count} shards",
        Hint(
            f"请把分片数设为 {enough}：Bot(shards={enough}) 或 QQBOT_SHARDS={enough}",
            f"set the number of shards to {enough}: Bot(shards={enough}) or QQBOT_SHARDS={enough}",
        ),
    )
