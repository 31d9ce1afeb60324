"""One bot of this process on one simulator: rounds of storm, each followed by a calm in which everything is judged."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from qqbot import Bot
from qqbot.testing import Simulator

from . import invariants, storm
from .bots import BEAT, CALL_SECONDS, WAIT_SECONDS, make_bot
from .invariants import Violation
from .people import PATIENCE, People
from .record import Record, into
from .server_log import ServerLog
from .vitals import Lag

POLL_SECONDS = 0.1
CALM_SECONDS = 90.0
"""What a bot needs at most to be done with everything after the last fault."""

RECONNECT_SECONDS = 5.0

STILL_SECONDS = CALL_SECONDS + 5.0
"""How long a bot does nothing at most while there is something to do: longer than a call or a dialog takes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a bot is tried. `hold`: how many of a hundred handlers take so long that reading has to wait."""

    name: str
    shards: int = 1
    max_inflight: int = 256
    max_queued: int = 10_000
    storms: tuple[storm.Rules, ...] = (storm.GENTLE,)
    hold: float = 0.0
    max_concurrency: int = 16

    @property
    def ends_sessions(self) -> bool:
        """Whether the platform may lose events."""
        return storm.ROUGH in self.storms


KINDS = (
    Kind("rough", storms=(storm.GENTLE, storm.ROUGH)),
    Kind("crowded", max_inflight=8, max_queued=8, hold=0.4),
    Kind("sharded", shards=3, max_concurrency=2),
    Kind(
        "all",
        shards=3,
        max_inflight=32,
        max_queued=32,
        storms=(storm.GENTLE, storm.ROUGH),
        hold=0.4,
        max_concurrency=1,
    ),
)


@dataclass(slots=True)
class Report:
    """What became of a run. `delays`: seconds from the push of a message to the begin of its handler.
    `process`: file descriptors and MiB of the bot's own process at the end of each round.
    """

    name: str
    violations: list[str] = field(default_factory=list[str])
    faults: Counter[str] = field(default_factory=Counter[str])
    figures: dict[str, float] = field(default_factory=dict[str, float])
    delays: list[float] = field(default_factory=list[float])
    process: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])

    def add(self, **figures: float) -> None:
        """Add to figures."""
        for name, value in figures.items():
            self.figures[name] = self.figures.get(name, 0) + value


class ChaosRun:
    """One bot under chaos, `rate` messages a second, while it is entered."""

    def __init__(self, kind: Kind, *, seed: int, rate: float) -> None:
        self.kind = kind
        self.report = Report(kind.name)
        self._seed = seed
        self._rate = rate
        self._record = Record()
        self._seldom = storm.SELDOM if kind.ends_sessions else ()
        self._lag = Lag()
        self._rules_broken = 0  # how many of the platform's rules were, so far
        self._judged: set[int] = set()  # connections that the bot ended
        self._asked_to_leave: set[int] = set()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._sim, self._bot = await stack.enter_async_context(self._served())
            self._log = ServerLog(self._sim)
            self._people = People(self._sim, self._log, seed=self._seed, rate=self._rate, hold=self.kind.hold)
            await stack.enter_async_context(self._lag.measured())
            await stack.enter_async_context(polled(self._log))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._conclude()
        await self._stack.__aexit__(kind, error, trace)

    async def round(self, seconds: float, *, messages: int = 0) -> None:
        """Let the storm rage, for so long and so many messages; wait until the bot is done with all, and judge."""
        ended = asyncio.create_task(self._bot.wait())
        await self._rage(ended, seconds, messages)
        async for _ in patiently(lambda: self._record.steps, CALM_SECONDS):
            if ended.done() or self._is_done():
                break
        if ended.done():
            self.report.violations.append(f"the bot stopped: {ended.exception()!r}")
        ended.cancel()
        await asyncio.wait([ended])
        self._judge()
        for seen in (self._log, self._people, self._record):
            seen.clear()

    async def _rage(self, ended: "asyncio.Task[None]", seconds: float, messages: int) -> None:
        faults = self._sim.faults
        async with self._people.writing():
            storm.begin(self._sim, self.kind.storms)
            storm.once(self._sim, self._seldom)
            reconnecting = asyncio.create_task(self._reconnect())
            await asyncio.wait([ended], timeout=seconds)
            while not ended.done() and len(self._people.pushed) < messages:
                await asyncio.sleep(POLL_SECONDS)
            left = [(rule.on, rule.do) for rule in faults.rules]
            self._seldom = tuple(rule for rule in self._seldom if rule[:2] in left)
            faults.clear()
            reconnecting.cancel()
            await asyncio.wait([reconnecting])
        if not reconnecting.cancelled():
            self.report.violations.append(f"bot.reconnect() failed: {reconnecting.exception()!r}")

    async def _reconnect(self) -> None:
        """Ask for new connections now and then, as a user may."""
        while True:
            await asyncio.sleep(RECONNECT_SECONDS)
            self._asked_to_leave |= {each.number for each in self._sim.connections if each.open}
            async with asyncio.timeout(CALM_SECONDS):
                await self._bot.reconnect()
            self.report.faults["reconnect"] += 1

    @asynccontextmanager
    async def _served(self) -> AsyncIterator[tuple[Simulator, Bot]]:
        sim = Simulator(
            seed=self._seed,
            shards=self.kind.shards,
            heartbeat_interval=BEAT,
            total=1_000_000,
            identify_window=0.5,
            max_concurrency=self.kind.max_concurrency,
            gateway_burst=1000,
        )
        bot = make_bot(
            into(self._record),
            seed=self._seed,
            shards=self.kind.shards,
            max_inflight=self.kind.max_inflight,
            max_queued=self.kind.max_queued,
        )
        async with sim, sim.run(bot):
            yield sim, bot

    def _is_done(self) -> bool:
        log = self._log
        log.poll()
        if self._record.unfinished or not log.quiet():
            return False
        handled = {run.key for run in self._record.runs}
        return invariants.owed(log.sessions.values(), log.live()) <= handled

    def _judge(self) -> None:
        sim, log, people, lag = self._sim, self._log, self._people, self._lag.take()
        log.poll()
        record, runs = self._record, self._record.runs
        sessions = log.sessions.values()
        owed = invariants.owed(sessions, log.live())
        if not self.kind.ends_sessions:
            self._found(invariants.kept_back(people.pushed, owed), log)
        self._found(invariants.lost(owed, runs), log)
        self._found(invariants.repeated(runs), log)
        self._found(invariants.out_of_order(runs), log)
        self._found(invariants.unanswered([record], log.answers), log)
        self._found(invariants.speechless(people.pushed, [record]), log)
        self._found(invariants.stuck(people.dialogs, owed, [record], log.answers), log)
        self._found(invariants.beyond(sessions), log)
        broken = sim.violations[self._rules_broken :]
        self._rules_broken += len(broken)
        self._found((Violation(text) for text in (*log.needless, *broken)), log)
        if lag < BEAT / 2:  # a blocked loop reads no acknowledgement in time
            self._found(self._left(sim), log)
        self._count(log, people, owed, lag)

    def _left(self, sim: Simulator) -> Iterable[Violation]:
        ended = {each.number for each in sim.connections if each.closed_by == "bot"}
        numbers, self._judged = sorted(ended - self._judged), ended
        strikes = [(strike.connection, strike.fault) for strike in sim.faults.strikes]
        return invariants.left([number for number in numbers if number not in self._asked_to_leave], strikes)

    def _found(self, violations: Iterable[Violation], log: ServerLog) -> None:
        self.report.violations += [invariants.story(each, log, [self._record]) for each in violations]

    def _count(self, log: ServerLog, people: People, owed: set[str], lag: float) -> None:
        self.report.add(
            rounds=1,
            pushed=len(people.pushed),
            owed=len(owed),
            handled=len(self._record.runs),
            answers=log.answers.total(),
            unsent=len(self._record.unsent),
            dialogs=len(people.dialogs),
            dialogs_done=sum(dialog.done for dialog in people.dialogs),
        )
        figures = self.report.figures
        figures["lag"] = max(figures.get("lag", 0), lag)
        for run in self._record.runs:
            if run.key in people.pushed:
                self.report.delays.append(run.begin - people.pushed[run.key].at)

    def _conclude(self) -> None:
        """Add the totals to the report."""
        self.report.faults += self._sim.faults.counts
        self.report.figures |= self._log.totals.document()


async def patiently(steps: Callable[[], int], seconds: float) -> AsyncIterator[None]:
    """Iterate for so long, or until nothing has happened for a while: `steps` counts what does."""
    last, since = steps(), time.monotonic()
    end = since + seconds
    while (now := time.monotonic()) < min(end, since + STILL_SECONDS):
        yield
        await asyncio.sleep(POLL_SECONDS)
        if steps() != last:
            last, since = steps(), now


@asynccontextmanager
async def polled(log: ServerLog) -> AsyncIterator[None]:
    """Read the log while the body runs, before the simulator forgets."""

    async def poll() -> None:
        while True:
            log.poll()
            await asyncio.sleep(POLL_SECONDS)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(poll())
        try:
            yield
        finally:
            task.cancel()


assert PATIENCE > WAIT_SECONDS, "a dialog that was given up has to end by itself before its next one begins"
