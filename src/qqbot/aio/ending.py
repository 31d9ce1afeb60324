"""`end_tasks`: cancels tasks and waits for their end, for a bounded time.

Responsible for the deadline of a task that swallows its cancellation, and for naming it in the log, with the stack
that it waits in. Collaborators: the owners of tasks. Such a task cannot be ended by any means: it is left behind.
"""

import asyncio
import logging
import traceback
from collections.abc import Iterable
from types import FrameType
from typing import Any

log = logging.getLogger(__name__)

ENDING_SECONDS = 5.0  # for what a cancelled task cleans up
LEFT_BEHIND = " (left behind)"  # ends the name of a task that went on
LAST_SECONDS = 1.0  # after a second cancellation, for a task that has lost the first one


async def end_tasks(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    """Cancel `tasks` and return when they have ended, at the latest after `ENDING_SECONDS` and `LAST_SECONDS`.

    A task that goes on is logged as an ERROR, with its stack. Being cancelled meanwhile cancels the tasks again.
    """
    left: set[asyncio.Task[Any]] = {task for task in tasks if not task.done()}
    now = asyncio.get_running_loop().time
    interruption: asyncio.CancelledError | None = None
    for seconds in (ENDING_SECONDS, LAST_SECONDS):
        until = now() + seconds
        _cancel(left)
        while left:
            try:
                _, left = await asyncio.wait(left, timeout=max(until - now(), 0.0))
            except asyncio.CancelledError as error:
                interruption = error  # raised below: what is left must have been awaited, or named, by then
                left = {task for task in left if not task.done()}
                _cancel(left)
            else:
                break
    for task in left:
        log.error(
            "the task %r goes on although it was cancelled, and is left behind: let CancelledError pass. "
            "任务取消后仍在运行，不再等待：请不要吞掉 CancelledError\n%s",
            task.get_name(),
            stack_of(task),
        )
        task.set_name(task.get_name() + LEFT_BEHIND)
    if interruption is not None:
        raise interruption


def _cancel(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    for task in tasks:
        task.cancel()


def stack_of(task: "asyncio.Task[Any]") -> str:
    """Return the lines that a suspended task waits in, from its coroutine to the innermost one that it awaits."""
    frames: list[FrameType] = []
    awaited: Any = task.get_coro()  # `Task.get_stack` ends at this one
    while awaited is not None:
        for kind, inner in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            if (frame := getattr(awaited, f"{kind}_frame", None)) is not None:
                frames.append(frame)
                awaited = getattr(awaited, inner)
                break
        else:
            break
    return render(frames)


def render(frames: Iterable[FrameType]) -> str:
    """Return the lines of `frames`, outermost first, without any values: those may be secret."""
    summary = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in frames)
    return "".join(summary.format()).rstrip() or "  (no frame)"
