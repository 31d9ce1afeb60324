"""Webhook calls through aiohttp: an application of its own, or one under a prefix of another application.

Responsible for reading the request and writing the answer. Collaborators: `app` (the `CallHandler`: answers the call).
It verifies nothing.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import ClientPayloadError, web

from ..errors import ConfigError
from .handler import CallHandler
from .protocol import WebhookReply, misdirected, too_large

log = logging.getLogger(__name__)


def web_application(address: CallHandler) -> web.Application:
    """Return an application that takes calls at every path, and serves the bots of `address` while it runs."""

    async def take(request: web.Request) -> web.Response:
        body = await _read(request, address.max_bytes)
        answered = body.parts if isinstance(body, WebhookReply) else await address.handle_webhook(request.headers, body)
        status, headers, answer = answered
        return web.Response(status=status, headers=headers, body=answer)

    async def serve(_: web.Application) -> AsyncIterator[None]:
        async with address.serve():
            yield

    app = web.Application()
    app.cleanup_ctx.append(serve)
    app.router.add_route("*", "", take)
    app.router.add_route("*", "/{path:.*}", take)
    return app


async def _read(request: web.Request, limit: int) -> bytes | WebhookReply:
    """Return the body, or the answer to a call that is refused unread."""
    refusal = misdirected(request.method, request.headers.get("Content-Type", ""))
    if refusal is not None:
        return refusal
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > limit:
                return too_large(limit)
    except (ClientPayloadError, ConnectionResetError):
        raise web.HTTPBadRequest(text="the body ended early") from None
    return bytes(body)


@asynccontextmanager
async def listening(app: web.Application, address: str, drain: float) -> AsyncGenerator[int]:
    """Serve `app` at `address`, "HOST:PORT", while the body runs; calls that are being answered have `drain` seconds.

    `async with` returns the port: for 0 any free one.

    Raises: ConfigError when nothing can listen there.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise ConfigError(f"webhook={address!r:.200} is no address: write host:port, such as 0.0.0.0:8080")
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=drain)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        assert runner.server is not None
        try:
            # No web.TCPSite: one that is cancelled while it starts leaves a socket that listens for good.
            listener = await asyncio.get_running_loop().create_server(
                runner.server, host.strip("[]") or None, int(port), start_serving=False
            )
            stack.callback(listener.close)
            await listener.start_serving()
        except (OSError, ValueError) as error:  # ValueError: what is no host name
            why = error.strerror if isinstance(error, OSError) else None
            raise ConfigError(f"webhook={address!r:.200}: cannot listen there ({why or error})") from None
        addresses = [each.getsockname() for each in listener.sockets]
        log.info("listening for webhook calls on %s", ", ".join(f"{host}:{port}" for host, port, *_ in addresses))
        bound: int = addresses[0][1]
        yield bound
