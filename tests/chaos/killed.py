"""Bot processes on one simulator that are killed, stopped and started again, with a session that outlives them.

No session ends, so that every event has to be handled, by one process or the next; the storm goes on meanwhile.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from qqbot.testing import Simulator
from tests.cli.program import environment

from . import invariants, storm
from .bots import BEAT
from .invariants import Violation
from .people import People
from .record import Record
from .run import CALM_SECONDS, POLL_SECONDS, Report, patiently, polled
from .server_log import ServerLog
from .vitals import fds, rss

ROOT = Path(__file__).parent.parent.parent

SAVED_SECONDS = 3.0
"""Seconds after which finished events are in the state file: it is written every second, a busy disk is slower."""

LIFE_SECONDS = (3.0, 8.0)

START_SECONDS = 60.0

MORE_FDS, MORE_RSS = 64, 24.0
"""How much a process that lives on may grow; what it remembers of messages has bounds of its own, in MiB."""

PATIENCE = 40.0
"""Seconds that people wait in a dialog: through a process that is stopped, another one that is killed, and a third."""

STRIKES = (signal.SIGKILL, signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM)

STOPPED_SECONDS = (0.5, 3.5)
"""How long it is stopped: up to more than three heartbeats."""


class Life:
    """One process, from its start to its end; `kept` as in `invariants.repeated_needlessly`."""

    def __init__(self, process: Process, path: Path) -> None:
        self.process = process
        self.record = Record()
        self.died = float("inf")
        self.kept = SAVED_SECONDS
        self._path = path
        self._read = 0

    def poll(self) -> None:
        """Read what it has noted since the last look."""
        if not self._path.exists():
            return
        with self._path.open(encoding="utf-8") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind("\n") + 1]
        self._read += len(whole.encode())
        self.record.take(whole.splitlines())

    @property
    def resting(self) -> bool:
        """Whether no handler runs."""
        return not self.record.unfinished


class KilledRun:
    """One bot process after the other under chaos, `rate` messages a second, while it is entered.

    `hold` as in `People`; `strikes`: the signals sent to the processes, in turn; empty: one process lives on. `life`:
    seconds between two signals, at least and at most; `mutation`: the deliberate fault in the client, see `mutations`.
    """

    def __init__(
        self,
        *,
        seed: int,
        rate: float,
        hold: float = 0.4,
        strikes: Sequence[signal.Signals] = STRIKES,
        life: tuple[float, float] = LIFE_SECONDS,
        mutation: str | None = None,
    ) -> None:
        self.report = Report("killed" if strikes else "steady")
        self._seed = seed
        self._rate = rate
        self._hold = hold
        self._life_seconds = life
        self._mutation = mutation
        self._random = Random(seed)
        self._strikes = cycle(strikes)
        self._lives: list[Life] = []
        self._started = 0
        self._struck_times = 0
        self._rules_broken = 0

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._folder = Path(stack.enter_context(TemporaryDirectory()))
            self._sim = await stack.enter_async_context(
                Simulator(seed=self._seed, heartbeat_interval=BEAT, total=1_000_000, gateway_burst=100_000)
            )
            self._log = ServerLog(self._sim)
            self._people = People(
                self._sim, self._log, seed=self._seed, rate=self._rate, hold=self._hold, patience=PATIENCE
            )
            await stack.enter_async_context(polled(self._log))
            stack.push_async_callback(self._end, signal.SIGKILL)
            await self._start()
            async with asyncio.timeout(START_SECONDS):
                await self._sim.ready()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.report.name == "steady":
            self.report.violations += _growth(self.report.process)
        self.report.figures |= self._log.totals.document()
        self.report.faults += self._sim.faults.counts
        await self._stack.__aexit__(kind, error, trace)

    async def round(self, seconds: float, *, strikes: int = 0) -> None:
        """Let the storm rage for so long and so many strikes, wait until everything is handled, and judge."""
        async with self._people.writing(), self._struck():
            storm.begin(self._sim, [storm.GENTLE])
            await asyncio.sleep(seconds)
            while self._struck_times < strikes:
                await asyncio.sleep(POLL_SECONDS)
            self._sim.faults.clear()
        async for _ in patiently(lambda: self._life.record.steps, CALM_SECONDS):
            if self._is_done():
                break
        self._judge()
        self._log.clear()
        self._people.clear()
        self._lives = [self._life]  # with what it has handled: its successor must not handle that again
        self._life.record.clear_answers()

    @property
    def _life(self) -> Life:
        return self._lives[-1]

    # The processes

    async def _start(self) -> None:
        self._started += 1
        path = self._folder / f"record {self._started}"
        arguments = [str(self._folder / "state.json"), str(path), str(self._seed + self._started)]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("QQBOT_")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.program", *arguments, *([self._mutation] if self._mutation else [])),
            stdin=PIPE,
            stdout=DEVNULL,
            env=inherited | environment(self._sim, QQBOT_LOG="CRITICAL"),
            cwd=ROOT,
        )
        self._lives.append(Life(process, path))

    async def _end(self, how: signal.Signals) -> None:
        """End the process, and note when and how it went."""
        life = self._life
        if life.process.returncode is None:
            life.process.send_signal(how)
        code = await life.process.wait()
        life.died = time.monotonic()
        life.poll()
        life.kept = 0.0 if how is signal.SIGTERM else SAVED_SECONDS
        expected = {0} if how is signal.SIGTERM else {-how}
        if not life.record.steps:
            expected.add(-how)  # it had not got to installing a handler
        if code not in expected:
            self.report.violations.append(f"the process ended with code {code} on {how.name}")

    @asynccontextmanager
    async def _struck(self) -> AsyncIterator[None]:
        """Kill and stop the processes while the body runs; at the end one runs."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._strike(over))
            try:
                yield
            finally:
                over.set()

    async def _strike(self, over: asyncio.Event) -> None:
        for how in self._strikes:
            if await _within(over, self._random.uniform(*self._life_seconds)):
                return
            self.report.faults[how.name] += 1
            if how is signal.SIGSTOP:
                await self._stop()
            else:
                await self._end(how)
                await asyncio.sleep(self._random.uniform(0, 1))
                await self._start()
            self._struck_times += 1

    async def _stop(self) -> None:
        self._life.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self._random.uniform(*STOPPED_SECONDS))
        self._life.process.send_signal(signal.SIGCONT)

    # What became of it

    def _is_done(self) -> bool:
        self._log.poll()
        self._life.poll()
        if not self._life.resting or not self._log.quiet():
            return False
        for life in self._lives:
            life.poll()
        handled = {run.key for life in self._lives for run in life.record.runs}
        return invariants.owed(self._log.sessions.values(), self._log.live()) <= handled

    def _judge(self) -> None:
        log, pushed, records = self._log, self._people.pushed, [life.record for life in self._lives]
        log.poll()
        for life in self._lives:
            life.poll()
        owed = invariants.owed(log.sessions.values(), log.live())
        self._found(invariants.kept_back(pushed, owed))
        self._found(invariants.lost(owed, (run for record in records for run in record.runs)))
        for record in records:
            self._found(invariants.repeated(record.runs))
            self._found(invariants.out_of_order(record.runs))
        self._found(invariants.repeated_needlessly([(life.record, life.died, life.kept) for life in self._lives]))
        self._found(invariants.unanswered(records, log.answers))
        self._found(invariants.speechless(pushed, records))
        self._found(invariants.stuck(self._people.dialogs, owed, records, log.answers))
        self._found(invariants.beyond(log.sessions.values()))
        broken = self._sim.violations[self._rules_broken :]
        self._rules_broken += len(broken)
        self._found(Violation(text) for text in (*log.needless, *broken))
        if self._life.process.returncode is not None:
            self._found([Violation(f"the process ended by itself with code {self._life.process.returncode}")])
        self._count(owed, records)

    def _found(self, violations: Iterable[Violation]) -> None:
        records = [life.record for life in self._lives]
        self.report.violations += [invariants.story(each, self._log, records) for each in violations]

    def _count(self, owed: set[str], records: list[Record]) -> None:
        pushed = self._people.pushed
        runs = [run for record in records for run in record.runs if run.key in pushed]
        first = {run.key: run for run in reversed(runs)}
        self.report.add(
            rounds=1,
            pushed=len(pushed),
            owed=len(owed),
            handled=len(runs),
            repeats=len(runs) - len(first),
            answers=self._log.answers.total(),
            unsent=sum(len(record.unsent) for record in records),
        )
        self.report.delays += [run.begin - pushed[key].at for key, run in first.items()]
        pid = self._life.process.pid
        self.report.process.append((fds(pid), round(rss(pid), 1)))


def _growth(process: Sequence[tuple[int, float]]) -> list[str]:
    """Return what a process that lived on has more of after the last round than after the first."""
    (first_fds, first_rss), (last_fds, last_rss) = process[0], process[-1]
    grown = [f"file descriptors grew from {first_fds} to {last_fds}"] if last_fds > first_fds + MORE_FDS else []
    grown += [f"memory grew from {first_rss} to {last_rss} MiB"] if last_rss > first_rss + MORE_RSS else []
    return grown


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, so long at most; return whether it came."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
