"""A small gateway that records every arrival, for the checker.

It keeps sessions as the platform does (replay after RESUME, the older connection of a session is reset) and sends
events all the time. Times are of `qqbot.aio.clock.steady`, which all processes of one machine share.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from qqbot.aio.clock import steady

Shard = tuple[int, int]
EVENT = "CLUSTER_TEST"
INTENT = 1 << 25
TICK = 0.01


class Session:
    """One shard's session: its events, and the socket that listens."""

    def __init__(self, number: int, shard: Shard) -> None:
        self.id = f"s{number}"
        self.shard = shard
        self.seq = 0
        self.events: list[tuple[int, str]] = []
        self.socket: web.WebSocketResponse | None = None
        self.over = False

    def frame(self, kind: str, body: str, event: str = "") -> str:
        self.seq += 1
        return f'{{"op":0,"s":{self.seq},"t":"{kind}","id":"{event}","d":{body}}}'


class Gateway:
    """`shards` that it recommends, `concurrency` sessions in `window` seconds, `rate` events a second in all."""

    def __init__(self, *, shards: int, concurrency: int, rate: float, budget: int = 1000) -> None:
        self.shards = shards
        self.concurrency = concurrency
        self.rate = rate
        self.budget = budget
        self.sessions: dict[str, Session] = {}
        self.identifies: list[tuple[float, Shard]] = []
        self.lags: list[float] = []
        """For each of them, how many seconds earlier it may have come: this loop was late."""
        self.resumes: list[tuple[float, Shard | None, str]] = []
        self.events: dict[str, list[Session]] = {}
        self.kicks = 0
        self.calls: Counter[str] = Counter()
        self.refuse_identify: int | None = None
        self.too_few = 0
        self.refuse_resume: int | None = None
        self.port = 0
        self._ticked, self._lag = steady(), 0.0
        self._sockets: set[web.WebSocketResponse] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Gateway"]:
        app = web.Application()
        app.router.add_post("/app/getAppAccessToken", self._token)
        app.router.add_get("/gateway/bot", self._bot)
        app.router.add_get("/ws", self._websocket)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        ticker = asyncio.create_task(self._emit())
        try:
            yield self
        finally:
            ticker.cancel()
            await asyncio.wait([ticker])
            for socket in set(self._sockets):
                await socket.close(code=1001)
            await runner.cleanup()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _token(self, _: web.Request) -> web.Response:
        self.calls["token"] += 1
        return web.json_response({"access_token": "t", "expires_in": "7200"})

    async def _bot(self, _: web.Request) -> web.Response:
        self.calls["gateway"] += 1
        limit = {
            "total": 1000,
            "remaining": self.budget - len(self.identifies),
            "reset_after": 86_400_000,
            "max_concurrency": self.concurrency,
        }
        url = f"ws://127.0.0.1:{self.port}/ws"
        return web.json_response({"url": url, "shards": self.shards, "session_start_limit": limit})

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            await socket.send_str('{"op":10,"d":{"heartbeat_interval":5000}}')
            async for message in socket:
                if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
                    await self._answer(socket, message.json())
        except (ConnectionError, RuntimeError):
            pass  # the peer was killed
        finally:
            self._sockets.discard(socket)
            for session in self.sessions.values():
                if session.socket is socket:
                    session.socket = None
        return socket

    async def _answer(self, socket: web.WebSocketResponse, frame: dict[str, Any]) -> None:
        match frame["op"]:
            case 1:
                await socket.send_str('{"op":11}')
            case 2:
                await self._identify(socket, frame["d"])
            case 6:
                await self._resume(socket, frame["d"])

    async def _identify(self, socket: web.WebSocketResponse, body: dict[str, Any]) -> None:
        index, count = body["shard"]
        now = steady()
        self.identifies.append((now, (index, count)))
        since = now - self._ticked
        self.lags.append(max(since - TICK, self._lag if since < TICK else 0.0, 0.0))
        if self.refuse_identify is not None or count == self.too_few:
            await socket.close(code=self.refuse_identify or 4011)
            return
        for old in [each for each in self.sessions.values() if each.shard == (index, count) and not each.over]:
            old.over = True
            await self._kick(old)
        session = Session(len(self.sessions), (index, count))
        self.sessions[session.id] = session
        session.socket = socket
        user = '{"id":"7","username":"bot","bot":true}'
        await socket.send_str(session.frame("READY", f'{{"session_id":"{session.id}","user":{user}}}'))

    async def _resume(self, socket: web.WebSocketResponse, body: dict[str, Any]) -> None:
        session = self.sessions.get(body["session_id"])
        self.resumes.append((steady(), None if session is None else session.shard, body["session_id"]))
        if self.refuse_resume is not None:
            await socket.close(code=self.refuse_resume)
        elif session is None or session.over:
            await socket.close(code=4006)
        else:
            await self._kick(session)
            position = 0
            while position < len(session.events):  # more may come meanwhile
                seq, text = session.events[position]
                position += 1
                if seq > body["seq"]:
                    await socket.send_str(text)
            session.socket = socket
            await socket.send_str(session.frame("RESUMED", '""'))

    async def _kick(self, session: Session) -> None:
        """Reset the connection that the session has: there is one at most."""
        if (old := session.socket) is not None:
            session.socket = None
            if not old.closed:
                self.kicks += 1
                with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
                    async with asyncio.timeout(0.2):  # a stopped process does not answer
                        await old.close(code=4902)

    async def _emit(self) -> None:
        """Send events at `rate`, however late this loop is."""
        due, then = 0.0, steady()
        while True:
            await asyncio.sleep(TICK)
            now = steady()
            self._ticked, self._lag = now, now - then - TICK
            due, then = due + self.rate * (now - then), now
            living = {session.shard: session for session in self.sessions.values() if not session.over}
            counts = {count for _, count in living}
            while due >= 1 and living:
                due -= 1
                number = len(self.events)
                receivers = [living[shard] for count in counts if (shard := (number % count, count)) in living]
                self.events[f"e{number}"] = receivers
                for session in receivers:
                    self._send(session, f"e{number}")
            due = min(due, self.rate)

    def _send(self, session: Session, event: str) -> None:
        """Send an event to one session; each number of shards that is in use has one for it."""
        text = session.frame(EVENT, "{}", event)
        session.events.append((session.seq, text))
        socket = session.socket
        if socket is not None and not socket.closed:
            with contextlib.suppress(ConnectionError, RuntimeError):
                # Not awaited: a stopped process must not stop the gateway.
                task = asyncio.ensure_future(socket.send_str(text))
                task.add_done_callback(_ignore)

    def give_up(self, session: Session) -> None:
        """End a session as the platform may: its undelivered events are gone."""
        session.over = True
        session.events = []
        for receivers in self.events.values():
            if session in receivers:
                receivers.remove(session)


def _ignore(task: "asyncio.Future[None]") -> None:
    if not task.cancelled():
        task.exception()
