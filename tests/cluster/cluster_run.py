"""`ClusterRun`: a store, the recording gateway, and node processes that are started, stopped and killed.

Responsible for the processes, for waiting until a cluster has settled, and for collecting what was wrong.
Collaborators: `stores`, `gateway`, `program` (a node process), `checker` (judges), `rows` (what happens to a run).
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qqbot.aio.clock import steady
from qqbot.sessions import Timings
from qqbot.sessions.cluster.state import ClusterState
from qqbot.sessions.cluster.store import ClusterStore, StoreAway
from tests.cluster import checker
from tests.cluster.checker import Logs, ShardId
from tests.cluster.gateway import Gateway
from tests.cluster.program import LOCK_TTL
from tests.cluster.stores import Starting, StoreServer, redis

ROOT = Path(__file__).parents[2]
SCALE = float(os.environ.get("CLUSTER_TEST_SCALE", "0.2"))
PATIENCE = 200.0 * SCALE


@dataclass
class Process:
    """One node process."""

    name: str
    log: Path
    errors: Path
    process: "subprocess.Popen[bytes]"

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@dataclass
class Options:
    """What a run consists of."""

    shards: int = 20
    concurrency: int = 10
    rate: float = 200.0
    scale: float = SCALE
    handling: float = 0.01
    selection: str = ""
    budget: int = 1000
    node: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)


class ClusterRun:
    """One run on one store."""

    def __init__(self, options: Options, gateway: Gateway, server: StoreServer, folder: Path, seed: int) -> None:
        self.options = options
        self.gateway = gateway
        self.server = server
        self.folder = folder
        self.chance = random.Random(seed)
        self.nodes: list[Process] = []
        self.figures: dict[str, Any] = {}
        self.store_lost = False  # it lost data: ids are forgotten, and the lock's holder learns of it with a renewal
        self.unknown: list[str] = []  # ids of ended events that are not shared, at the end
        made = Timings().scaled(options.scale)
        self.timings = {name: getattr(made, name) for name in Timings.__slots__} | options.timings
        self.scripts = Timings().scaled(options.scale)
        self.begun = steady()
        self.all_ready = 0.0

    # Nodes

    def start(self, name: str, *, url: str = "", role: str = "active", target: int = 0, **more: Any) -> Process:
        number = len(self.nodes)
        log, errors = self.folder / f"{number}-{name}.log", self.folder / f"{number}-{name}.err"
        log.touch()
        node = {
            "url": url or self.server.url,
            "log": str(log),
            "name": name,
            "role": role,
            "target": target,
            "base": self.gateway.base,
            "shards": self.options.selection or str(self.options.shards),
            "handling": self.options.handling,
            "pace": self.options.scale,
            "timings": self.timings,
            **self.options.node,
            **more,
        }
        environment = {**os.environ, "CLUSTER_NODE": json.dumps(node), "QQBOT_LOG": "debug"}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        with errors.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.cluster.program"], cwd=ROOT, env=environment, stdout=sink, stderr=sink
            )
        self.nodes.append(Process(name, log, errors, process))
        return self.nodes[-1]

    async def stop(self, node: Process, seconds: float = PATIENCE) -> float:
        """Ask it to leave; return the seconds that this took."""
        begun = steady()
        node.signal(signal.SIGTERM)
        await self.until(lambda: node.process.poll() is not None, seconds)
        return steady() - begun

    def owned(self, node: Process) -> set[ShardId]:
        """Return the shards whose last dispatch was by this node."""
        latest: dict[ShardId, tuple[float, str]] = {}
        logs = self.logs()
        for shard_id, ownerships in logs.ownerships.items():
            newest = max(ownerships.values(), key=lambda ownership: ownership.first)
            latest[shard_id] = (newest.first, newest.node)
        return {shard_id for shard_id, (_, name) in latest.items() if name == self._key(node)}

    def _key(self, node: Process) -> str:
        return node.log.stem

    def logs(self) -> Logs:
        logs = Logs()
        for node in self.nodes:
            logs.read(self._key(node), node.log)
        return logs

    # Waiting

    async def until(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.05)

    def records(self) -> AbstractAsyncContextManager[ClusterStore]:
        """Open the records of the cluster, for a reader that is no node of it."""
        return self.server.records(self.scripts)

    async def state(self) -> ClusterState:
        async with self.records() as records:
            return await records.look()

    async def answers(self) -> None:
        """Wait until the store answers."""
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(StoreAway):
                    await self.state()
                    return
                await asyncio.sleep(0.1)

    async def settled(self, shares: list[int], seconds: float = PATIENCE) -> None:
        """Wait until the nodes own so many shards each, and every shard has a session that listens."""
        async with asyncio.timeout(seconds):
            while not await self._is_settled(sorted(shares)):
                await asyncio.sleep(0.1)

    async def owners(self, shares: list[int], seconds: float = PATIENCE) -> None:
        """Wait until the nodes own so many shards each, and give their connections a moment."""
        async with asyncio.timeout(seconds):
            while True:
                with contextlib.suppress(StoreAway):
                    state = await self.state()
                    owned = Counter(owner.node for owner in state.owners.values() if owner.node)
                    if sorted(owned.values()) == sorted(shares):
                        break
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)

    async def _is_settled(self, shares: list[int]) -> bool:
        try:
            state = await self.state()
        except StoreAway:
            return False
        owned = Counter(owner.node for owner in state.owners.values() if owner.node)
        listening = sum(
            session.socket is not None and session.shard[1] == state.shards
            for session in self.gateway.sessions.values()
            if not session.over
        )
        return sorted(owned.values()) == [share for share in shares if share] and listening >= sum(shares)

    async def quiet(self) -> None:
        """Stop the events, and wait until every one of them was handled."""
        self.gateway.rate = 0.0
        await asyncio.sleep(0.1)
        deadline = steady() + 10
        while checker.lost(self.gateway, self.logs()) and steady() < deadline:
            await asyncio.sleep(0.2)

    async def look_for_ids(self) -> None:
        """Wait until the ids of all ended events are shared; keep those that are not."""
        deadline = steady() + 10
        while self.server.shares:
            self.unknown = checker.unknown_ids(self.logs(), await self.server.known(list(self.logs().ended)))
            if not self.unknown or steady() > deadline:
                return
            await asyncio.sleep(0.5)

    def moves(self) -> int:
        """Return how many shards were claimed that another node had owned before."""
        claims = self.logs().claims
        return len(claims) - len(set(claims))

    # The end

    def violations(self, *, identifies: int | None = None, kicks: int = 0) -> list[str]:
        """Return everything that is wrong with this run.

        `identifies`: how many sessions may have been created at most. `kicks`: how many connections the gateway may
        have reset because another one resumed their session: those of processes that were stopped.
        """
        logs = self.logs()
        most = self.options.shards if identifies is None else identifies
        wrong = checker.overlaps(logs) + checker.falling_tokens(logs)
        wrong += checker.crowded(self.gateway, self.scripts.window)
        ttl = LOCK_TTL * self.options.scale
        wrong += checker.lock_overlaps(logs, ttl if self.store_lost else 0.0)
        if self.unknown and not self.store_lost:
            wrong.append(f"{len(self.unknown)} ids of ended events are not shared: {self.unknown[:5]}")
        if self.server.shares and len(logs.holders) < 3:
            wrong.append(f"the lock was held {len(logs.holders)} times only")
        missing = checker.lost(self.gateway, logs)
        if missing:
            wrong.append(f"{len(missing)} events lost: {missing[:5]}")
        if self.gateway.kicks > kicks:
            wrong.append(f"G1: {self.gateway.kicks} sessions were resumed while their owner was connected")
        if len(self.gateway.identifies) > most:
            wrong.append(f"{len(self.gateway.identifies)} identifies, at most {most} were needed")
        self.figures |= {
            "overlap": len(checker.overlaps(logs)),
            "lost": len(missing),
            "identifies": len(self.gateway.identifies),
            "window violations": len(checker.crowded(self.gateway, self.scripts.window)),
            "resumes": len(self.gateway.resumes),
            "replayed": checker.replayed(logs),
            "kicks": self.gateway.kicks,
            "events": len(self.gateway.events),
            "lock holders": len(logs.holders),
            "ids unknown": len(self.unknown),
            "gateway calls": self.gateway.calls["gateway"],
        }
        return wrong

    def tail(self) -> str:
        """Return the ends of the nodes' logs, to be read by a person."""
        return "\n".join(
            f"--- {node.errors.name}\n" + "\n".join(node.errors.read_text("utf-8", "replace").splitlines()[-25:])
            for node in self.nodes
        )


@asynccontextmanager
async def cluster_run(
    options: Options | None = None, *, store: Starting = redis, seed: int = 0
) -> AsyncIterator[ClusterRun]:
    """A run with its own store."""
    options = options or Options()
    gateway = Gateway(shards=options.shards, concurrency=options.concurrency, rate=options.rate, budget=options.budget)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qqbot-cluster-")))
        server = await stack.enter_async_context(store())
        await stack.enter_async_context(gateway.serving())
        run = ClusterRun(options, gateway, server, folder, seed)
        try:
            yield run
        except Exception as error:
            error.add_note(run.tail())
            raise
        finally:
            for node in run.nodes:
                node.signal(signal.SIGCONT) if node.process.poll() is None else None
                node.kill()
