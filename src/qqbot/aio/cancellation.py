"""Whose cancellation a CancelledError is: the current task's, or that of something it awaited.

Responsible for telling both apart, for the error that an unexpected one becomes, and for forwarding errors out of a
task group. Collaborators: the session managers and the supervisor, which decide what such an error ends. It cancels
nothing.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager

from ..errors import GatewayError


def cancellations() -> int:
    """Return how often the current task was cancelled; cancellations that it caught before may still count."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def is_cancelled() -> bool:
    """True if the current task is being cancelled; if not, a CancelledError came out of something that it awaited."""
    return cancellations() > 0


def unexpected_cancellation(who: str, error: asyncio.CancelledError) -> GatewayError:
    """Return the error for a cancellation that came out of something that `who` awaited."""
    failure = GatewayError(
        f"{who} ended because something that it awaited, such as a token source, was cancelled: "
        "the cause of this error shows where"
    )
    failure.__cause__ = error
    return failure


@contextmanager
def forward_errors(fail: Callable[[Exception], None], who: str) -> Generator[None]:
    """Pass what the body raises to `fail`, so that it can be raised outside of the task group.

    An unexpected cancellation is passed as a GatewayError; a cancellation of the task itself is raised.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        fail(unexpected_cancellation(who, error))
    except Exception as error:  # noqa: BLE001 - the caller raises it
        fail(error)
