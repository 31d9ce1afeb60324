"""A stopwatch that does not count the time during which a busy machine kept this process from running."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TICK = 0.02


class Stopwatch:
    """Runs from now on. Time in which the loop is blocked is not counted, so it cannot measure blocking code."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self._began = self._now()
        self._lost = 0.0
        self._due = self._began + TICK

    @property
    def seconds(self) -> float:
        """The seconds that have passed."""
        return self._now() - self._began - self._lost - self._late

    @property
    def _late(self) -> float:
        return max(self._now() - self._due, 0.0)

    async def run(self) -> None:
        """Count what is lost, until cancelled."""
        while True:
            self._due = self._now() + TICK
            await asyncio.sleep(TICK)
            self._lost += self._late


@asynccontextmanager
async def stopwatch() -> AsyncIterator[Stopwatch]:
    """Run a stopwatch while the body runs."""
    watch = Stopwatch()
    running = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        running.cancel()
        await asyncio.wait([running])
