"""Servers and frameworks that webhook calls come through, each as its users run it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import hypercorn.asyncio
import hypercorn.config
import uvicorn
from aiohttp import web
from granian.constants import Interfaces
from granian.server.embed import Server as Granian
from starlette.applications import Starlette
from starlette.routing import Mount

from qqbot import Bot
from qqbot.webhook.asgi import AsgiApplication
from tests.sockets import free_port

Serving = Callable[[Any], AbstractAsyncContextManager[str]]
"""Serves an application and gives the URL of its root."""


async def reachable(port: int) -> None:
    """Return when something listens on the port."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def by_uvicorn(app: Any) -> AsyncIterator[str]:
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, ws="none", lifespan="on")
    server = uvicorn.Server(config)
    server.config.load()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        running = asyncio.create_task(server._serve([listener]))  # `serve` would take the test's signal handlers
        await reachable(listener.getsockname()[1])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def by_hypercorn(app: Any) -> AsyncIterator[str]:
    port, over = free_port(), asyncio.Event()
    config = hypercorn.config.Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.errorlog = None
    running = asyncio.create_task(hypercorn.asyncio.serve(app, config, shutdown_trigger=over.wait))
    await reachable(port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        over.set()
        await running


@asynccontextmanager
async def by_granian(app: Any) -> AsyncIterator[str]:
    port = free_port()
    server = Granian(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
    running = asyncio.create_task(server.serve())
    await reachable(port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        await running


@asynccontextmanager
async def by_aiohttp(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, lingering_time=0.5)  # seconds that are spent on a body nobody reads
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


SERVERS: dict[str, Serving] = {"uvicorn": by_uvicorn, "hypercorn": by_hypercorn, "granian": by_granian}


def in_starlette(bot: Bot, mounted: AsgiApplication) -> Any:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with bot.serve(connect=False):
            yield

    return Starlette(routes=[Mount("/qq", mounted)], lifespan=lifespan)


def in_fastapi(bot: Bot, mounted: AsgiApplication) -> Any:
    import fastapi  # slow, and most modules that serve something do without it

    @asynccontextmanager
    async def lifespan(_: fastapi.FastAPI) -> AsyncIterator[None]:
        async with bot.serve(connect=False):
            yield

    app = fastapi.FastAPI(lifespan=lifespan)
    app.mount("/qq", mounted)
    return app


def in_litestar(bot: Bot, mounted: AsgiApplication) -> Any:
    import litestar  # slow, too
    from litestar.handlers import asgi

    @asynccontextmanager
    async def lifespan(_: litestar.Litestar) -> AsyncIterator[None]:
        async with bot.serve(connect=False):
            yield

    return litestar.Litestar(
        route_handlers=[asgi("/qq", is_mount=True, copy_scope=True)(mounted)], lifespan=[lifespan], logging_config=None
    )


def alone(_: Bot, mounted: AsgiApplication) -> Any:
    return mounted


FRAMEWORKS: dict[str, Callable[[Bot, AsgiApplication], Any]] = {
    "alone": alone,
    "starlette": in_starlette,
    "fastapi": in_fastapi,
    "litestar": in_litestar,
}
PATHS = {"alone": "/qq", "starlette": "/qq/", "fastapi": "/qq/", "litestar": "/qq"}
