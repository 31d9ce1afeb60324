"""`Connection`: one websocket connection of aiohttp, with what aiohttp does in its own way kept in here.

Owns opening, closing in bounded time and cutting. aiohttp's `close_code` is never read: after our own close it is
the peer's echo, after a cancelled `receive` 1006, after a lost connection 1000.
"""

import asyncio
import contextlib
import socket
from typing import Literal, Self

import aiohttp
from aiohttp import WSMsgType

from ..api.network import ConnectOptions, cause_of
from ..config import GatewayConfig
from ..errors import ConnectionFailed

CLOSE_SECONDS = 1.0
RESUMABLE_CLOSE = 4000  # 1000 and 1001 would end the session


class Connection:
    """An open websocket. `receive` is aiohttp's own, so that a frame passes through no further coroutine."""

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
        except (OSError, aiohttp.ClientError) as error:
            cause = cause_of(error)
        else:
            return cls(websocket)
        # Raised out here, so that no context holds aiohttp's exception: some carry the proxy's password.
        raise ConnectionFailed(cause)

    async def send(self, data: bytes) -> None:
        """Send a text frame. Where the connection has just ended nothing happens: the reader sees the end."""
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            await self._websocket.send_frame(data, WSMsgType.TEXT)

    async def close(self) -> None:
        """Say goodbye so that the session can be resumed; wait `CLOSE_SECONDS` for the answer at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._websocket.close(code=RESUMABLE_CLOSE)

    def cut(self) -> None:
        """End the connection at once, whether or not the peer is still there; `receive` then ends."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
