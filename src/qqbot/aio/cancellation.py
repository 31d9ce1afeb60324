"""How a run of shards ends that no shard and no user ended: the errors for it.

Owns their words, and how they reach the manager; when they are raised is the managers'.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager

from ..errors import GatewayError


def is_cancelled() -> bool:
    """Whether somebody cancelled the current task; otherwise a CancelledError is that of something it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def stray(who: str, error: asyncio.CancelledError) -> GatewayError:
    """Return the error for a cancellation that came out of something that `who` awaited."""
    failure = GatewayError(
        f"{who} ended because something that it awaited, such as a token source, was cancelled: "
        "the cause of this error shows where"
    )
    failure.__cause__ = error
    return failure


@contextmanager
def told_to(fail: Callable[[Exception], None], who: str) -> Generator[None]:
    """Hand `fail` what the body raises, for whoever raises it outside of the task group; also a stray cancellation."""
    try:
        yield
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        fail(stray(who, error))
    except Exception as error:  # noqa: BLE001 - it is not lost
        fail(error)
