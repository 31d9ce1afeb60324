"""How a run of shards ends that no shard and no user ended: the errors for it.

Owns their words; who raises them is the managers'.
"""

import asyncio

from ..errors import GatewayError, GatewayHalted, Hint


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


def too_few(count: int, recommended: int) -> GatewayHalted:
    """Return the error that says which number of shards to set, where `count` are too few."""
    enough = recommended if recommended > count else 2 * count
    return GatewayHalted(
        4011,
        f"too many guilds for {count} shards",
        Hint(
            f"请把分片数设为 {enough}：Bot(shards={enough}) 或 QQBOT_SHARDS={enough}",
            f"set the number of shards to {enough}: Bot(shards={enough}) or QQBOT_SHARDS={enough}",
        ),
    )
