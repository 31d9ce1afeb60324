"""What a cluster does, on one machine: 20 shards, 2 processes, then 4; one is killed; then all are replaced.

It starts the simulator and, where QQBOT_REDIS_URL names none, a Redis or Valkey server that is installed here. The
events never stop meanwhile; at the end the figures say whether one was lost.

    python examples/cluster/demo.py            # the real timings, about four minutes
    python examples/cluster/demo.py --quick    # everything five times as fast
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from qqbot.testing import Simulator

HERE = Path(__file__).parent
SHARDS, EVENTS_PER_SECOND = 20, 100


class Cluster:
    """The bot's processes, the events pushed, and those that a process said it has handled."""

    def __init__(self, sim: Simulator, environment: dict[str, str]) -> None:
        self.sim = sim
        self.environment = environment
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self.pushed: set[str] = set()
        self.handled: dict[str, int] = {}
        self.readers: set[asyncio.Task[None]] = set()
        self.last_handled: dict[int, float] = dict.fromkeys(range(SHARDS), 0.0)
        self.longest_gap = 0.0

    async def start(self, name: str) -> None:
        """Start one more process."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            HERE / "bot.py",
            env={**self.environment, "CLUSTER_NODE": name},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self.processes[name] = process
        self.readers.add(asyncio.create_task(self._read(process)))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := (await process.stdout.readline()).decode().strip():
            self.handled[line] = self.handled.get(line, 0) + 1
            shard, now = int(line.partition("-")[0]), time.monotonic()
            if before := self.last_handled[shard]:
                self.longest_gap = max(self.longest_gap, now - before)
            self.last_handled[shard] = now

    async def push(self) -> None:
        """Push events to the shards in turn, until cancelled."""
        number = 0
        while True:
            await asyncio.sleep(1 / EVENTS_PER_SECOND)
            number += 1
            event_id = f"{number % SHARDS}-{number}"
            self.pushed.add(self.sim.push("DEMO_EVENT", {}, event_id=event_id, shard=number % SHARDS))

    async def shares(self) -> list[int]:
        """Return how many shards each process runs, as `qqbot shards` says."""
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "qqbot", "shards", "ls", "--json"),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await command.communicate()
        nodes = [shard["node"] for shard in json.loads(out)["shards"]]
        return sorted(nodes.count(node) for node in set(nodes))

    async def settled(self, processes: int) -> None:
        """Wait until so many processes share the shards evenly."""
        floor, extra = divmod(SHARDS, processes)
        wanted = sorted(floor + (rank < extra) for rank in range(processes))
        async with asyncio.timeout(120):
            while True:
                if await self.shares() == wanted:
                    return
                await asyncio.sleep(1)  # each look starts a process

    async def step(self, words: str, processes: int) -> None:
        """Wait until `processes` share the shards, and print what that took."""
        begun, resumes = time.monotonic(), len(self.sim.resumes)
        self.longest_gap = 0.0
        await self.settled(processes)
        await asyncio.sleep(1)
        print(
            f"{words:32} {time.monotonic() - begun:5.1f} s, {len(self.sim.resumes) - resumes:2} shards moved, "
            f"longest time without an event {self.longest_gap:5.2f} s, {len(self.sim.identifies)} sessions so far",
            flush=True,
        )

    async def stop(self, name: str) -> None:
        """Let a process hand over its shards and end."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        await process.wait()

    def kill(self, name: str) -> None:
        """End a process without a word."""
        self.processes.pop(name).kill()

    async def close(self) -> None:
        """End everything."""
        for process in self.processes.values():
            process.kill()
            await process.wait()
        await asyncio.gather(*self.readers)


async def main(scale: float) -> None:
    async with AsyncExitStack() as stack:
        url = os.environ.get("QQBOT_REDIS_URL", "")
        if not url:
            url = await stack.enter_async_context(own_server())
        sim = Simulator(shards=SHARDS, max_concurrency=10, identify_window=5 * scale)
        await stack.enter_async_context(sim)
        environment: dict[str, str] = {
            **os.environ,
            "QQBOT_REDIS_URL": url,
            "QQBOT_CLUSTER": "demo",
            "QQBOT_APP_ID": sim.app_id,
            "QQBOT_SECRET": sim.secret,
            "QQBOT_API_BASE": sim.api_base,
            "QQBOT_TOKEN_URL": sim.token_url,
            "QQBOT_SHARDS": str(SHARDS),
            "CLUSTER_SCALE": str(scale),
        }
        cluster = Cluster(sim, environment)
        stack.push_async_callback(cluster.close)
        await show(cluster)


async def show(cluster: Cluster) -> None:
    for name in ("one", "two"):
        await cluster.start(name)
    await cluster.step("2 processes", 2)
    await cluster.sim.ready(SHARDS)
    pushing = asyncio.create_task(cluster.push())
    await asyncio.sleep(1)
    for name in ("three", "four"):
        await cluster.start(name)
    await cluster.step("2 more", 4)
    cluster.kill("two")
    await cluster.step("one killed", 3)
    for number, name in enumerate(list(cluster.processes)):
        await cluster.start(f"new-{number}")
        await cluster.settled(4)
        await cluster.stop(name)
        await cluster.step(f"{name} replaced", 3)
    pushing.cancel()
    for _ in range(100):
        if cluster.pushed <= cluster.handled.keys():
            break
        await asyncio.sleep(0.1)
    lost = len(cluster.pushed - cluster.handled.keys())
    twice = sum(times > 1 for times in cluster.handled.values())
    print(f"{len(cluster.pushed)} events: {lost} lost, {twice} handled twice")
    print(
        f"{len(cluster.sim.identifies)} sessions were created, rules of the platform broken: {cluster.sim.violations}"
    )


@asynccontextmanager
async def own_server() -> AsyncGenerator[str]:
    """A Redis or Valkey server for as long as the demonstration lasts."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        sys.exit("install redis-server or valkey-server, or set QQBOT_REDIS_URL")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.create_subprocess_exec(
            *(binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder),
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.kill()
            await server.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="everything five times as fast")
    asyncio.run(main(0.2 if parser.parse_args().quick else 1.0))
