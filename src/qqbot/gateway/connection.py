"""`Connection`: one websocket connection of aiohttp.

Responsible for opening, for closing in bounded time, and for keeping aiohttp's peculiarities out of `shard`.
Collaborators: `api.network` (connect options, causes of failures). It does not interpret frames. It never reads
aiohttp's `close_code`, which is the peer's echo after our own close, 1006 after a cancelled `receive` and 1000 after a
lost connection. It uses no method of the socket: some event loops refuse them.
"""

import asyncio
from typing import Literal, Self

import aiohttp
from aiohttp import WSMsgType

from ..api.network import NETWORK_ERRORS, ConnectOptions, cause_of, no_redirects
from ..config import GatewayConfig
from ..errors import ConnectionFailed

CLOSE_SECONDS = 1.0
SEND_SECONDS = 10.0
RESUMABLE_CLOSE = 4000  # 1000 and 1001 would end the session


class Connection:
    """An open websocket; `receive` is aiohttp's own method, because a wrapper would cost a coroutine for each frame."""

    def __init__(self, websocket: "aiohttp.ClientWebSocketResponse[Literal[False]]") -> None:
        self._websocket = websocket
        # aiohttp shows its transport only to itself. Without it a peer that reads nothing keeps the socket for a while.
        self._transport: asyncio.Transport | None = getattr(getattr(websocket, "_conn", None), "transport", None)
        self.receive = websocket.receive

    @classmethod
    async def open(
        cls, session: aiohttp.ClientSession, url: str, config: GatewayConfig, options: ConnectOptions
    ) -> Self:
        """Connect to `url`.  Raises: ConnectionFailed."""
        proxy_for = options.get("proxy_for")
        try:
            async with asyncio.timeout(config.connect_timeout):
                with no_redirects(session):
                    websocket = await session.ws_connect(
                        url,
                        decode_text=False,
                        compress=0,
                        heartbeat=None,
                        autoping=True,
                        max_msg_size=config.max_frame_bytes,
                        proxy=proxy_for(url) if proxy_for else None,
                        ssl=options.get("ssl_context") or True,
                    )
        except NETWORK_ERRORS as error:
            cause = cause_of(error)
        else:
            return cls(websocket)
        # Raised outside of `except`, so that no context holds aiohttp's exception: some carry the proxy's password.
        raise ConnectionFailed(cause)

    async def send(self, data: bytes) -> None:
        """Send a text frame; do nothing if the connection has just ended, because the reader sees the end.

        A peer that reads nothing leaves no room for the frame: after `SEND_SECONDS` the connection is closed.
        """
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._websocket.send_frame(data, WSMsgType.TEXT)
        except TimeoutError:
            await self.close(answered=False)
        except (ConnectionError, aiohttp.ClientError):
            pass

    async def close(self, *, answered: bool = True) -> None:
        """Close so that the session can be resumed; wait at most `CLOSE_SECONDS` for the peer's answer.

        `answered`: False for a peer that is gone; then no answer is awaited.
        """
        try:
            async with asyncio.timeout(CLOSE_SECONDS if answered else 0):
                await self._websocket.close(code=RESUMABLE_CLOSE)
        except TimeoutError:
            if self._transport is not None:
                self._transport.abort()  # else it would wait until the peer has read all that was sent
