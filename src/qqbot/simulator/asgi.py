"""Serves an ASGI application on this machine, with its lifespan, as a server of ASGI does.

Responsible for the messages of ASGI in a test. Collaborators: `simulator` pushes events to the application's address.
Not a server for production: one request body at once, no websockets.

Source: asgi.readthedocs.io/en/latest/specs
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

from aiohttp import web

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

HOST = "127.0.0.1"
_VERSION = {"version": "3.0", "spec_version": "2.3"}


@asynccontextmanager
async def serving(app: AsgiApp) -> AsyncGenerator[str, None]:
    """Serve an application while the body runs; return its base URL.

    Raises: what the lifespan raises; RuntimeError if its startup or shutdown fails.
    """
    state: dict[str, Any] = {}
    async with _lifespan(app, state):
        front = web.Application()
        front.router.add_route("*", "/{tail:.*}", _Front(app, state).handle)
        runner = web.AppRunner(front, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            site = web.TCPSite(runner, HOST, 0)
            await site.start()
            yield f"http://{HOST}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@asynccontextmanager
async def _lifespan(app: AsgiApp, state: dict[str, Any]) -> AsyncGenerator[None, None]:
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    scope: Message = {"type": "lifespan", "asgi": _VERSION, "state": state}
    task = asyncio.ensure_future(app(scope, to_app.get, from_app.put))
    try:
        await _step("startup", task, to_app, from_app)
        try:
            yield
        finally:
            await _step("shutdown", task, to_app, from_app)
    finally:
        task.cancel()
        await asyncio.wait([task])  # not `await task`: its cancellation would hide that of the caller
        if not task.cancelled():
            task.exception()  # `_step` has raised what ended it early


async def _step(
    name: str, task: "asyncio.Future[None]", to_app: "asyncio.Queue[Message]", from_app: "asyncio.Queue[Message]"
) -> None:
    """Ask for the startup or the shutdown, and wait until it is complete."""
    await to_app.put({"type": f"lifespan.{name}"})
    answer = asyncio.create_task(from_app.get())
    try:
        either: tuple[asyncio.Future[Any], ...] = (answer, task)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            task.result()
            raise RuntimeError(f"the application has ended before its {name}: it has no lifespan")
        if (message := answer.result())["type"] != f"lifespan.{name}.complete":
            raise RuntimeError(f"the {name} of the application failed: {message.get('message', '')}")
    finally:
        answer.cancel()


class _Front:
    """Passes requests to the application."""

    def __init__(self, app: AsgiApp, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one request."""
        parts: list[Message] = [{"type": "http.request", "body": await request.read(), "more_body": False}]
        response = web.StreamResponse()

        async def receive() -> Message:
            if parts:
                return parts.pop()
            await asyncio.Event().wait()  # the client stays until the answer is complete
            raise AssertionError

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                response.set_status(message["status"])
                for name, value in message.get("headers", ()):
                    response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
                await response.prepare(request)
            elif message["type"] == "http.response.body":
                await response.write(message.get("body", b""))

        await self._app(self._scope(request), receive, send)
        return response

    def _scope(self, request: web.Request) -> Message:
        url = request.rel_url
        return {
            "type": "http",
            "asgi": _VERSION,
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": unquote(url.raw_path),
            "raw_path": url.raw_path.encode(),
            "query_string": url.raw_query_string.encode(),
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.raw_headers],
            "client": (HOST, 0),
            "server": (HOST, request.url.port),
            "state": dict(self._state),
        }
