"""Webhook calls through ASGI: an application of its own, or one that is mounted in another.

Responsible for the messages of ASGI. Collaborators: `app` (the `CallHandler`: answers the call). It verifies nothing,
and needs no framework and no server of its own.

Source: asgi.readthedocs.io/en/latest/specs
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from typing import Any

from .handler import CallHandler
from .intake import DISCARD_SECONDS, Intake
from .protocol import WebhookReply, misdirected, normalized, unread

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _CallerGone(Exception):
    """The caller has gone before its body was complete."""


class AsgiApplication:
    """Takes calls at every path.

    It serves its bots while it runs if a server runs it alone. A framework that mounts it passes it no lifespan: then
    that of the framework serves the bots: `FastAPI(lifespan=webhook.lifespan)`, or, in one of your own,
    `async with bot.serve(connect=False)`.
    """

    def __init__(self, app: CallHandler) -> None:
        self._app = app
        self._intake = Intake(app.max_bytes)

    def lifespan(self, _: object) -> AbstractAsyncContextManager[None]:
        """Serve the bots while the application of a framework runs, which is the argument."""
        return self._app.serve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        match scope["type"]:
            case "http":
                await self._answer(scope, receive, send)
            case "lifespan":
                await self._live(receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1000})
            case kind:
                raise NotImplementedError(f"the ASGI scope {kind!r} is none of http, lifespan and websocket")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        headers = normalized(pairs)
        refusal = misdirected(scope["method"], headers.get("content-type", "")) or unread(pairs, self._app.max_bytes)
        if refusal is not None:
            await _send(send, *refusal.parts)
            await _discard(receive)
            return
        try:
            async with aclosing(_chunks(receive)) as chunks:
                body = await self._intake.read(chunks)
        except _CallerGone:
            return
        answered = body.parts if isinstance(body, WebhookReply) else await self._app.handle_webhook(headers, body)
        await _send(send, *answered)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Serve the bots from the start of the server to its end."""
        await receive()
        stage = "startup"
        try:
            async with self._app.serve():
                await send({"type": "lifespan.startup.complete"})
                await receive()
                stage = "shutdown"
        except Exception as error:
            await send({"type": f"lifespan.{stage}.failed", "message": f"{type(error).__name__}: {error}"})
            raise
        await send({"type": "lifespan.shutdown.complete"})


async def _chunks(receive: Receive) -> AsyncGenerator[bytes]:
    """Yield a body as it comes.  Raises: _CallerGone."""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise _CallerGone
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _discard(receive: Receive) -> None:
    """Read what comes of a refused body: a server that closes on an unread one may cut off the answer."""
    with suppress(TimeoutError, _CallerGone):
        async with asyncio.timeout(DISCARD_SECONDS), aclosing(_chunks(receive)) as chunks:
            async for _ in chunks:
                pass


async def _send(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    fields = {**headers, "Content-Length": str(len(body))}
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
