"""Webhook calls through aiohttp: an application of its own, or one under a prefix of another application.

Responsible for reading the request and writing the answer. Collaborators: `app` (the `CallHandler`: answers the call).
It verifies nothing.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import ClientPayloadError, web
from aiohttp.typedefs import Handler

from ..errors import ConfigError
from .handler import CallHandler
from .intake import DISCARD_SECONDS, Intake
from .protocol import WebhookReply, misdirected, unread

log = logging.getLogger(__name__)

HEADERS_SECONDS = 10.0  # until a new connection has to have sent the headers of its first call
IDLE_SECONDS = 75.0  # between two calls of a connection, longer than proxies keep one; the headers must be complete


def web_application(address: CallHandler) -> web.Application:
    """Return an application that takes calls at every path, and serves the bots of `address` while it runs."""
    intake = Intake(address.max_bytes)

    async def take(request: web.Request) -> web.Response:
        body = _refusal(request, address.max_bytes) or await _read(request, intake)
        answered = body.parts if isinstance(body, WebhookReply) else await address.handle_webhook(request.headers, body)
        status, headers, answer = answered
        response = web.Response(status=status, headers=headers, body=answer)
        if "Content-Encoding" in request.headers and not request.content.is_eof():
            await _refuse_encoded(request, response, address.max_bytes)
        return response

    async def serve(_: web.Application) -> AsyncIterator[None]:
        async with address.serve():
            yield

    # If it is mounted in another application, these are up to that one.
    app = web.Application(handler_args={"auto_decompress": False, "keepalive_timeout": IDLE_SECONDS})
    app.cleanup_ctx.append(serve)
    app.router.add_route("*", "", take)
    app.router.add_route("*", "/{path:.*}", take)
    return app


def _refusal(request: web.Request, limit: int) -> WebhookReply | None:
    """Return the answer to a call that is refused unread."""
    headers = request.headers
    return misdirected(request.method, headers.get("Content-Type", "")) or unread(headers.items(), limit)


async def _read(request: web.Request, intake: Intake) -> bytes | WebhookReply:
    """Return the body, or the answer to one that is refused."""
    try:
        return await intake.read(request.content.iter_any())
    except (ClientPayloadError, ConnectionResetError):
        raise web.HTTPBadRequest(text="the body ended early") from None


async def _refuse_encoded(request: web.Request, response: web.Response, limit: int) -> None:
    """Send the answer to a call with an encoded body, discard a little of the body, and close the connection.

    aiohttp would read the whole body before it closes, and in an application that this one is mounted in inflate it.
    """
    response.force_close()
    await response.prepare(request)
    await response.write_eof()
    left = limit
    with contextlib.suppress(TimeoutError, ClientPayloadError, ConnectionResetError):
        async with asyncio.timeout(DISCARD_SECONDS):
            async for chunk in request.content.iter_any():
                left -= len(chunk)
                if left < 0:
                    break
    request.protocol.force_close()


@asynccontextmanager
async def listening(app: web.Application, address: str, drain: float = 10.0) -> AsyncGenerator[int]:
    """Serve `app` at `address`, "HOST:PORT", while the body runs; calls that are being answered have `drain` seconds.

    A new connection has `HEADERS_SECONDS` for the headers of its first call.

    `async with` returns the port: for 0 any free one.

    Raises: ConfigError when nothing can listen there.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise ConfigError(f"{address!r:.200} is no address: write host:port, such as 0.0.0.0:8080. 地址应为 主机:端口")
    silent: dict[asyncio.BaseProtocol, asyncio.TimerHandle] = {}  # connections without a call yet

    @web.middleware
    async def heard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (timer := silent.pop(request.protocol, None)) is not None:
            timer.cancel()
        return await handler(request)

    app.middlewares.append(heard)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=drain)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        server, loop = runner.server, asyncio.get_running_loop()
        assert server is not None

        def connected() -> asyncio.BaseProtocol:
            connection = server()
            silent[connection] = loop.call_later(HEADERS_SECONDS, drop, connection)
            return connection

        def drop(connection: web.RequestHandler) -> None:
            del silent[connection]
            connection.force_close()

        try:
            # No web.TCPSite: one that is cancelled while it starts leaves a socket that listens for good.
            listener = await loop.create_server(connected, host.strip("[]") or None, int(port), start_serving=False)
            stack.callback(listener.close)
            await listener.start_serving()
        except (OSError, ValueError) as error:  # ValueError: what is no host name
            why = error.strerror if isinstance(error, OSError) else None
            raise ConfigError(f"{address!r:.200}: cannot listen there ({why or error}). 无法监听该地址") from None
        addresses = [each.getsockname() for each in listener.sockets]
        log.info("listening on %s", ", ".join(f"{host}:{port}" for host, port, *_ in addresses))
        bound: int = addresses[0][1]
        yield bound
