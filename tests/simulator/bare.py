"""A bot on plain aiohttp, so that these tests do not depend on the client."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self

import aiohttp
from hypothesis import strategies as st

from qqbot.testing import Simulator

GROUP = 1 << 25
GUILDS = 1 << 30
CLICKS = 1 << 26
DMS = 1 << 12
ALL = GROUP | GUILDS | CLICKS | DMS
PRIVATE = 1 << 9

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)

Frame = dict[str, Any]


class Socket:
    """One connection to the gateway after HELLO."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, token: str) -> None:
        self.ws = ws
        self.token = token
        self.session_id = ""
        self.seq = 0

    async def send(self, op: object, body: object = None) -> None:
        await self.ws.send_str(json.dumps({"op": op, "d": body}))

    async def next(self, seconds: float = 5) -> Frame:
        message = await self.ws.receive(seconds)
        assert message.type is aiohttp.WSMsgType.TEXT, (message, self.ws.close_code)
        frame: Frame = json.loads(message.data)
        if frame.get("s"):
            self.seq = frame["s"]
        return frame

    async def next_of(self, kind: str) -> Frame:
        while (frame := await self.next()).get("t") != kind:
            pass
        return frame

    async def close_code(self) -> int | None:
        """Wait for the close by the platform, skip the frames before it, and return the close code."""
        while (await self.ws.receive(5)).type is aiohttp.WSMsgType.TEXT:
            pass
        return self.ws.close_code

    async def identify(self, intents: object = ALL, shard: object = (0, 1), token: str | None = None) -> None:
        await self.send(2, {"token": f"QQBot {token or self.token}", "intents": intents, "shard": shard})

    async def ready(self, intents: object = ALL, shard: object = (0, 1)) -> Frame:
        await self.identify(intents, shard)
        frame = await self.next()
        assert frame["t"] == "READY", frame
        self.session_id = frame["d"]["session_id"]
        return frame

    async def resume(self, session_id: object, seq: object) -> None:
        await self.send(6, {"token": f"QQBot {self.token}", "session_id": session_id, "seq": seq})

    async def heartbeat(self) -> None:
        await self.send(1, self.seq or None)


class BareBot:
    """A bot with a token, calls and gateway connections."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.token = ""
        self._sockets: list[Socket] = []

    async def __aenter__(self) -> Self:
        self.http = aiohttp.ClientSession()
        self.token = (await self.fetch_token())["access_token"]
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in self._sockets:
            await socket.ws.close()
        await self.http.close()

    async def fetch_token(self) -> dict[str, Any]:
        body = {"appId": self.sim.app_id, "clientSecret": self.sim.secret}
        async with self.http.post(self.sim.token_url, json=body) as response:
            assert response.status == 200
            return await response.json()

    async def call(self, method: str, path: str, body: object = None, **options: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"QQBot {self.token}", **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        async with self.http.request(method, self.sim.api_base + path, headers=headers, **options) as response:
            text = await response.text()
            assert response.headers["X-Tps-trace-ID"]
            return response.status, json.loads(text) if text else None

    async def refused(self, method: str, path: str, body: object = None, **options: Any) -> tuple[int, int]:
        """Return HTTP status and error code of a call that must fail."""
        status, answer = await self.call(method, path, body, **options)
        assert status >= 400, answer
        assert set(answer) == {"message", "code", "err_code", "trace_id"}
        return status, answer["code"]

    async def connect(self) -> Socket:
        ws = await self.http.ws_connect(self.sim.api_base.replace("http", "ws") + "/websocket")
        socket = Socket(ws, self.token)
        self._sockets.append(socket)
        hello = await socket.next()
        assert hello["op"] == 10
        return socket

    async def connect_ready(self, intents: object = ALL, shard: object = (0, 1)) -> Socket:
        socket = await self.connect()
        await socket.ready(intents, shard)
        return socket

    async def send_to_group(self, group: str, **body: object) -> tuple[int, Any]:
        return await self.call("POST", f"/v2/groups/{group}/messages", {"msg_type": 0, **body})


class Echo:
    """Echoes every message until the context ends; no other code may read the socket."""

    def __init__(self, bot: BareBot, socket: Socket, keyboard: object = None) -> None:
        self._bot = bot
        self._socket = socket
        self._keyboard = keyboard
        self.answers: list[tuple[int, Any]] = []
        self.answered: Callable[[Frame], object] = lambda frame: None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            frame = await self._socket.next(60)
            kind, d = frame.get("t") or "", frame.get("d", {})
            if kind == "INTERACTION_CREATE":
                await self._bot.call("PUT", f"/interactions/{d['id']}", {"code": 0})
                await self._answer(
                    d, {"content": f"pressed {d['data']['resolved']['button_data']}", "event_id": frame["id"]}
                )
            elif kind.endswith("MESSAGE_CREATE") and d["content"].strip() != "hush":
                await self._answer(d, {"content": d["content"].strip(), "msg_id": d["id"]})
            if frame.get("id"):
                self.answered(frame)

    async def _answer(self, d: Frame, body: Frame) -> None:
        if "group_openid" in d:
            path = f"/v2/groups/{d['group_openid']}/messages"
        elif d.get("direct_message"):
            path = f"/dms/{d['guild_id']}/messages"
        elif "channel_id" in d:
            path = f"/channels/{d['channel_id']}/messages"
        else:
            path = f"/v2/users/{d.get('user_openid') or d['author']['user_openid']}/messages"
        if path.startswith("/v2"):
            body["msg_type"] = 0
        if self._keyboard and "msg_id" in body:
            body |= {"msg_type": 2, "markdown": {"content": body.pop("content")}, "keyboard": self._keyboard}
        self.answers.append(await self._bot.call("POST", path, body))
