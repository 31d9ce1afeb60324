"""A child that is forked in the middle of a run keeps nothing of its parent alive, and takes nothing from it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qqbot import ConfigError, RedisLock
from qqbot.sessions.state_file import StateFile
from tests.redis.servers import Server, engine, store

__all__ = ["engine", "store"]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")

ROOT = Path(__file__).parents[2]

HOLDS_A_FILE = """
import os, sys, time
from pathlib import Path
from qqbot.errors import ConfigError
from qqbot.sessions.state_file import StateFile
file = StateFile(Path(sys.argv[1]), "1")
file.open()
if not (child := os.fork()):
    try:
        StateFile(Path(sys.argv[1]), "1").open()
    except ConfigError:
        os.write(1, b"refused\\n")
    time.sleep(600)
os.write(1, f"{child}\\n".encode())
time.sleep(600)
"""

HOLDS_A_LOCK = """
import asyncio, os, sys
from qqbot import ConfigError, RedisLock

async def main():
    lock = RedisLock(sys.argv[1], "work", ttl=2.0)
    await lock.acquire()
    if not (child := os.fork()):
        asyncio._set_running_loop(None)
        asyncio.run(use(lock))
        os._exit(0)
    os.write(1, f"{child}\\n".encode())
    await asyncio.sleep(600)

async def use(lock):
    refused = 0
    for call in (lock.renew, lock.release):
        try:
            await call()
        except ConfigError as error:
            refused += "child" in str(error)
    os.write(1, b"refused\\n" if refused == 2 and not lock.valid() else b"allowed\\n")
    await asyncio.sleep(600)

asyncio.run(main())
"""

SHARES = """
import asyncio, os, sys
from qqbot import ConfigError, Credentials
from qqbot.redis.sharing import sharing
from qqbot.sessions import Timings
from qqbot.sessions.cluster.redis_store import RedisStore

async def main():
    store = RedisStore(sys.argv[1], app_id="1", cluster="c", node="n", timings=Timings())
    async with store, sharing(sys.argv[1], Credentials("1", "s" * 32), cluster="c") as shared:
        await store.check()
        await shared.seen.add("event")
        if not (child := os.fork()):
            asyncio._set_running_loop(None)
            asyncio.run(use(store, shared))
            os._exit(0)
        os.write(1, f"{child}\\n".encode())
        await asyncio.sleep(600)

async def use(store, shared):
    refused = 0
    for call in (store.look, store.check, lambda: shared.seen.contains("event"), shared.tokens.load):
        try:
            await call()
        except ConfigError as error:
            refused += "child" in str(error)
    os.write(1, b"refused\\n" if refused == 4 else b"allowed\\n")
    await asyncio.sleep(600)

asyncio.run(main())
"""

STREAMS = """
import asyncio, os, sys
from qqbot import ConfigError, Fence
from qqbot.ingest import RedisStreamSink, RedisStreamSource
from qqbot.testing.event_contracts import sample

async def main():
    owned = asyncio.Queue()

    async def work(partition):
        await owned.put(partition)
        await asyncio.sleep(600)

    source = RedisStreamSource(sys.argv[1])
    async with RedisStreamSink(sys.argv[1]) as sink, asyncio.TaskGroup() as group:
        group.create_task(source.run("1", work))
        partition = await owned.get()
        if not (child := os.fork()):
            asyncio._set_running_loop(None)
            asyncio.run(use(sink, source, partition))
            os._exit(0)
        os.write(1, f"{child}\\n".encode())
        await asyncio.sleep(600)

async def use(sink, source, partition):
    refused = 0
    for call in (
        lambda: sink.publish([sample(1)], Fence(None, 0)), lambda: source.run("1", print), partition.receive
    ):
        try:
            await asyncio.wait_for(call(), 5)
        except ConfigError as error:
            refused += "child" in str(error)
    os.write(1, b"refused\\n" if refused == 3 else b"allowed\\n")
    await asyncio.sleep(600)

asyncio.run(main())
"""


@contextmanager
def forked(program: str, argument: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that runs `program`, after its child was refused; the child outlives it, until the end of the body."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, argument],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    child = 0
    try:
        assert process.stdout is not None
        lines = {process.stdout.readline().strip() for _ in range(2)}
        assert "refused" in lines
        child = int(next(line for line in lines if line.isdecimal()))
        yield process
        os.kill(child, 0)  # it lives
    finally:
        process.kill()
        process.wait()
        if child:
            os.kill(child, signal.SIGKILL)
        if process.stdout is not None:
            process.stdout.close()


def test_the_state_file_is_free_when_its_owner_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    with forked(HOLDS_A_FILE, str(path)) as owner:
        with pytest.raises(ConfigError, match="in use by another bot"):
            StateFile(path, "1").open()
        owner.kill()
        owner.wait()
        file = StateFile(path, "1")
        file.open()
        file.close()


async def test_a_lock_is_renewed_by_its_holder_alone(store: Server) -> None:
    with forked(HOLDS_A_LOCK, store.url) as holder:
        await asyncio.sleep(2.5)  # longer than its ttl
        assert not await RedisLock(store.url, "work").acquire(blocking=False)
        holder.kill()
        async with asyncio.timeout(10):
            async with RedisLock(store.url, "work"):
                pass


@pytest.mark.parametrize("program", [SHARES, STREAMS], ids=["sharing", "streams"])
async def test_connections_are_refused_in_a_child(program: str, store: Server) -> None:
    with forked(program, store.url):
        pass
