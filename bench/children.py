"""The processes of a benchmark, each with its own interpreter and memory, and what they print.

Owns starting, listening and ending; what they do is in `peer`, `receivers` and `callers`.
"""

import asyncio
import ssl
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

import aiohttp
import msgspec

from bench.peer import Burst, Started

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds until a process that says nothing is given up."""


class Child:
    """A running process. It prints one line of JSON for each thing that it did."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def start(cls, module: str, *arguments: str) -> "AsyncGenerator[Child]":
        """Run `python -m module` while the body runs."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments), stdin=PIPE, stdout=PIPE, limit=2**26
        )
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def line(self) -> str:
        """Return the next line.  Raises: RuntimeError when the process has ended, TimeoutError."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process of the benchmark ended with code {await self._process.wait()}")
        return line.decode().strip()

    async def report(self, kind: type[T]) -> T:
        """Return the next line as a `kind`.  Raises: what `line` raises."""
        return msgspec.json.decode(await self.line(), type=kind)

    async def tell(self, line: str) -> None:
        """Write a line to the process."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()


class Certificate(NamedTuple):
    """Files: a certificate with its key for 127.0.0.1, and the authority that signed it."""

    own: str
    authority: str


class Stage:
    """A running peer."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self.address = address
        self._session = session

    @classmethod
    @asynccontextmanager
    async def open(cls, certificate: Certificate | None = None) -> "AsyncGenerator[Stage]":
        """Run the platform's side while the body runs, with TLS where there is a `certificate`."""
        own = () if certificate is None else (certificate.own,)
        trusted = ssl.create_default_context(cafile=certificate.authority) if certificate else True
        connector = aiohttp.TCPConnector(ssl=trusted)
        async with Child.start("bench.peer", *own) as child, aiohttp.ClientSession(connector=connector) as session:
            yield cls(await child.line(), session)

    async def sessions(self, name: str) -> int:
        """Return how many sessions the contestant `name` has begun."""
        async with self._session.get(f"{self.address}/{name}/sessions") as response:
            return msgspec.json.decode(await response.read(), type=int)

    async def burst(self, name: str, burst: Burst) -> Started:
        """Send `burst` to the contestant `name`."""
        async with self._session.post(f"{self.address}/{name}/burst", data=msgspec.json.encode(burst)) as response:
            return msgspec.json.decode(await response.read(), type=Started)
