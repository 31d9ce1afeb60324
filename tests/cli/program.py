"""A `qqbot` process, and what it prints."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from qqbot.testing import Simulator

PATIENCE = 20.0
"""Seconds until a process that does not do what it should is given up."""


class Finished(NamedTuple):
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Program:
    process: asyncio.subprocess.Process
    out: list[str]
    err: list[str]

    async def line(self, stream: str, part: str = "") -> str:
        """Wait for a line on `stream` ("out" or "err") that holds `part`."""
        reader = self.process.stdout if stream == "out" else self.process.stderr
        assert reader is not None
        seen = self.out if stream == "out" else self.err
        async with asyncio.timeout(PATIENCE):
            while line := (await reader.readline()).decode():
                seen.append(line)
                if part in line:
                    return line
        raise AssertionError(f"{part!r} never came on std{stream}; the process printed {self.out} {self.err}")

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    async def finished(self, seconds: float = PATIENCE) -> Finished:
        """Wait for the end; all that it printed from the start."""
        async with asyncio.timeout(seconds):
            out, err = await self.process.communicate()
        code = self.process.returncode
        assert code is not None
        return Finished(code, "".join(self.out) + out.decode(), "".join(self.err) + err.decode())

    async def stopped(self) -> Finished:
        """Ask it to stop and wait for the end."""
        self.signal()
        return await self.finished()


@asynccontextmanager
async def python(
    *arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> AsyncIterator[Program]:
    """Run Python with `arguments`; warnings are errors in there too."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "", **(env or {})},  # what must come at once is flushed
        cwd=cwd,
    )
    try:
        yield Program(process, [], [])
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@asynccontextmanager
async def qqbot(
    *arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> AsyncIterator[Program]:
    """Run the command line."""
    async with python("-m", "qqbot", *arguments, env=env, cwd=cwd) as program:
        yield program


async def run(*arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Finished:
    """Run the command line to its end."""
    async with qqbot(*arguments, env=env, cwd=cwd) as program:
        return await program.finished()


def environment(sim: Simulator, **more: str) -> dict[str, str]:
    """What points a bot in another process at the simulator."""
    return {
        "QQBOT_API_BASE": sim.api_base,
        "QQBOT_TOKEN_URL": sim.token_url,
        "QQBOT_APP_ID": sim.app_id,
        "QQBOT_SECRET": sim.secret,
        **more,
    }
