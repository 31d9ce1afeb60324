"""One websocket of the gateway: an outbox with one writer, one reader, and a heartbeat timeout.

Responsible for the socket: it sends and receives frames, but does not know their meaning. Collaborators: a `Receiver`
(`service`) decides on each payload. Only the writer sends, so a bot that does not read never blocks the reader.
"""

import asyncio
import contextlib
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from aiohttp import WSMsgType, web

from .. import wire
from ..state.journal import Journal
from ..wire import JsonObject
from .sessions import Dispatch, Session, Shard

CLOSE_TIMEOUT = 2.0
"""Seconds that a bot has to answer a close frame."""

_MAX_QUEUED = 10000  # frames besides dispatches

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds


class Receiver(Protocol):
    """Decides what to do with payloads."""

    async def opened(self, connection: "ClientConnection") -> None:
        """Handle a new connection."""
        ...

    async def received(self, connection: "ClientConnection", data: str | bytes) -> None:
        """Handle a payload."""
        ...

    async def sending(self, connection: "ClientConnection", dispatch: Dispatch) -> Sequence[Dispatch]:
        """Return what is sent in place of a dispatch that is due."""
        ...

    async def announced(self, connection: "ClientConnection", kind: str) -> None:
        """Handle that READY or RESUMED has been sent."""
        ...

    def ended(self, connection: "ClientConnection") -> None:
        """Handle the end of the connection."""
        ...


class ClientConnection:
    """One connection of a bot.

    `closed_by` is "platform", "bot" or "" while it is open; `code` the close code, 1006 if there was none.
    `opened_at` is monotonic, in seconds.
    """

    def __init__(self, number: int, journal: Journal, heartbeat_interval: float) -> None:
        self.number = number
        self.opened_at = time.monotonic()
        self.shard: Shard | None = None
        self.session: Session | None = None
        self.ready = False  # READY or RESUMED has been sent
        self.acks = True  # False after the fault StopAcks
        self.silent = False  # True after the fault HalfOpen: sends and reads nothing, the socket stays open
        self.closed_by = ""
        self.code: int | None = None
        self._journal = journal
        self._allowed_silence = 2 * heartbeat_interval
        self._last_beat = self.opened_at
        self._outbox: deque[str | tuple[int, str]] = deque()
        self._close_frame: tuple[int, str] | None = None  # set once: the writer stops, then `_serve` closes with it
        self._wake = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    @property
    def open(self) -> bool:
        """True if neither side has closed it."""
        return not self.closed_by

    def document(self) -> JsonObject:
        """Return the connection for the page."""
        return {
            "number": self.number,
            "shard": self.shard,
            "ready": self.ready and self.open,
            "closed_by": self.closed_by,
            "code": self.code,
        }

    async def run(self, request: web.Request, receiver: Receiver) -> web.StreamResponse:
        """Serve the connection until it ends."""
        ws = web.WebSocketResponse(compress=False, timeout=CLOSE_TIMEOUT, max_msg_size=1 << 20)
        try:
            await ws.prepare(request)
        except ConnectionError:  # the bot disconnected before the handshake was answered
            self._note_end("bot", None)
            return web.Response(status=499)
        self._transport = request.transport
        try:
            await self._serve(ws, receiver)
        finally:
            self._note_end("bot", ws.close_code)
            receiver.ended(self)
        return ws

    async def _serve(self, ws: web.WebSocketResponse, receiver: Receiver) -> None:
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read(ws, receiver))
            writing = tasks.create_task(self._write(ws, receiver))
            watching = tasks.create_task(self._watch())
            await asyncio.wait((reading, writing, watching), return_when=asyncio.FIRST_COMPLETED)
            for task in (reading, writing, watching):
                task.cancel()
        if self._close_frame is not None:
            await self._send_close(ws, *self._close_frame)

    async def _send_close(self, ws: web.WebSocketResponse, code: int, reason: str) -> None:
        """Close when no other task reads: only then does aiohttp wait for the bot's close frame."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await ws.close(code=code, message=reason.encode())

    async def _read(self, ws: web.WebSocketResponse, receiver: Receiver) -> None:
        await receiver.opened(self)
        while (message := await ws.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
            data: str | bytes = message.data
            if not self.silent:
                await receiver.received(self, data)

    async def _write(self, ws: web.WebSocketResponse, receiver: Receiver) -> None:
        with contextlib.suppress(ConnectionError):
            while self._close_frame is None:
                if not await self._send_next(ws, receiver):
                    self._wake.clear()
                    await self._wake.wait()

    async def _send_next(self, ws: web.WebSocketResponse, receiver: Receiver) -> bool:
        """Send what is due, or keep a close frame for `_serve`; return False if nothing was due."""
        if self.silent:
            return False
        if self._outbox:
            item = self._outbox.popleft()
            if isinstance(item, str):
                await ws.send_str(item)
            else:
                self._close_frame = item
            return True
        if self.session is None or (dispatch := self.session.take()) is None:
            return False
        for each in await receiver.sending(self, dispatch):
            await self._send_dispatch(ws, each, receiver)
        return True

    async def _send_dispatch(self, ws: web.WebSocketResponse, dispatch: Dispatch, receiver: Receiver) -> None:
        if self.session is not None:
            self.session.mark_sent(dispatch)
        self._journal.frame("to_bot", self.number, self.shard, 0, dispatch.text, t=dispatch.type)
        await ws.send_str(dispatch.text)
        if not dispatch.event_id:
            await receiver.announced(self, dispatch.type)

    async def _watch(self) -> None:
        while (left := self._last_beat + self._allowed_silence - time.monotonic()) > 0:  # noqa: ASYNC110 -- the deadline moves
            await asyncio.sleep(left)
        if self.silent:
            await asyncio.Event().wait()  # half-open: the platform does not detect the timeout either
        # Do not queue the close: the writer may be blocked by a bot that does not read.
        self._note_end("platform", 4009)
        self._close_frame = (4009, "heartbeat timeout")

    # Called by the receiver

    def beat(self) -> None:
        """Record a heartbeat."""
        self._last_beat = time.monotonic()

    def wake(self) -> None:
        """Wake the writer: something is due."""
        self._wake.set()

    def send(self, op: int, body: object = None) -> None:
        """Queue a payload that is not a dispatch."""
        text = wire.dump({"op": op} if body is None else {"op": op, "d": body})
        self._journal.frame("to_bot", self.number, self.shard, op, text)
        self._queue(text)

    def send_raw(self, text: str) -> None:
        """Queue any text as a frame."""
        self._journal.frame("to_bot", self.number, self.shard, None, text)
        self._queue(text)

    def close(self, code: int, reason: str) -> None:
        """Queue a close frame; nothing is sent or handled after it."""
        if self.silent:
            self.drop()
        elif self.open:
            self._note_end("platform", code)
            self._queue((code, reason))

    def drop(self) -> None:
        """End the TCP connection with a reset."""
        if self._transport is None or not self.open:
            return
        self._note_end("platform", 1006)
        raw = self._transport.get_extra_info("socket")
        if raw is not None:
            # OSError, ValueError: the bot has just closed it; the others: some event loops refuse the option.
            with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, NotImplementedError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def fall_silent(self) -> None:
        """Stop sending and reading without a close frame; only the bot can end the connection now."""
        self.silent, self.ready = True, False

    def _note_end(self, by: str, code: int | None) -> None:
        if self.open:
            self.closed_by, self.code = by, code or 1006

    def _queue(self, item: str | tuple[int, str]) -> None:
        if len(self._outbox) >= _MAX_QUEUED:  # the bot sends, but does not read
            self.drop()
            return
        self._outbox.append(item)
        self._wake.set()
