"""`background`: tasks that run while a block runs, and end with it; `repeat`: a chore that nothing ends but its owner.

Responsible for starting them, for cancelling them at the end of the block and awaiting their end, for logging what
fails or ends earlier, and for the list of such `Troubles`, which health pages show. Collaborators: `ending`. It does
not decide what a failure means: a block that has to fail with its task reads `task.result()`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TypeAlias

from .._visible import visible_line
from .cancellation import is_cancelled
from .ending import end_tasks
from .throttle import Throttle

log = logging.getLogger(__name__)

Troubles: TypeAlias = dict[str, str]
"""The background tasks of one bot that fail, or have ended too early, and why; by name."""

RETRY_SECONDS = 1.0

current_troubles: ContextVar[Troubles | None] = ContextVar("qqbot_troubles", default=None)
"""The list for tasks that begin in this context; None: failures are only logged."""


@asynccontextmanager
async def background(
    *coroutines: Coroutine[object, object, object], name: str
) -> AsyncGenerator[tuple["asyncio.Task[object]", ...]]:
    """Run each of `coroutines` in a task called `name` while the body runs; cancel and await them at its end.

    A task that raises, or that another task than the caller's cancels, is logged as an ERROR at that moment: a
    background task must not die in silence. One that returns has done its work.
    """
    owner, troubles, ending = asyncio.current_task(), current_troubles.get(), False

    def report(task: "asyncio.Task[object]") -> None:
        if not task.cancelled():
            error: BaseException | None = task.exception()
        elif ending or (owner is not None and owner.cancelling()):  # `asyncio.run` cancels all tasks at once
            error = None
        else:
            error = asyncio.CancelledError("another task has cancelled it")
        if error is not None:
            log.error("the background task %r ended with an error", task.get_name(), exc_info=error)
            _remember(troubles, task.get_name(), f"has ended: {_worded(error)}")

    tasks = tuple(asyncio.create_task(coroutine, name=name) for coroutine in coroutines)
    for task in tasks:
        task.add_done_callback(report)
    try:
        yield tasks
    finally:
        ending = True
        await end_tasks(tasks)
        if troubles is not None:
            troubles.pop(name, None)


async def repeat(turn: Callable[[], Awaitable[object]]) -> None:
    """Take one turn after another, until cancelled; one that raises is logged as an ERROR, and a second later retried.

    The name of the task is that of the chore, in the log and among the troubles. The same failure is logged once a
    minute.
    """
    task = asyncio.current_task()
    assert task is not None
    name, troubles, logged = task.get_name(), current_troubles.get(), Throttle()
    try:
        while True:
            try:
                await turn()
            except asyncio.CancelledError as error:
                if is_cancelled():
                    raise
                failure: BaseException = error  # it came out of something that the turn awaited
            except Exception as error:  # noqa: BLE001 - the next turn may succeed, and other chores depend on none
                failure = error
            else:
                if troubles is not None:
                    troubles.pop(name, None)
                continue
            if logged.ready(type(failure).__name__):
                log.error("the background task %r failed, and is tried again", name, exc_info=failure)
            _remember(troubles, name, f"fails: {_worded(failure)}")
            await asyncio.sleep(RETRY_SECONDS)
    finally:
        if troubles is not None:
            troubles.pop(name, None)


def _remember(troubles: Troubles | None, name: str, what: str) -> None:
    if troubles is not None:
        troubles[name] = what


def _worded(error: BaseException) -> str:
    return visible_line(f"{type(error).__name__}: {error}".partition("\n")[0])
