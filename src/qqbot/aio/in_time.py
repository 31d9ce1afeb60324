"""`in_time`: awaits an action that has to end by a deadline.

Responsible for the difference between the deadline and a TimeoutError that the action itself raises. Collaborators:
`api` calls it for what runs within the timeout of a call. It does not decide what it means that time is up.
"""

import asyncio
from collections.abc import Awaitable, Callable


async def in_time(action: Callable[[], Awaitable[None]], ends_at: float) -> bool:
    """Await `action()`; return False if `ends_at`, in seconds of the loop's clock, cut it short.

    Raises: what `action` raises, also a TimeoutError.
    """
    limit = asyncio.timeout_at(ends_at)
    try:
        async with limit:
            await action()
    except TimeoutError:
        if not limit.expired():
            raise
        return False
    return True
