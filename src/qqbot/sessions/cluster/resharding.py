"""`Resharder`: how many shards a cluster has, and when that changes.

Responsible for the decision: what the user wants, what the platform recommends, what the budget allows. Collaborators:
`store` records the number, `reconcile` moves the cluster from one generation of shards to the next.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from ...models.gateway import GatewayBot
from ..base import GatewaySource, too_few
from .state import ClusterState
from .store import ClusterStore, StoreAway

log = logging.getLogger(__name__)


class Resharder:
    """The number of shards as one node sees it; `look` returns the cluster state that it read last."""

    def __init__(
        self, store: ClusterStore, gateway: GatewaySource, look: Callable[[], ClusterState], *, auto_roll: bool
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._look = look
        self._auto_roll = auto_roll
        self._compared = False  # the number is compared with what the user wants once, at the start
        self._followed: GatewayBot | None = None  # the answer that was judged last: each is judged once
        self._reported = 0  # the recommendation that was logged last: each is logged once
        self._enlarging = False  # several shards may be closed with 4011: the first one enlarges the cluster

    async def follow(self, info: GatewayBot) -> bool:
        """Set the number, or change it, if that is due; return whether anything was changed.  Raises: StoreAway."""
        if not self._compared:
            self._compared = True
            if await self._compare(info):
                return True
        return await self._grow(info)

    async def _compare(self, info: GatewayBot) -> bool:
        """Set the number if none is set, or if it is another one and no shard is owned."""
        state, selection = self._look(), self._gateway.selection
        wanted, _ = selection.resolve(info.shards)
        differs = wanted > state.shards or (selection.fixed and wanted != state.shards)
        if state.gen and (state.next_shards or not differs):
            return False
        if await self._store.admin("plan", wanted):
            return True
        if state.gen and selection.fixed:
            log.warning(
                "this cluster runs %d shards, this node should run %d: to change it, `qqbot shards roll %d`",
                state.shards,
                wanted,
                wanted,
            )
        return False

    async def _grow(self, info: GatewayBot) -> bool:
        """If the platform recommends more shards than there are, change to more, or log it."""
        state = self._look()
        if info is self._followed or state.next_shards:
            return False
        self._followed = info
        if self._gateway.selection.fixed or not 0 < state.shards < info.shards:
            return False
        wanted = _larger(state.shards, info)
        missing = missing_sessions(state.budget, state.shards, wanted)
        if not self._auto_roll or missing > 0:
            self._report(info, state.shards, wanted, missing)
            return False
        if await self._store.admin("begin", state.version, wanted):
            log.warning("the platform recommends %d shards: changing from %d to %d", info.shards, state.shards, wanted)
        else:
            self._followed = None  # something else changed in between: look again
        return True

    def _report(self, info: GatewayBot, count: int, wanted: int, missing: int) -> None:
        """Log once for each recommendation that it is not followed."""
        if info.shards != self._reported:
            self._reported = info.shards
            how = f"`qqbot shards roll {wanted}` changes that, or auto_roll=True by itself"
            if self._auto_roll:
                how = f"it changes to {wanted} when the platform allows {missing} more sessions"
            log.warning("the platform recommends %d shards, this cluster runs %d: %s", info.shards, count, how)

    async def enlarge(self, hurry: Callable[[], None], retry: float) -> None:
        """Answer code 4011, too few shards: change to a larger number, or raise which one to set.

        Raises: GatewayHalted.
        """
        if self._enlarging or self._look().next_shards:
            return
        self._enlarging = True
        info = await self._gateway.fetch()
        state = self._look()
        count, wanted = state.shards, _larger(state.shards, info)
        missing = missing_sessions(info.session_start_limit.remaining, count, wanted)
        if self._gateway.selection.fixed or info.shards <= count or missing > 0:
            raise too_few(count, info.shards)
        log.warning("%d shards are too few for the platform: changing to %d", count, wanted)
        # The version may move in between, and the store may be away: try until the change has begun.
        while (now := self._look()).shards == count and not now.next_shards:
            with contextlib.suppress(StoreAway):
                await self._store.admin("begin", now.version, wanted)
            hurry()
            await asyncio.sleep(retry)


def missing_sessions(budget: int | None, count: int, wanted: int) -> int:
    """Return how many sessions `budget` lacks for `wanted` new shards; one is kept back for each present shard."""
    return 0 if budget is None else max(wanted + count - budget, 0)


def _larger(count: int, info: GatewayBot) -> int:
    """Return the number to change to from `count`: at least twice as many, so that 4011 does not come again soon."""
    return max(2 * count, info.shards)
