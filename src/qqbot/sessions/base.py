"""What a session manager is: the part that decides which process runs which shard.

Owns the contract and the values it shows; `local` is the manager for one process.
"""

from collections.abc import AsyncIterator
from typing import Literal, Protocol

from msgspec import Struct

from ..models.gateway import ShardKey
from ..ports import GatewaySource, ShardFactory


class ShardView(Struct, frozen=True):
    """One shard that is owned, and its fencing token."""

    shard: ShardKey
    token: int


class ClusterView(Struct, frozen=True):
    """What a manager knows: the shards that are owned, and how many sessions may still be created (None: unknown)."""

    shards: tuple[ShardView, ...] = ()
    remaining: int | None = None


class ManagerEvent(Struct, frozen=True):
    """Something that happened to the ownership of a shard; `halted` concerns all of them."""

    kind: Literal["claimed", "released", "halted"]
    shard: ShardKey | None = None
    code: int | None = None


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
