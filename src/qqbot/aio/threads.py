"""`Threads`: a few threads of our own for calls that block.

Responsible for a pool that no other code fills or shuts down, unlike the default executor of the loop: handlers that
block all its threads must hold up no connection. Collaborators: `api` resolves names and reads files in them.
It does not limit how long a call takes.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from ..errors import NoThread

T = TypeVar("T")


class _ThreadCall(Generic[T]):
    """A call that is not made any more once it was reported as failed."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self.dropped = False

    def run(self) -> T:
        if self.dropped:
            raise NoThread
        return self._function()


class Threads:
    """At most `most` threads, started when they are needed; each use after `close` starts them again."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._pool: ThreadPoolExecutor | None = None  # None: no thread was needed yet

    async def run(self, function: Callable[[], T]) -> T:
        """Return what `function` returns. A caller that is cancelled leaves it running.

        Raises: NoThread if the system has no thread left, what `function` raises.
        """
        return await self.submit(function)

    def submit(self, function: Callable[[], T]) -> "asyncio.Future[T]":
        """Return the future of what `function` returns.  Raises: NoThread if the system has no thread left."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._most, thread_name_prefix=self._name)
        call = _ThreadCall(function)
        try:
            result = self._pool.submit(call.run)
        except RuntimeError as error:
            call.dropped = True  # the pool keeps it all the same, for the next thread that it starts
            raise NoThread(
                f"no thread could be started ({error}): look at the limits of the process and of its container "
                "(ulimit -u, pids.max). 无法启动线程：请检查进程和容器的线程数限制"
            ) from None
        return asyncio.wrap_future(result)

    def close(self) -> None:
        """Let the threads end; does not wait for a call that still runs."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)
