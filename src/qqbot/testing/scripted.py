"""A scripted platform and scripted shards for tests of session managers.

Responsible for doing what a test says, and for recording the rest. Collaborators: `contracts` has the assertions about
managers.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from ..config import ShardSelection
from ..errors import LeaseLost
from ..lease import Lease
from ..models.gateway import GatewayBot, ResumeState, ShardExit, ShardKey

Then = Callable[[Lease], Awaitable[ShardExit]]


async def forever(lease: Lease) -> ShardExit:
    """Run until the manager ends the shard."""
    await asyncio.Event().wait()
    raise AssertionError(lease)


def raises_in(index: int, error: Exception) -> Then:
    """Run forever, except for the shard `index`, which raises `error` at once."""

    async def raises(lease: Lease) -> ShardExit:
        if lease.shard.index == index:
            raise error
        return await forever(lease)

    return raises


class ScriptedPlatform:
    """A `GatewaySource`: the answers of /gateway/bot, one for each call, the last one forever."""

    def __init__(self, selection: ShardSelection, *answers: GatewayBot | Exception) -> None:
        self.app_id = "102000001"
        self.selection = selection
        self.calls = 0
        self._answers = list(answers)

    async def fetch(self) -> GatewayBot:
        """Answer as /gateway/bot does."""
        self.calls += 1
        await asyncio.sleep(0)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Notes:
    """The record of the shards of one bot, in all managers.

    `identified`: the moments of IDENTIFYs; `tokens`: those of the owners of each shard, by index; `overlaps`: shards
    that had two owners at a time; `current`: the latest lease of each.
    """

    def __init__(self) -> None:
        self.identified: list[float] = []
        self.tokens: dict[int, list[int]] = {}
        self.current: dict[ShardKey, Lease] = {}
        self.overlaps: list[ShardKey] = []

    def start(self, lease: Lease) -> None:
        """Record the start of a shard."""
        before = self.current.get(lease.shard)
        if before is not None and before.valid():
            self.overlaps.append(lease.shard)
        self.current[lease.shard] = lease
        self.tokens.setdefault(lease.shard.index, []).append(lease.token)


class ScriptedShards:
    """A `ShardFactory`: a shard identifies if it has no state, then does `then`. Use one for each manager.

    `states`: the state that each shard began with, by index; `running`: the shards that run now, by index;
    `ended`: how many have ended. `beside` shares the `notes` of another manager's shards.
    """

    def __init__(self, then: Then = forever, *, beside: "ScriptedShards | None" = None) -> None:
        self.notes: Notes = Notes() if beside is None else beside.notes
        self.states: dict[int, ResumeState | None] = {}
        self.leases: list[Lease] = []
        self.running: dict[int, Lease] = {}
        self.ended = 0
        self._then = then
        self._changed = asyncio.Event()

    async def __call__(self, lease: Lease, info: GatewayBot, state: ResumeState | None) -> ShardExit:
        """Run one shard."""
        index = lease.shard.index
        self.leases.append(lease)
        self.states[index] = state
        self.notes.start(lease)
        try:
            assert lease.valid(), f"shard {lease.shard} was started with a lease that is not valid"
            assert info.url, "a shard was started without the address of the gateway"
            if state is None:
                await self._identify(lease)
            self.running[index] = lease
            self._changed.set()
            return await self._then(lease)
        except LeaseLost:
            return ShardExit("lost")
        finally:
            if self.running.get(index) is lease:
                del self.running[index]
            await asyncio.sleep(0)  # the manager has to await the end of a shard as well
            self.ended += 1
            self._changed.set()

    async def _identify(self, lease: Lease) -> None:
        async with lease.identify_turn():
            permit = await lease.identify_permit()
            assert permit.usable(), f"shard {lease.shard} got a permit that cannot be used"
            self.notes.identified.append(time.monotonic())

    @property
    def indices(self) -> list[int]:
        """The shards that run under a valid lease."""
        return sorted(index for index, lease in self.running.items() if lease.valid())

    async def wait(self, condition: Callable[[], bool], seconds: float) -> None:
        """Return when `condition` holds; it is checked when a shard begins or ends, and every 50 ms.

        Raises: TimeoutError after `seconds`.
        """
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await self._changed.wait()
