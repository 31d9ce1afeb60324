"""The loop that TEST_LOOP names is in force: in a test, in `asyncio.run`, and in a server that a test starts."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from yarl import URL

from qqbot.testing import Simulator

DEBUG = bool(os.environ.get("PYTHONASYNCIODEBUG"))
KINDS = {"": "asyncio asyncio", "uvloop": "uvloop uvloop", "eager": "eager asyncio"}
EXPECTED = f"{KINDS[os.environ.get('TEST_LOOP', '')]} {DEBUG}"


async def kind() -> str:
    loop = asyncio.get_running_loop()
    started = False

    async def start() -> None:
        nonlocal started
        started = True

    task = asyncio.create_task(start())
    eager = started
    await task
    return "uvloop" if type(loop).__module__.startswith("uvloop") else "eager" if eager else "asyncio"


async def transport_kind() -> str:
    """Return the module of the transports that a simulator of this process gets."""
    async with Simulator() as sim:
        address = URL(sim.api_base)
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.transport.abort()
        return type(writer.transport).__module__.partition(".")[0]


async def report() -> str:
    return f"{await kind()} {await transport_kind()} {asyncio.get_running_loop().get_debug()}"


async def test_in_a_test() -> None:
    assert await report() == EXPECTED


def test_in_asyncio_run() -> None:
    assert asyncio.run(report()) == EXPECTED


def test_in_a_server_that_a_test_starts() -> None:
    code = "import asyncio; from tests.loops.test_loops import report; print(asyncio.run(report()))"
    paths = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == EXPECTED
