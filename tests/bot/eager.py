"""A task factory that runs the first step of each task inside `create_task`, as asyncio's own does from Python 3.12."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any

if sys.version_info >= (3, 12):
    eager_task_factory = asyncio.eager_task_factory
else:

    def eager_task_factory(
        loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], *, context: Context | None = None
    ) -> asyncio.Task[Any]:
        if not loop.is_running():
            return asyncio.Task(coro, loop=loop, context=context)
        steps: list[Callable[[], object]] = []
        context = copy_context() if context is None else context

        def keep_step(step: Callable[[], object], *, context: Context | None = None) -> None:
            steps.append(step)

        # The task in Python schedules its first step with `call_soon`: catch it, and take it now.
        loop.call_soon = keep_step  # type: ignore[method-assign, assignment]
        try:
            task = asyncio.tasks._PyTask(coro, loop=loop, context=context)  # type: ignore[attr-defined]
        finally:
            del loop.call_soon
        (first,) = steps
        current = asyncio.current_task(loop)
        if current is not None:
            asyncio.tasks._leave_task(loop, current)
        try:
            context.run(first)
        finally:
            if current is not None:
                asyncio.tasks._enter_task(loop, current)
        return task  # type: ignore[no-any-return]
