"""`WakeUp`: what ends the pause between two turns of a node.

Responsible for remembering that there is something to do, and whether it can wait for the shortest pause; and for
waking a node when the log shows that another node did something (`follow_log`). Collaborators: `store`. It does not
know what there is to do.
"""

import asyncio
import contextlib

from .store import FROM_NOW_ON, ClusterStore, StoreAway


class WakeUp:
    """A flag that a waiting node is woken by."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.urgent = False  # the next turn begins at once, without the shortest pause between two turns

    def soon(self) -> None:
        """Begin the next turn without waiting for the next renewal."""
        self._event.set()

    def at_once(self) -> None:
        """Begin the next turn now."""
        self.urgent = True
        self._event.set()

    def clear(self) -> None:
        """Forget what was asked for before now: the turn that begins does it."""
        self._event.clear()
        self.urgent = False

    async def wait(self, seconds: float) -> None:
        """Return when there is something to do, at the latest after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0)):
                await self._event.wait()


async def follow_log(store: ClusterStore, wake_up: WakeUp, retry: float) -> None:
    """Wake a node by what other nodes do, until cancelled; ask a store that is away again every `retry` seconds."""
    after = FROM_NOW_ON
    while True:
        try:
            entries = await store.entries(after)
        except StoreAway:  # also from a store that refuses: without the log the node only learns of things later
            after = FROM_NOW_ON  # a store that lost its data may never reach the old position again
            await asyncio.sleep(retry)
            continue
        if entries:
            after = entries[-1][0]
            if any(entry.get("node") != store.node for _, entry in entries):
                wake_up.soon()
