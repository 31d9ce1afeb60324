"""A `pulsar-lite` server, which speaks Pulsar's protocol and keeps its data over a restart.

It is not Apache's broker. What it lacks: authentication, TLS, quotas, namespaces with rights, Pulsar's administration.
It makes topics partitioned only with an option for all of them, which then counts for the partitions too; so the topics
of the tests are created in a first run with that option, and served by a second one without it.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import pytest

from tests.freezing import freeze, thaw

TOPICS = 60
PARTITIONS = 4


def binary() -> Path:
    """The server's program; the tests are skipped if there is none."""
    pytest.importorskip("pulsar", reason="pulsar-client is not installed", exc_type=ImportError)
    pytest.importorskip("pulsar_lite", reason="pulsar-lite is not installed", exc_type=ImportError)
    return Path(import_module("pulsar_lite").__file__ or "").parent / "bin" / "pulsar-lite"


@dataclass
class PulsarServer:
    """One server process on one port, which may be killed, frozen and started again."""

    port: int = 0
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="qqbot-pulsar-")))
    process: subprocess.Popen[bytes] | None = None
    used: int = 0

    def new_topic(self) -> str:
        """The name of an empty topic with `PARTITIONS` partitions."""
        self.used += 1
        assert self.used <= TOPICS, "TOPICS is too small"
        return f"events-{self.used}"

    def url(self, topic: str, partitions: int = PARTITIONS) -> str:
        return f"pulsar://127.0.0.1:{self.port}/public/default?topic={topic}&partitions={partitions}"

    def start(self, default_partitions: int = 0) -> None:
        """Start, and wait until it listens."""
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        config = self.folder / "pulsar-lite.toml"
        config.write_text(
            f'addr = "127.0.0.1:{self.port}"\ndb_path = "{self.folder / "db"}"\nlog_level = "warn"\n'
            f"default_partitions = {default_partitions}\n"
        )
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([binary(), "--config", config], stdout=log, stderr=log, cwd=self.folder)
        for _ in range(500):
            assert self.process.poll() is None, (self.folder / "log").read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
            except OSError:
                self.process.poll()
                time.sleep(0.02)
            else:
                return
        raise AssertionError("pulsar-lite does not listen")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        freeze(self.process)

    def thaw(self) -> None:
        thaw(self.process)

    async def create_topics(self) -> None:
        import pulsar
        from pulsar.asyncio import Client

        client = Client(
            f"pulsar://127.0.0.1:{self.port}", logger=pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull)
        )
        for number in range(1, TOPICS + 1):
            producer = await client.create_producer(f"persistent://public/default/events-{number}")
            await producer.close()
        await client.close()


@pytest.fixture(scope="module")
def pulsar_server() -> Iterator[PulsarServer]:
    """A running server with `TOPICS` empty topics."""
    if sys.platform == "win32":
        pytest.skip("pulsar-lite is not there for Windows")
    binary()
    server = PulsarServer()
    try:
        server.start(PARTITIONS)
        asyncio.run(server.create_topics())
        server.kill()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.folder)
