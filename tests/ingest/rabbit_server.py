"""A RabbitMQ server of its own for one test: Debian's package, where it is installed."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from qqbot.aio.clock import steady
from tests.sockets import free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one in the PATH wants to be started by root
PATIENCE = 40.0
ATTEMPTS = 3


class PortTaken(Exception):
    """Another process has taken a port that was free."""


class RabbitServer:
    """One node in a folder, which keeps its data when it ends."""

    def __init__(self, folder: Path) -> None:
        self.port, self._names_port, distribution_port = _three_ports()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"
        self._environment = {
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "ERL_CRASH_DUMP": os.devnull,  # else a start that fails leaves megabytes in the current folder
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_LOGS": str(folder / "log"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }
        self._log = folder / "out"
        # Erlang would start one that outlives the test.
        self._names = subprocess.Popen(["epmd", "-port", str(self._names_port)], env=self._environment)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens.  Raises: PortTaken if another process was faster."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(SERVER)], env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        end = steady() + PATIENCE
        while steady() < end:
            with closing(socket.socket()) as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self._process.poll() is not None:
                printed = self._log.read_text("utf-8")
                assert "already_used" in printed or "eaddrinuse" in printed, printed
                raise PortTaken
            time.sleep(0.1)
        pytest.fail(f"RabbitMQ does not listen after {PATIENCE} s: {self._log.read_text('utf-8')}")

    def stop(self) -> None:
        """End it; what it has confirmed stays in the folder."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()

    def close(self) -> None:
        """Kill it, and the server of names."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._names.kill()
        self._names.wait()


@contextmanager
def rabbit(folder: Path) -> Iterator[RabbitServer]:
    """Yield a started server.  Skips the test if there is none."""
    if not SERVER.exists():
        pytest.skip("this machine has no RabbitMQ: install Debian's rabbitmq-server")
    for attempt in range(ATTEMPTS):
        server = RabbitServer(Path(tempfile.mkdtemp(dir=folder)))
        try:
            try:
                server.start()
            except PortTaken:
                assert attempt < ATTEMPTS - 1, "other processes take each port that was free"
                continue
            yield server
            return
        finally:
            server.close()


def _three_ports() -> list[int]:
    """Return different free ports."""
    ports = dict[int, None]()
    while len(ports) < 3:
        ports[free_port()] = None
    return list(ports)
