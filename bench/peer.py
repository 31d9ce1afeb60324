"""The platform's side of the benchmarks, a process of its own: `python -m bench.peer [CERTIFICATE]` prints its address.

Owns as much of the platform as a bot needs to become READY, and sends bursts of frames that were encoded before.
Each contestant has a name, the first part of every path, so that one peer serves all of them:

- `POST /NAME/app/getAppAccessToken`, `GET /NAME/gateway/bot`, `GET /NAME/ws`, `POST /NAME/v2/groups/ID/messages`: as
  on the platform.
- `POST /NAME/burst`: send what a `Burst` says to the sockets of NAME; the answer is `Started`.
- `GET /NAME/sessions`: how many sessions NAME has begun.
"""

import asyncio
import itertools
import ssl
import sys
import time
from collections import defaultdict

import msgspec
from aiohttp import WSMsgType, web
from msgspec import Struct

from bench import lifeline
from bench.payloads import HANDLED, TEXT, UNWANTED, frame, on_the_wire

SENT = msgspec.json.encode(
    {"id": "ROBOT1.0_sMn6A.YvPkTzZ0", "timestamp": "2026-03-01T09:48:47+08:00", "ext_info": {"ref_idx": "REFIDX_CJ"}}
)


class Burst(Struct, frozen=True):
    """Send `unwanted` events that nobody handles, then `handled` ones: at once, or `rate` a second.

    With a rate each message's text begins with the moment at which it was sent.
    """

    handled: int
    unwanted: int = 0
    rate: float = 0.0


class Started(Struct, frozen=True):
    """When the first byte was sent, by `time.perf_counter`: on Linux one clock serves all processes."""

    at: float


class Socket:
    """One session of a contestant."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._seqs = itertools.count(2)  # READY was the first

    def encoded(self, number: int, name: str, text: str = TEXT) -> bytes:
        """Return the next frame of the session, for the wire."""
        return on_the_wire(frame(next(self._seqs), number, name, text))


class Peer:
    """The sockets of all contestants, and what is sent to them."""

    def __init__(self) -> None:
        self._sockets: defaultdict[str, list[Socket]] = defaultdict(list)
        self._numbers = itertools.count()

    def application(self) -> web.Application:
        """Return the routes."""
        app = web.Application()
        app.add_routes(
            [
                web.post("/{name}/app/getAppAccessToken", self._token),
                web.get("/{name}/gateway/bot", self._gateway),
                web.get("/{name}/ws", self._converse),
                web.post("/{name}/v2/groups/{group}/messages", self._message),
                web.post("/{name}/burst", self._burst),
                web.get("/{name}/sessions", self._count),
            ]
        )
        return app

    async def _token(self, _request: web.Request) -> web.Response:
        return web.json_response({"access_token": "benchmark", "expires_in": "7200"})

    async def _gateway(self, request: web.Request) -> web.Response:
        limit = {"total": 100_000, "remaining": 100_000, "reset_after": 86_400_000, "max_concurrency": 1000}
        url = f"{'wss' if request.secure else 'ws'}://{request.host}/{request.match_info['name']}/ws"
        return web.json_response({"url": url, "shards": 1, "session_start_limit": limit})

    async def _message(self, request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=SENT, content_type="application/json")

    async def _converse(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(compress=False)
        await websocket.prepare(request)
        await websocket.send_json({"op": 10, "d": {"heartbeat_interval": 41_250}})
        async for message in websocket:
            op = msgspec.json.decode(message.data)["op"] if message.type is WSMsgType.TEXT else None
            if op == 1:
                await websocket.send_json({"op": 11})
            elif op == 2:
                assert request.transport is not None
                self._sockets[request.match_info["name"]].append(Socket(request.transport))
                await websocket.send_json(_ready())
        return websocket

    async def _count(self, request: web.Request) -> web.Response:
        return web.json_response(len(self._sockets[request.match_info["name"]]))

    async def _burst(self, request: web.Request) -> web.Response:
        burst = msgspec.json.decode(await request.read(), type=Burst)
        sockets = self._sockets[request.match_info["name"]]
        at = await self._paced(burst, sockets) if burst.rate else self._at_once(burst, sockets)
        return web.Response(body=msgspec.json.encode(Started(at)), content_type="application/json")

    def _at_once(self, burst: Burst, sockets: list[Socket]) -> float:
        frames: defaultdict[Socket, list[bytes]] = defaultdict(list)
        names = [UNWANTED] * burst.unwanted + [HANDLED] * burst.handled
        for socket, name in zip(itertools.cycle(sockets), names, strict=False):
            frames[socket].append(socket.encoded(next(self._numbers), name))
        chunks = [(socket.transport, b"".join(encoded)) for socket, encoded in frames.items()]
        at = time.perf_counter()
        for transport, chunk in chunks:
            transport.write(chunk)
        return at

    async def _paced(self, burst: Burst, sockets: list[Socket]) -> float:
        started = time.perf_counter()
        for number, socket in zip(range(burst.handled), itertools.cycle(sockets), strict=False):
            await asyncio.sleep(max(started + number / burst.rate - time.perf_counter(), 0))
            text = f"{time.perf_counter():.9f}{TEXT}"
            socket.transport.write(socket.encoded(next(self._numbers), HANDLED, text))
        return started


def _ready() -> dict[str, object]:
    body = {
        "version": 1,
        "session_id": "a8a6b3c2-benchmark",
        "user": {"id": "1", "username": "bench", "bot": True},
        "shard": [0, 0],
    }
    return {"op": 0, "s": 1, "t": "READY", "id": "READY:1", "d": body}


async def main(certificate: str | None) -> None:
    """Serve until the process is ended; print the address first. `certificate`: a file with key and chain, for TLS."""
    context: ssl.SSLContext | None = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    runner = web.AppRunner(Peer().application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context, backlog=1024).start()
    host, port = runner.addresses[0][:2]
    print(f"{'http' if context is None else 'https'}://{host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    lifeline.hold()
    asyncio.run(main(*sys.argv[1:] or (None,)))
