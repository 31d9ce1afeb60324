"""An ASGI application behind the simulator: how its lifespan ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from qqbot.simulator.asgi import serving


async def test_a_cancellation_while_the_lifespan_ends_is_kept() -> None:
    ending, free = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await free.wait()

    async def serve() -> None:
        async with serving(app):
            pass

    task = asyncio.create_task(serve())
    async with asyncio.timeout(10):
        await ending.wait()
        task.cancel()
        await asyncio.sleep(0)
        free.set()
        with pytest.raises(asyncio.CancelledError):
            await task
