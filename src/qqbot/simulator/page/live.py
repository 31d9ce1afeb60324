"""The page's websocket: sends a snapshot, then patches in order; receives the page's commands.

Responsible for the connections of pages. A page that cannot keep up receives a new snapshot.
"""

import asyncio

from aiohttp import WSMsgType, web

from .. import wire
from ..state.journal import Journal, JournalStream
from ..wire import JsonObject
from ..wire.guard import BODY_LIMIT, Guard
from .commands import PageCommands

AUTH_TIMEOUT = 5.0
"""Seconds within which a page has to send the token."""

_POLICY_VIOLATION = 1008


class Live:
    """Serves the pages that are open."""

    def __init__(self, commands: PageCommands, journal: Journal, guard: Guard) -> None:
        self._commands = commands
        self._journal = journal
        self._guard = guard
        self._open: set[web.WebSocketResponse] = set()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one page."""
        ws = web.WebSocketResponse(max_msg_size=BODY_LIMIT, timeout=1.0, heartbeat=30.0)
        await ws.prepare(request)
        self._open.add(ws)
        try:
            if await self._authenticated(ws):
                await self._serve(ws)
            else:
                await ws.close(code=_POLICY_VIOLATION, message=b"the token is not this run's")
        except* ConnectionError:
            pass  # the page disconnected during a write
        finally:
            self._open.discard(ws)
        return ws

    async def close(self) -> None:
        """Close the connections of all pages: the simulator stops."""
        for ws in tuple(self._open):
            await ws.close(code=1001)

    async def _authenticated(self, ws: web.WebSocketResponse) -> bool:
        try:
            async with asyncio.timeout(AUTH_TIMEOUT):
                message = await ws.receive()
        except TimeoutError:
            return False
        document = _document(message.data) if message.type is WSMsgType.TEXT else None
        return document is not None and self._guard.accepts(document.get("auth"))

    async def _serve(self, ws: web.WebSocketResponse) -> None:
        feed = self._journal.open_feed()
        try:
            async with asyncio.TaskGroup() as tasks:
                sender = tasks.create_task(self._send(ws, feed))
                try:
                    await self._obey(ws)
                finally:
                    sender.cancel()
        finally:
            self._journal.close_feed(feed)

    async def _send(self, ws: web.WebSocketResponse, feed: JournalStream) -> None:
        feed.stale = True
        while not ws.closed:
            if feed.stale:
                feed.stale = False
                await ws.send_str(wire.dump({"kind": "snapshot", "state": self._commands.snapshot()}))
            for message in await feed.take():
                await ws.send_str(message)

    async def _obey(self, ws: web.WebSocketResponse) -> None:
        while (message := await ws.receive()).type is WSMsgType.TEXT:
            document = _document(message.data)
            if document is None:
                await ws.close(code=1007, message=b"not a JSON object")
                return
            await ws.send_str(wire.dump(await self._result(document)))

    async def _result(self, document: JsonObject) -> JsonObject:
        result: JsonObject = {"kind": "result", "id": document.get("id")}
        try:
            return {**result, "ok": True, "value": await self._commands.do(document)}
        except ValueError as error:
            return {**result, "ok": False, "error": str(error)}


def _document(data: str) -> JsonObject | None:
    try:
        return wire.parse_object(data)
    except ValueError:
        return None
