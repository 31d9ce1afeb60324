"""`Resharder`: how many shards a cluster has, and when that is to change.

Owns the decision: what the user wants, what the platform recommends, what the budget allows. That the change is carried
out, generation by generation, is the node's and the scripts'.
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
    """The number of shards as one node sees it; `look` returns the present picture."""

    def __init__(
        self, store: ClusterStore, gateway: GatewaySource, look: Callable[[], ClusterState], *, auto_roll: bool
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._look = look
        self._auto_roll = auto_roll
        self._compared = False
        self._followed: GatewayBot | None = None
        self._told = 0
        self._enlarging = False

    async def follow(self, info: GatewayBot) -> bool:
        """Set the number, or change it, where that is due; whether anything was changed.  Raises: StoreAway."""
        if not self._compared:
            self._compared = True
            if await self._compare(info):
                return True
        return await self._grow(info)

    async def _compare(self, info: GatewayBot) -> bool:
        """Set the number where none is set, or where nothing is owned and it is another one."""
        picture, selection = self._look(), self._gateway.selection
        wanted, _ = selection.resolve(info.shards)
        differs = wanted > picture.shards or (selection.fixed and wanted != picture.shards)
        if picture.gen and (picture.next_shards or not differs):
            return False
        if await self._store.admin("plan", wanted):
            return True
        if picture.gen and selection.fixed:
            log.warning(
                "this cluster runs %d shards, this node is to run %d: to change it, `qqbot shards roll %d`",
                picture.shards,
                wanted,
                wanted,
            )
        return False

    async def _grow(self, info: GatewayBot) -> bool:
        """Where the platform recommends more shards than there are, change to more of them, or say so."""
        picture = self._look()
        if info is self._followed or picture.next_shards:
            return False
        self._followed = info
        if self._gateway.selection.fixed or not 0 < picture.shards < info.shards:
            return False
        wanted = _larger(picture.shards, info)
        missing = missing_sessions(picture.budget, picture.shards, wanted)
        if not self._auto_roll or missing > 0:
            self._tell(info, picture.shards, wanted, missing)
            return False
        if await self._store.admin("begin", picture.version, wanted):
            log.warning(
                "the platform recommends %d shards: changing from %d to %d", info.shards, picture.shards, wanted
            )
        else:
            self._followed = None  # something else changed in between: look again
        return True

    def _tell(self, info: GatewayBot, count: int, wanted: int, missing: int) -> None:
        """Say once of each recommendation that it is not followed."""
        if info.shards != self._told:
            self._told = info.shards
            how = f"`qqbot shards roll {wanted}` changes that, or auto_roll=True by itself"
            if self._auto_roll:
                how = f"it changes to {wanted} when the platform allows {missing} more sessions"
            log.warning("the platform recommends %d shards, this cluster runs %d: %s", info.shards, count, how)

    async def enlarge(self, hurry: Callable[[], None], retry: float) -> None:
        """Do what too few shards (code 4011) ask for: change to a larger number, or say which to set.

        Raises: GatewayHalted.
        """
        if self._enlarging or self._look().next_shards:
            return
        self._enlarging = True
        info = await self._gateway.fetch()
        picture = self._look()
        count, wanted = picture.shards, _larger(picture.shards, info)
        missing = missing_sessions(info.session_start_limit.remaining, count, wanted)
        if self._gateway.selection.fixed or info.shards <= count or missing > 0:
            raise too_few(count, info.shards)
        log.warning("%d shards are too few for the platform: changing to %d", count, wanted)
        while (now := self._look()).shards == count and not now.next_shards:
            with contextlib.suppress(StoreAway):
                await self._store.admin("begin", now.version, wanted)
            hurry()
            await asyncio.sleep(retry)


def missing_sessions(budget: int | None, count: int, wanted: int) -> int:
    """Return how many sessions `budget` lacks for `wanted` new shards: one is kept back for each that there is."""
    return 0 if budget is None else max(wanted + count - budget, 0)


def _larger(count: int, info: GatewayBot) -> int:
    """Return to how many shards to change from `count`: at least twice as many, so that it does not come again soon."""
    return max(2 * count, info.shards)
