"""Real etcd servers, started by the tests: alone, or three members of one etcd cluster.

Owns the processes: each is killed by its own pid when its context ends.
"""

import asyncio
import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import SkipTest

import aiohttp
import pytest

from tests.freezing import freeze, thaw
from tests.sockets import BUS, free_port

PATIENCE = 30.0
ETCD = shutil.which("etcd")
ABSENT = "this machine has no etcd: install Debian's etcd-server"


@dataclass
class Member:
    """One etcd process, which may be killed, paused and started again on the same port."""

    name: str
    port: int
    folder: Path
    options: Sequence[str] = ()
    tls: ssl.SSLContext | None = None
    """With which the tests themselves ask it; None: without TLS."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://{self.address}"

    @property
    def peer(self) -> str:
        """The URL under which the other members reach this one."""
        return f"http://127.0.0.1:{self.port + BUS}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def start(self, peers: str) -> None:
        """Start the process; `peers` names all members."""
        assert ETCD is not None
        address = self.base
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(ETCD, "--name", self.name, "--data-dir", str(self.folder / "data"), "--logger", "zap"),
                    *("--listen-client-urls", address, "--advertise-client-urls", address),
                    *("--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer),
                    *("--initial-cluster", peers, "--initial-cluster-state", "new"),
                    *self.options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={name: value for name, value in os.environ.items() if not name.startswith("ETCD_")},
            )

    async def answers(self, session: aiohttp.ClientSession) -> bool:
        """Wait until the member is healthy; False if its process ended."""
        async with asyncio.timeout(PATIENCE):
            while self.process is not None and self.process.poll() is None:
                try:
                    async with session.get(f"{self.base}/health", ssl=self.tls or True) as answer:
                        if answer.ok and (await answer.json(content_type=None)).get("health") == "true":
                            return self.process.poll() is None  # not another process on the same port
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(0.02)
        return False

    def kill(self) -> None:
        """End the process at once, as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass
class Etcd:
    """All members of one etcd; the data stay on disk between a `kill` and a `restart`."""

    options: Sequence[str] = ()
    tls: ssl.SSLContext | None = None
    members: list[Member] = field(default_factory=list[Member])
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="qqbot-etcd-")))

    @property
    def url(self) -> str:
        """A URL that names all members."""
        return ("etcd://" if self.tls is None else "etcds://") + ",".join(member.address for member in self.members)

    @property
    def log(self) -> str:
        return "\n".join(member.log for member in self.members)

    def address(self, i: int) -> str:
        """The host and port of one member."""
        return self.members[i].address

    async def leader(self) -> int:
        """Return which member leads."""
        async with aiohttp.ClientSession() as session:
            for i, member in enumerate(self.members):
                async with session.post(f"http://{member.address}/v3/maintenance/status", json={}) as answer:
                    status = await answer.json(content_type=None)
                    if status["leader"] == status["header"]["member_id"]:
                        return i
        raise AssertionError("no member leads")

    async def start(self, count: int) -> None:
        """Start `count` members, and wait until each is healthy."""
        for _ in range(5):
            self._make(count)
            for member in self.members:
                member.start(self._peers)
            if await self._healthy(self.members):
                return
            self.close()  # another process took a port in between
            self.folder.mkdir()
        raise AssertionError(f"{ETCD} does not start")

    def _make(self, count: int) -> None:
        ports: set[int] = set()
        while len(ports) < count:
            ports.add(free_port())
        self.members = [
            Member(f"m{i}", port, self.folder / f"m{i}", self.options, self.tls) for i, port in enumerate(sorted(ports))
        ]
        for member in self.members:
            member.folder.mkdir()

    @property
    def _peers(self) -> str:
        return ",".join(f"{member.name}={member.peer}" for member in self.members)

    async def _healthy(self, members: Sequence[Member]) -> bool:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as session:
            return all([await member.answers(session) for member in members])

    def kill(self, i: int = 0) -> None:
        """End one member at once, as a power cut does."""
        self.members[i].kill()

    async def restart(self, i: int = 0, *, empty: bool = False) -> None:
        """Kill a member and start it again; `empty` removes its data, of one that is alone.

        It returns when the member is healthy, so a majority has to be up.
        """
        member = self.members[i]
        member.kill()
        if empty:
            assert len(self.members) == 1, "an empty member cannot join the cluster that it left"
            shutil.rmtree(member.folder / "data")
        member.start(self._peers)
        assert await self._healthy([member]), f"etcd does not start again:\n{member.log[-2000:]}"

    def pause(self, i: int = 0) -> None:
        """Let a member answer no more, with every connection left open."""
        freeze(self.members[i].process)

    def resume(self, i: int = 0) -> None:
        thaw(self.members[i].process)

    def close(self) -> None:
        for member in self.members:
            member.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@asynccontextmanager
async def etcd(members: int = 1, *options: str, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Etcd]:
    """One etcd of so many members, with command line `options` such as `--quota-backend-bytes 1000000`.

    `tls`: the options name certificates for it, and the tests ask whether it is healthy in this way.

    Raises: SkipTest if this machine has none.
    """
    if ETCD is None:
        raise SkipTest(ABSENT)
    servers = Etcd(options, tls)
    try:
        await servers.start(members)
        yield servers
    finally:
        servers.close()


@pytest.fixture(scope="session")
def shared_etcd() -> Generator[Etcd]:
    """One etcd for all tests of a worker, each with a cluster name of its own."""
    if ETCD is None:
        pytest.skip(ABSENT)
    servers = Etcd()
    try:
        asyncio.run(servers.start(1))
        yield servers
    finally:
        servers.close()
