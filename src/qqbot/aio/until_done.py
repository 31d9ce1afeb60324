"""`until_done`: a block that ends with a task, in whatever way the task ends.

Responsible for interrupting a block that is of no use without its task. Collaborators: `background`, which runs such
tasks. It does not decide what the end means: the block's owner reads `task.result()`.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


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
