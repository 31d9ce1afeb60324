"""`background`: tasks that run while a block runs, and end with it.

Responsible for starting them, for cancelling them at the end of the block and awaiting their end, and for logging a
task that fails earlier. Collaborators: none. It does not decide what such a failure means: a block that has to fail
with its task reads `task.result()`.
"""

import asyncio
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


def _report(task: "asyncio.Task[object]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the background task %r ended with an error", task.get_name(), exc_info=error)
