"""What belongs to one event loop, and is called from another loop or thread; loops that a library cannot bear.

Responsible for the errors. Collaborators: all that is bound to a loop asks here.
It hands no call over to the right loop: only the caller knows which one waits for the answer.
"""

import asyncio

from ..errors import ConfigError


def check_loop(loop: asyncio.AbstractEventLoop, what: str) -> None:
    """Return if `loop` runs in this thread now.  Raises: ConfigError, naming `what`."""
    try:
        here = asyncio.get_running_loop() is loop
    except RuntimeError:
        here = False
    if not here:
        raise foreign_loop(what)


def foreign_loop(what: str) -> ConfigError:
    """Return the error for a call to `what` from another loop or thread."""
    return ConfigError(
        f"{what} can only be called in the event loop that serves it, and this is another loop or thread: use "
        "`asyncio.run_coroutine_threadsafe(coroutine, loop)` with that loop. "
        "不能在其他线程或事件循环中直接调用，请用 asyncio.run_coroutine_threadsafe(协程, 机器人所在的循环)"
    )


def refuse_eager_tasks(what: str) -> None:
    """Return if tasks of this loop begin in a later turn.  Raises: ConfigError, naming `what`."""
    begun = False

    async def begin() -> None:
        nonlocal begun
        begun = True

    task = asyncio.get_running_loop().create_task(begin())
    if begun:
        raise ConfigError(
            f"{what} cannot be used with asyncio.eager_task_factory: use a loop without a task factory. "
            "不支持 asyncio.eager_task_factory，请使用默认的任务工厂"
        )
    task.cancel()
