"""`IntakeRun`: intakes and workers as processes, with a broker between them and the simulator as the platform.

Responsible for the processes, for the events that are pushed all the time, and for collecting what was wrong.
Collaborators: `intake_program` (a process), `intake_engines` (the brokers), `intake_checker` (judges), `intake_rows`
(what happens to a run).
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from qqbot.aio.background import background
from qqbot.aio.clock import steady
from qqbot.sessions import Timings
from qqbot.sessions.cluster.redis_store import RedisStore
from qqbot.sessions.cluster.store import StoreAway
from qqbot.testing import Simulator
from tests.cluster import intake_checker
from tests.cluster.cluster_run import PATIENCE, ROOT, SCALE, Process
from tests.cluster.intake_checker import Logs, Pushed
from tests.cluster.intake_engines import Broker, IntakeEngine
from tests.redis.servers import Server, default_engine, started

CONVERSATIONS, SHARDS = 40, 8
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


class IntakeRun:
    """One run; `push` has to run in a task of its own, and pushes `rate` events a second."""

    def __init__(
        self,
        engine: IntakeEngine,
        broker: Broker,
        store: Server,
        sim: Simulator,
        folder: Path,
        *,
        rate: float,
        seed: int,
    ) -> None:
        self.engine = engine
        self.rate = rate
        self.broker = broker
        self.sim = sim
        self.chance = random.Random(seed)
        self.figures: dict[str, Any] = {}
        self.wrong: list[str] = []
        self.intakes: list[Process] = []  # those that were not killed or stopped
        self.workers: list[Process] = []
        self.pushed: dict[str, Pushed] = {}
        self.identifies = 0  # of the start
        self._numbers: Counter[int] = Counter()  # of the next event, by conversation
        self._store = store
        self._folder = folder
        self._processes: list[Process] = []

    # Processes

    def start(self, role: str, *, alone: bool = False) -> Process:
        """Start an intake or a worker; an intake that is `alone` shares no shards, so that it waits for no others."""
        number = len(self._processes)
        name = f"{number}-{role}"
        log, errors = self._folder / f"{name}.log", self._folder / f"{name}.err"
        log.touch()
        options = {
            "role": role,
            "engine": self.engine.name,
            "name": name,
            "alone": alone,
            "log": str(log),
            "store": self._store.url,
            "broker": self.broker.url,
            "base": self.sim.api_base,
            "app_id": self.sim.app_id,
            "secret": self.sim.secret,
            "shards": SHARDS,
            "pace": SCALE,
        }
        environment = {**os.environ, "INTAKE_NODE": json.dumps(options)}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        with errors.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.cluster.intake_program"],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=output,
            )
        made = Process(name, log, errors, process)
        self._processes.append(made)
        (self.intakes if role == "intake" else self.workers).append(made)
        return made

    async def kill(self, processes: list[Process]) -> None:
        """Kill one of them, at a moment within the next half a second."""
        await asyncio.sleep(self.chance.random() / 2)
        victim = self.chance.choice(processes)
        processes.remove(victim)
        victim.kill()

    async def stop(self, process: Process) -> None:
        """Ask a worker to leave, and wait until it has."""
        self.workers.remove(process)
        process.signal(signal.SIGTERM)
        await self.until(lambda: process.process.poll() is not None)
        if process.process.poll() != 0:
            self.wrong.append(f"{process.name} ended with the code {process.process.poll()}")

    async def handling(self, worker: Process) -> None:
        """Wait until a worker has ended an event."""
        await self.until(lambda: "end" in worker.log.read_text())

    # Events

    async def push(self) -> None:
        """Push events to the conversations in turn, at `rate`, however late this loop is."""
        due, then, count = 0.0, steady(), 0
        while True:
            await asyncio.sleep(0.01)
            now = steady()
            due, then = due + self.rate * (now - then), now
            while due >= 1:
                due -= 1
                self._push_one(count % CONVERSATIONS, may_ask=True)
                count += 1

    def _push_one(self, conversation: int, *, may_ask: bool) -> None:
        seconds = self.chance.choices([0.0, 0.2 + 0.3 * self.chance.random(), 1.0], [0.7, 0.25, 0.05])[0]
        ask = " ask" if may_ask and conversation % 8 == 0 and self.chance.random() < 0.2 else ""
        number = self._numbers[conversation]
        self._numbers[conversation] += 1
        event_id = self.sim.push_message(
            "group", conversation=f"G{conversation}", text=f"{conversation} {number} {seconds:.2f}{ask}"
        )
        self.pushed[event_id] = Pushed(conversation, number, steady())

    # Waiting

    async def until(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.05)

    async def shared(self) -> None:
        """Wait until the two intakes share the shards, and all are connected."""
        while await self._owned() != [SHARDS // 2, SHARDS // 2]:
            await asyncio.sleep(0.1)
        await self.sim.ready(SHARDS)

    async def _owned(self) -> list[int]:
        timings = Timings().scaled(SCALE)
        store = RedisStore(
            self._store.url,
            app_id=self.sim.app_id,
            cluster="test",
            node="",
            timings=timings,
            shared=timings.shared,
        )
        async with store:
            try:
                state = await store.look()
            except StoreAway:
                return []
        return [*Counter(owner.node for owner in state.owners.values() if owner.node).values()]

    async def caught_up(self, since: float) -> None:
        """Wait until the events that were pushed between a moment and now are handled; what is not, is lost."""
        pushed = {event_id: event for event_id, event in self.pushed.items() if event.at >= since}
        deadline = steady() + PATIENCE
        while intake_checker.lost(pushed, self.logs()) and steady() < deadline:
            await asyncio.sleep(0.2)

    def logs(self) -> Logs:
        logs = Logs()
        for process in self._processes:
            logs.read(process.log)
        return logs

    # The end

    async def end(self) -> None:
        """Push no more, but one event for each question that may be open; wait until all are handled."""
        self.rate, since = 0.0, steady()
        for conversation in range(CONVERSATIONS):
            self._push_one(conversation, may_ask=False)
        await self.caught_up(since)

    def replies(self) -> list[str]:
        """Return the texts of all messages that the platform has accepted."""
        chats = [self.sim.group(f"G{number}") for number in range(CONVERSATIONS)]
        return [message.text or "" for chat in chats for message in chat.messages]

    def violations(self) -> list[str]:
        """Return everything that is wrong with this run."""
        logs, replies = self.logs(), self.replies()
        found = {
            "lost": intake_checker.lost(self.pushed, logs),
            "out of order": intake_checker.disorder(self.pushed, logs),
            "answered twice": intake_checker.answered_twice(replies),
            "not answered": intake_checker.unanswered(self.pushed, replies),
        }
        identifies = len(self.sim.identifies) - self.identifies
        self.figures |= {
            "events": len(self.pushed),
            **{name: len(events) for name, events in found.items()},
            "repeats": intake_checker.repeats(logs),
            "identifies after the start": identifies,
            "resumes": len(self.sim.resumes),
        }
        wrong = [f"{len(events)} events {name}: {events[:5]}" for name, events in found.items() if events]
        if identifies:
            wrong.append(f"{identifies} identifies after the start")
        wrong += [
            f"{process.name} has ended by itself"
            for process in self.intakes + self.workers
            if process.process.poll() is not None
        ]
        return self.wrong + wrong + self.sim.violations

    def tail(self) -> str:
        """Return the ends of the processes' logs, to be read by a person."""
        return "\n".join(
            f"--- {process.name}\n" + "\n".join(process.errors.read_text("utf-8", "replace").splitlines()[-25:])
            for process in self._processes
        )

    def close(self) -> None:
        for process in self._processes:
            process.kill()


@asynccontextmanager
async def intake_run(engine: IntakeEngine, *, rate: float, seed: int, alone: bool = False) -> AsyncGenerator[IntakeRun]:
    """A run with 2 intakes, or one `alone`, and 2 workers at work, while events are pushed, `rate` a second."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qqbot-intake-")))
        store = await stack.enter_async_context(started(default_engine(), *DURABLE))
        broker = await stack.enter_async_context(engine.broker(store))
        platform = Simulator(shards=SHARDS, max_concurrency=SHARDS, identify_window=5 * SCALE, limits="none")
        sim = await stack.enter_async_context(platform)
        run = IntakeRun(engine, broker, store, sim, folder, rate=rate, seed=seed)
        stack.callback(run.close)
        for role in (*["intake"] * (1 if alone else 2), "worker", "worker"):
            run.start(role, alone=alone and role == "intake")
        try:
            async with asyncio.timeout(PATIENCE):
                await (sim.ready(SHARDS) if alone else run.shared())
            run.identifies = len(sim.identifies)
            async with background(run.push(), name="push events"):
                for worker in run.workers:
                    await run.handling(worker)
                yield run
        except Exception as error:
            error.add_note(run.tail())
            raise
