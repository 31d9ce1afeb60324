"""`Connection`: one websocket connection of aiohttp.

Responsible for opening, closing in bounded time and cutting, and for keeping aiohttp's peculiarities out of `shard`.
Collaborators: `api.network` (connect options, causes of failures). It does not interpret frames. It never reads
aiohttp's `close_code`, which is the peer's echo after our own close, 1006 after a cancelled `receive` and 1000 after a
lost connection.
"""

import asyncio
import contextlib
import socket
from typing import Literal, Self

import aiohttp
from aiohttp import WSMsgType

from ..api.network import NETWORK_ERRORS, ConnectOptions, cause_of, no_redirects
from ..config import GatewayConfig
from ..errors import ConnectionFailed

CLOSE_SECONDS = 1.0
RESUMABLE_CLOSE = 4000  # 1000 and 1001 would end the session


class Connection:
    """An open websocket; `receive` is aiohttp's own method, because a wrapper would cost a coroutine for each frame."""

    def __init__(self, websocket: "aiohttp.ClientWebSocketResponse[Literal[False]]") -> None:
        self._websocket = websocket
        self._socket = websocket.get_extra_info("socket")
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
        """Send a text frame; do nothing if the connection has just ended, because the reader sees the end."""
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            await self._websocket.send_frame(data, WSMsgType.TEXT)

    async def close(self) -> None:
        """Close so that the session can be resumed; wait at most `CLOSE_SECONDS` for the peer's answer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._websocket.close(code=RESUMABLE_CLOSE)

    def cut(self) -> None:
        """End the connection at once, without the peer; `receive` then ends."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
