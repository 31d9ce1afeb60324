"""Webhook calls through ASGI: an application of its own, or one that is mounted in another.

Responsible for the messages of ASGI. Collaborators: `app` (the `CallHandler`: answers the call). It verifies nothing,
and needs no framework and no server of its own.

Source: asgi.readthedocs.io/en/latest/specs
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .handler import CallHandler
from .protocol import WebhookReply, misdirected, normalized, too_large

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiApplication:
    """Takes calls at every path.

    It serves its bots while it runs if a server runs it alone. A framework that mounts it passes it no
    lifespan: then the lifespan of the framework serves the bots, `async with bot.serve(connect=False)`.
    """

    def __init__(self, app: CallHandler) -> None:
        self._app = app

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
        pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        headers = normalized(pairs)
        body = misdirected(scope["method"], headers.get("content-type", "")) or await self._read(receive)
        if body is not None:
            answered = body.parts if isinstance(body, WebhookReply) else await self._app.handle_webhook(headers, body)
            await _send(send, *answered)

    async def _read(self, receive: Receive) -> bytes | WebhookReply | None:
        """Return the body, the answer to one that is too large, or None when the caller has gone."""
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            if len(body) > self._app.max_bytes:
                return too_large(self._app.max_bytes)
            more = message.get("more_body", False)
        return bytes(body)

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


async def _send(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    fields = {**headers, "Content-Length": str(len(body))}
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
