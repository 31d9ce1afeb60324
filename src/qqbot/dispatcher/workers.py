"""`WorkerPool`: the worker tasks. They are started on demand, reused, and ended when idle.

Responsible for the tasks only. Collaborators: `dispatcher`, whose `work` each of them runs.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context

from ..aio.ending import end_tasks

log = logging.getLogger(__name__)

IDLE_SECONDS = 5.0


class WorkerPool:
    """Runs `work` in as many tasks as are woken, each in a context like `context`; `left` is called after each end."""

    def __init__(self, work: Callable[[], Coroutine[object, object, None]], left: Callable[[], None]) -> None:
        self._work = work
        self._left = left
        self._workers: set[asyncio.Task[None]] = set()
        self._starting = False  # an eager task factory begins inside of `wake`: its caller has to go on first
        self._parked: list[asyncio.Future[bool]] = []
        self._fewest_parked = 0  # since the last look of the trimmer: so many were not needed
        self._trimmer: asyncio.TimerHandle | None = None

    def open(self, context: Context) -> None:
        """Let workers be started, in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._context = context

    async def close(self) -> None:
        """Cancel all workers and wait for their end; one whose handler swallows that is logged and left behind."""
        if self._trimmer is not None:
            self._trimmer.cancel()
            self._trimmer = None
        self._parked.clear()
        await end_tasks(self._workers)

    def __len__(self) -> int:
        return len(self._workers)

    def wake(self) -> None:
        """Let one more worker look for work."""
        while self._parked:
            future = self._parked.pop()
            self._fewest_parked = min(self._fewest_parked, len(self._parked))
            if not future.done():
                future.set_result(True)
                return
        self._starting = True
        try:
            worker = self._loop.create_task(self._start(), name="qqbot worker", context=self._context.copy())
        finally:
            self._starting = False
        self._workers.add(worker)
        worker.add_done_callback(self._bury)

    async def _start(self) -> None:
        if self._starting:
            await asyncio.sleep(0)
        await self._work()

    async def park(self) -> bool:
        """Wait for work; return False when there was none for a while."""
        future: asyncio.Future[bool] = self._loop.create_future()
        self._parked.append(future)
        if self._trimmer is None:
            self._start_trimmer()
        return await future

    def _bury(self, worker: "asyncio.Task[None]") -> None:
        self._workers.discard(worker)
        if not worker.cancelled() and (error := worker.exception()) is not None:
            log.critical("a handler ended its worker", exc_info=error)
        self._left()

    def _start_trimmer(self) -> None:
        self._fewest_parked = len(self._parked)
        self._trimmer = self._loop.call_later(IDLE_SECONDS, self._trim)

    def _trim(self) -> None:
        """End the workers that were parked all the time since the last look."""
        self._trimmer = None
        idle, self._parked = self._parked[: self._fewest_parked], self._parked[self._fewest_parked :]
        for future in idle:
            if not future.done():
                future.set_result(False)
        if self._parked:
            self._start_trimmer()
