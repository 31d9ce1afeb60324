"""Webhook calls at a fixed rate: `python -m bench.webhook --rate 1000 --seconds 60`.

A bot runs in a process of its own behind aiohttp; this process is the platform. Calls are sent when they are due,
whether earlier ones were answered or not, and an answer's time counts from when its call was due. The floor is a bare
server of aiohttp that verifies the signature, decodes the event and awaits the same handler.
"""

import argparse
import asyncio
import json
import signal
import statistics
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from urllib.parse import urlsplit

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bench import lifeline
from bench.report import Row, Target
from bench.rounds import Effort, ratio
from qqbot import Bot, C2CMessageCreate, Context, Credentials
from qqbot.models.events import decoder_of
from qqbot.models.frames import decode_frame
from qqbot.webhook import Key

CREDENTIALS = Credentials("102000001", "the secret of a benchmark")
CONVERSATIONS = 200
CONNECTIONS = 64
TARGET_MS = 50.0
RATE = 1000.0
SECONDS = 4.0
ROUNDS = 5
CPU_RATIO = 1.25
ACK = b'{"op":12,"d":0}'


@dataclass
class Figures:
    """What a run showed. `lost`: sent and not handled once. Acknowledgements' times in milliseconds, CPU in cores.

    Where the two processes had less than they needed, the times tell of the machine and not of the bot.
    """

    rate: float
    seconds: float
    sent: int
    acknowledged: int
    lost: int
    p50: float
    p99: float
    longest: float
    server_cpu: float
    sender_cpu: float


def event(number: int) -> bytes:
    """Return the body of one message."""
    user = f"U{number % CONVERSATIONS:032d}"
    d = {
        "id": f"ROBOT1.0_{number}",
        "author": {"id": user, "user_openid": user, "union_openid": user},
        "content": "今天天气怎么样？请帮我查一下明天的天气预报。" * 4,
        "timestamp": "2026-03-01T09:48:47+08:00",
        "message_scene": {"source": "default", "ext": ["msg_idx=REFIDX_CJ/7YhA=="]},
        "message_type": 0,
    }
    envelope = {"op": 0, "s": number, "t": "C2C_MESSAGE_CREATE", "id": f"C2C_MESSAGE_CREATE:{number}", "d": d}
    return json.dumps(envelope, ensure_ascii=False).encode()


async def measure(rate: float, seconds: float, server: str = "--serve") -> Figures:
    """Send `rate` calls a second for some seconds to the bot, or to the floor, and return what came of it."""
    async with _server(server) as (url, process):
        began = time.process_time()
        times = await _send(url, rate, seconds)
        sender_cpu = time.process_time() - began
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        told = json.loads(await process.stdout.read())  # `communicate` may close the lifeline first
        await process.wait()  # not killed while it ends: asyncio would look for it in vain
    answered = sorted(times)
    sent = int(rate * seconds)
    return Figures(
        rate=rate,
        seconds=seconds,
        sent=sent,
        acknowledged=len(answered),
        lost=sent - told["distinct"] + told["handled"] - told["distinct"],
        p50=round(1000 * statistics.median(answered), 2),
        p99=round(1000 * answered[int(0.99 * len(answered))], 2),
        longest=round(1000 * answered[-1], 2),
        server_cpu=round(told["cpu"] / seconds, 3),
        sender_cpu=round(sender_cpu / seconds, 3),
    )


async def run(effort: Effort) -> list[Row]:
    """Send for some seconds to the bot and to the floor in turn, and return the rows of the table."""
    seconds = max(SECONDS * effort.scale, 0.2)
    bots, floors = list[Figures](), list[Figures]()
    for _ in range(effort.rounds_of(ROUNDS)):
        floors.append(await measure(RATE, seconds, "--serve-floor"))
        bots.append(await measure(RATE, seconds))
    name = f"webhook calls at {RATE:g}/s"
    costs, least = ([each.server_cpu / RATE * 1e6 for each in figures] for figures in (bots, floors))
    return [
        Row(f"{name}: acknowledged after, p50", "ms", *_both(bots, floors, "p50")),
        Row(f"{name}: acknowledged after, p99", "ms", *_both(bots, floors, "p99"), target=Target(TARGET_MS)),
        Row(f"{name}: lost or handled twice", "events", sum(each.lost for each in bots), target=Target(0)),
        Row(
            f"{name}: of the bot's process",
            "CPU us/call",
            statistics.median(costs),
            statistics.median(least),
            ratio(costs, least),
            Target(CPU_RATIO),
        ),
    ]


def _both(bots: list[Figures], floors: list[Figures], name: str) -> tuple[float, float]:
    """Return the median of a figure, and the floor's."""
    bot, floor = (statistics.median(getattr(each, name) for each in figures) for figures in (bots, floors))
    return bot, floor


@asynccontextmanager
async def _server(kind: str) -> AsyncGenerator[tuple[str, asyncio.subprocess.Process]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.webhook", kind),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip(), process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class _Line(asyncio.Protocol):
    """One connection, with one call at a time. aiohttp's client would cost more than the server that is measured."""

    def __init__(self, idle: "asyncio.Queue[_Line]", times: list[float]) -> None:
        self._idle = idle
        self._times = times
        self._due = 0.0
        self._now = asyncio.get_running_loop().time

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a call."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._idle.put_nowait(self)

    def call(self, request: bytes, due: float) -> None:
        """Send a call that was due at a moment of the loop's clock."""
        self._due = due
        self._transport.write(request)

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Note how long the acknowledgement took; it is small enough to come in one piece."""
        if data.startswith(b"HTTP/1.1 200") and data.endswith(ACK):
            self._times.append(self._now() - self._due)
        self._idle.put_nowait(self)


async def _send(url: str, rate: float, seconds: float) -> list[float]:
    """Send the calls and return how long each acknowledgement took, from when its call was due."""
    loop, times, idle = asyncio.get_running_loop(), list[float](), asyncio.Queue[_Line]()
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    for _ in range(CONNECTIONS):
        await loop.create_connection(partial(_Line, idle, times), parts.hostname, parts.port)
    key, began = Key.of(CREDENTIALS.secret), loop.time() + 0.1
    for number in range(int(rate * seconds)):
        due = began + number / rate
        request = _request(key, event(number))
        if (delay := due - loop.time()) > 0:
            await asyncio.sleep(delay)
        (await idle.get()).call(request, due)
    async with asyncio.timeout(60):
        for _ in range(CONNECTIONS):
            (await idle.get()).close()
    return times


def _request(key: Key, body: bytes) -> bytes:
    timestamp = str(int(time.time()))
    head = (
        "POST /qq HTTP/1.1\r\nHost: localhost\r\nUser-Agent: QQBot-Callback\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-Bot-Appid: {CREDENTIALS.app_id}\r\n"
        f"X-Signature-Ed25519: {key.sign(timestamp, body)}\r\nX-Signature-Timestamp: {timestamp}\r\n\r\n"
    )
    return head.encode() + body


def _bot() -> tuple[web.Application, list[str]]:
    """Return the bot's application, and where it notes what it handled."""
    bot, handled = Bot(CREDENTIALS), list[str]()

    @bot.on
    async def note(ctx: Context[C2CMessageCreate]) -> None:
        handled.append(ctx.event_id or "")

    return bot.webhook(), handled


def _floor() -> tuple[web.Application, list[str]]:
    """Return the least that does the same: verify, decode, await the handler, acknowledge."""
    public = Ed25519PublicKey.from_public_bytes(Key.of(CREDENTIALS.secret).public)
    decode, handled = decoder_of("C2C_MESSAGE_CREATE"), list[str]()

    async def note(event_id: str, event: object) -> None:  # noqa: ARG001 - decoded, as for the bot's handler
        handled.append(event_id)

    async def take(request: web.Request) -> web.Response:
        body, headers = await request.read(), request.headers
        signature = bytes.fromhex(headers["X-Signature-Ed25519"])
        public.verify(signature, headers["X-Signature-Timestamp"].encode() + body)  # raises for a wrong one
        frame = decode_frame(body)
        await note(frame.id or "", decode(frame.d))
        return web.Response(body=ACK, content_type="application/json")

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    return app, handled


async def _serve(app: web.Application, handled: list[str]) -> None:
    """Be the server until SIGTERM; print the address first and what was handled last."""
    runner, over = web.AppRunner(app, access_log=None), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}/qq", flush=True)
    began = time.process_time()
    await over.wait()
    await runner.cleanup()
    cpu = time.process_time() - began
    print(json.dumps({"handled": len(handled), "distinct": len(set(handled)), "cpu": cpu}))


def main() -> None:
    """Do what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="bench.webhook", description="Webhook calls at a fixed rate.")
    parser.add_argument("--rate", type=float, default=1000, help="calls a second (default 1000)")
    parser.add_argument("--seconds", type=float, default=60, help="for how long (default 60)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--serve", dest="serve", action="store_const", const=_bot, help=argparse.SUPPRESS)
    parser.add_argument("--serve-floor", dest="serve", action="store_const", const=_floor, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        lifeline.hold()
        asyncio.run(_serve(*arguments.serve()))
        return
    figures = asyncio.run(measure(arguments.rate, arguments.seconds))
    if arguments.json:
        print(json.dumps(asdict(figures)))
    else:
        print("\n".join(f"{name:13} {value}" for name, value in asdict(figures).items()))
    if figures.lost or figures.acknowledged < figures.sent or figures.p99 > TARGET_MS:
        sys.exit(f"expected: nothing lost, everything acknowledged, p99 under {TARGET_MS:g} ms")


if __name__ == "__main__":
    main()
