"""A gateway on a real socket that does what the test says, and the seams of a `Shard` beside it."""

import asyncio
import json
import random
import socket
import struct
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from qqbot.api.network import ConnectOptions
from qqbot.config import GatewayConfig
from qqbot.gateway.shard import Shard, ShardEvent
from qqbot.lease import LostReason
from qqbot.models.frames import Frame
from qqbot.models.gateway import GatewayBot, ResumeState, ShardKey
from tests.gateway import wire

PATIENCE = 20.0  # seconds that a test waits for what must happen
CONFIG = GatewayConfig(pace=0.01)
IMPATIENT = GatewayConfig(
    connect_timeout=0.5, hello_timeout=0.5, ready_timeout=0.5, resumed_timeout=0.5, close_code_timeout=0.1, pace=0.01
)  # for what never comes


class Connection:
    """The platform's end of one websocket."""

    def __init__(self, request: web.Request, websocket: web.WebSocketResponse) -> None:
        self.websocket = websocket
        self.over = asyncio.Event()
        self._transport = request.transport

    async def send(self, *frames: bytes) -> None:
        for data in frames:
            await self.websocket.send_str(data.decode())

    async def receive(self) -> tuple[int, object]:
        """Return op and d of the next frame that is no heartbeat."""
        while True:
            async with asyncio.timeout(PATIENCE):
                message = await self.websocket.receive()
            assert message.type is aiohttp.WSMsgType.TEXT, message
            body = json.loads(message.data)
            if body["op"] != 1:
                return body["op"], body["d"]

    async def heartbeat(self) -> object:
        """Return d of the next heartbeat."""
        async with asyncio.timeout(PATIENCE):
            body = json.loads(await self.websocket.receive_str())
        assert body["op"] == 1, body
        return body["d"]

    async def acknowledge(self) -> None:
        """Answer heartbeats until the client closes."""
        async for message in self.websocket:
            if json.loads(message.data)["op"] == 1:
                await self.send(wire.ACK)

    async def closed_by_client(self) -> int | None:
        """Return the code with which the client closes; None when it only hangs up."""
        async with asyncio.timeout(PATIENCE):
            async for _ in self.websocket:
                pass
        code = self.websocket.close_code
        return None if code in (1000, 1006) else code

    async def nothing_but_goodbye(self) -> int | None:
        """Return the code with which the client closes without having sent anything before."""
        async with asyncio.timeout(PATIENCE):
            message = await self.websocket.receive()
        assert message.type is aiohttp.WSMsgType.CLOSE, message
        return self.websocket.close_code

    async def greet(self, interval: float = 45.0) -> tuple[int, object]:
        """Send HELLO; return op and d of the answer."""
        await self.send(wire.hello(interval))
        return await self.receive()

    async def identified(self, session_id: str = "session", *, interval: float = 45.0) -> None:
        """Go through HELLO and IDENTIFY to READY."""
        op, _ = await self.greet(interval)
        assert op == 2
        await self.send(wire.ready(session_id))

    async def close(self, code: int) -> None:
        await self.websocket.close(code=code)
        self.over.set()

    def reset(self) -> None:
        """Send a TCP reset."""
        assert self._transport is not None
        plain: socket.socket = self._transport.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        self.over.set()


class ScriptedGateway:
    """Accepts websockets and hands them to the test."""

    def __init__(self) -> None:
        self.url = ""
        self._waiting: asyncio.Queue[Connection] = asyncio.Queue()
        self._all: list[Connection] = []

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/", self._serve)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"ws://{host}:{port}/"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._all:
            connection.over.set()
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(timeout=0.1)
        await websocket.prepare(request)
        connection = Connection(request, websocket)
        self._all.append(connection)
        self._waiting.put_nowait(connection)
        await connection.over.wait()
        return websocket

    @property
    def connections(self) -> int:
        """How many connections there were."""
        return len(self._all)

    async def accept(self) -> Connection:
        """Return the next connection."""
        async with asyncio.timeout(PATIENCE):
            return await self._waiting.get()


class Permit:
    def usable(self) -> bool:
        return True


class StillLease:
    """A lease that lasts until the test ends it."""

    def __init__(self, index: int = 0, count: int = 1) -> None:
        self.shard = ShardKey(0, index, count)
        self.token = 1
        self.live = True
        self.turns = 0
        self.turn_held = False
        self.permits = 0

    def valid(self) -> bool:
        return self.live

    async def wait_lost(self) -> LostReason:
        await asyncio.Event().wait()
        return "stopped"

    def checkpoint(self, state: ResumeState) -> None:
        pass

    async def save(self, state: ResumeState | None) -> None:
        pass

    def fenced(self, token: int) -> None:
        self.live = False

    async def may_renew(self) -> bool:
        return True

    @asynccontextmanager
    async def identify_turn(self) -> AsyncGenerator[None]:
        self.turns += 1
        self.turn_held = True
        try:
            yield
        finally:
            self.turn_held = False

    async def identify_permit(self) -> Permit:
        self.permits += 1
        return Permit()


async def nowhere() -> str:
    return ""


class Tokens:
    """Returns token-1, token-2, ...; raises `failures` first."""

    def __init__(self) -> None:
        self.number = 1
        self.failures: list[Exception] = []

    async def get(self) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return f"token-{self.number}"

    def invalidate(self, token: str) -> None:
        if token == f"token-{self.number}":
            self.number += 1


class Inbox:
    """An intake that keeps what it gets; `limit` events fill it."""

    def __init__(self, limit: int = 1_000_000) -> None:
        self.begun: list[tuple[str, int, tuple[tuple[int, int], ...]]] = []
        self.taken_over: list[bool] = []
        self.caught_up_at: list[int] = []
        self.frames: list[Frame] = []
        self.raw: list[bytes] = []
        self.limit = limit
        self._taken = asyncio.Event()
        self._changed = asyncio.Event()

    @property
    def full(self) -> bool:
        return len(self.frames) >= self.limit

    async def room(self) -> None:
        while self.full:
            self._taken.clear()
            await self._taken.wait()

    def widen(self, limit: int) -> None:
        self.limit = limit
        self._taken.set()

    def begin(
        self, session_id: str, seq: int, done: Sequence[tuple[int, int]] = (), *, taken_over: bool = False
    ) -> None:
        self.begun.append((session_id, seq, tuple(done)))
        self.taken_over.append(taken_over)

    def caught_up(self, seq: int) -> None:
        self.caught_up_at.append(seq)

    def publish(self, frame: Frame, raw: bytes) -> bool:
        self.frames.append(frame)
        self.raw.append(raw)
        self._changed.set()
        return not self.full

    async def has(self, count: int) -> list[int | None]:
        """Wait until `count` frames have come; return the seqs."""
        async with asyncio.timeout(PATIENCE):
            while len(self.frames) < count:
                self._changed.clear()
                await self._changed.wait()
        return [frame.s for frame in self.frames]


class Stage:
    """A shard that runs against a scripted gateway."""

    def __init__(self, gateway: ScriptedGateway, session: aiohttp.ClientSession) -> None:
        self.gateway = gateway
        self.session = session
        self.lease = StillLease()
        self.tokens = Tokens()
        self.inbox = Inbox()
        self.events: list[ShardEvent] = []

    def shard(
        self,
        state: ResumeState | None = None,
        *,
        config: GatewayConfig = CONFIG,
        url: str | None = None,
        options: ConnectOptions | None = None,
        chance: Callable[[], float] = random.random,
    ) -> Shard:
        return Shard(
            self.lease,
            info=GatewayBot(url=url or self.gateway.url),
            state=state,
            intents=1 << 25,
            consumer=self.inbox,
            tokens=self.tokens,
            session=self.session,
            config=config,
            connect_options=options or {},
            on_event=self.events.append,
            locate=nowhere,
            chance=chance,
        )

    @asynccontextmanager
    async def running(
        self, state: ResumeState | None = None, *, config: GatewayConfig = CONFIG
    ) -> AsyncGenerator[Shard]:
        """Run a shard while the body runs; then end it as its owner does."""
        async with self.shard(state, config=config) as shard:
            task = asyncio.create_task(shard.run())
            try:
                yield shard
            finally:
                task.cancel()
                await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


@asynccontextmanager
async def stage() -> AsyncGenerator[Stage]:
    async with ScriptedGateway() as gateway, aiohttp.ClientSession() as session:
        yield Stage(gateway, session)
