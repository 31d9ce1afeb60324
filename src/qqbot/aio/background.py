"""`background`: tasks that run while a block runs, and end with it; `until_done`: a block that ends with a task.

Responsible for starting such tasks, for cancelling them at the end of the block and awaiting their end, for logging a
task that fails earlier, and for ending a block that is of no use without its task. Collaborators: none. It does not
decide what a failure means: a block that has to fail with its task reads `task.result()`.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager

log = logging.getLogger(__name__)


@asynccontextmanager
async def background(
    *coroutines: Coroutine[object, object, object], name: str
) -> AsyncGenerator[tuple["asyncio.Task[object]", ...]]:
    """Run each of `coroutines` in a task called `name` while the body runs; cancel and await them at its end.

    A task that raises is logged as an ERROR at that moment: a background task must not die in silence.
    """
    tasks = tuple(asyncio.create_task(coroutine, name=name) for coroutine in coroutines)
    for task in tasks:
        task.add_done_callback(_report)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


@asynccontextmanager
async def until_done(task: "asyncio.Task[object]") -> AsyncGenerator[None]:
    """Run the body until `task` has ended, in whatever way; then leave the block at the next wait of the body."""
    loop = asyncio.get_running_loop()

    def interrupt(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the body has just ended by itself
            scope.reschedule(loop.time())

    scope = asyncio.timeout(None)
    try:
        async with scope:
            task.add_done_callback(interrupt)
            try:
                yield
            finally:
                task.remove_done_callback(interrupt)
    except TimeoutError:
        if not scope.expired():
            raise


def _report(task: "asyncio.Task[object]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the background task %r ended with an error", task.get_name(), exc_info=error)
