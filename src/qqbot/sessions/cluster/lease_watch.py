"""`LeaseWatch`: ends each lease at its deadline, whatever the store does.

Responsible for looking at every lease when it may have expired. Collaborators: `LeaseDeadline` (until when a lease
holds), `shard_runner` (which ends what has expired). It renews nothing.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from .owned_shard import NodeLease, OwnedShard
from .state import ShardId


class LeaseWatch:
    """Watches the leases of `owned`; `own` is the life of a lease in seconds, `expire` ends one."""

    def __init__(self, owned: Mapping[ShardId, OwnedShard], own: float, expire: Callable[[OwnedShard], None]) -> None:
        self._owned = owned
        self._own = own
        self._expire = expire
        self._begun = asyncio.Event()  # a lease began: it may expire before those that are being waited for

    def begun(self) -> None:
        """Watch a lease that has just begun as well."""
        self._begun.set()

    async def run(self) -> None:
        """End each lease at its deadline, until cancelled."""
        while True:
            self._begun.clear()
            leases = [(owned, owned.lease) for owned in list(self._owned.values()) if owned.lease is not None]
            left = [self._check(owned, lease) for owned, lease in leases]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, default=None)):
                    await self._begun.wait()

    def _check(self, owned: OwnedShard, lease: NodeLease) -> float:
        """End the lease if it has expired; return for how many seconds it need not be looked at."""
        if not lease.valid() and not lease.ended:
            self._expire(owned)
        return lease.deadline.left() or self._own
