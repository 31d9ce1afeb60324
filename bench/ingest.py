"""Intake and logic apart: from a sender through a broker to the handlers of a worker, each a process of its own.

Owns what is measured; the ends are in `ends`, the brokers in `servers`.
"""

import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles

from bench import servers
from bench.children import Child
from bench.ends import Sent
from bench.receivers import Handled
from bench.report import Row, Target
from bench.rounds import Effort, ratio

BURST = 20_000
BURST_ROUNDS = 7
LATENCY_ROUNDS = 9
SECONDS = 2.0
LOW, HIGH = 1000.0, 10_000.0
LEAST_RATE = 10_000.0
MOST_MS = 2.0
MOST_CPU = 200.0
"""Microseconds: what two cores have for each event at `HIGH`."""


@dataclass(slots=True)
class Series:
    """What the rounds of one contestant showed: seconds, processor seconds of its parts, the delays of its events."""

    events: int
    seconds: list[float] = field(default_factory=list[float])
    cpu: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    delays: list[Sequence[float]] = field(default_factory=list[Sequence[float]])

    def cost(self, part: str) -> list[float]:
        """Return the processor time of a part in each round, in microseconds of each event."""
        return [(sum(cpu.values()) if part == "all three" else cpu[part]) / self.events * 1e6 for cpu in self.cpu]

    def percentile(self, percent: int) -> list[float]:
        """Return this percentile of each round's delays, in milliseconds."""
        return [quantiles(each, n=100)[percent - 1] * 1000 for each in self.delays]


async def run(effort: Effort, engines: Sequence[str] = ("redis",)) -> list[Row]:
    """Measure each engine: a name of `servers.ENGINES`, or the URL of a server that runs already."""
    rows: list[Row] = []
    for name in engines:
        try:
            async with servers.started(name) as server:
                rows += await _measure(server, effort)
        except servers.MissingServerError as missing:
            print(f"left out: {missing}", file=sys.stderr)
    return rows


async def _measure(server: servers.Server, effort: Effort) -> list[Row]:
    size = effort.amount(BURST, least=2)
    burst = await _rounds(server, size, 0.0, effort.rounds_of(BURST_ROUNDS))
    low, high = [
        await _rounds(server, effort.amount(round(rate * SECONDS), least=2), rate, effort.rounds_of(LATENCY_ROUNDS))
        for rate in (LOW, HIGH)
    ]
    rates = {kind: [size / seconds for seconds in series.seconds] for kind, series in burst.items()}
    rows = [_row("a backlog, sent and handled at once", "events/s", rates, _target(server, LEAST_RATE, least=True))]
    for rate, series, target in ((LOW, low, _target(server, MOST_MS)), (HIGH, high, None)):
        for percent in (50, 99):
            delays = {kind: each.percentile(percent) for kind, each in series.items()}
            rows.append(_row(f"latency at {rate:g}/s, p{percent}", "ms", delays, target if percent == 50 else None))
    for part in ("sender", "server", "worker", "all three"):
        costs = {kind: each.cost(part) for kind, each in high.items()}
        if server.pid is not None or part in ("sender", "worker"):
            target = _target(server, MOST_CPU) if part == "all three" else None
            rows.append(_row(f"at {HIGH:g}/s: {part}", "CPU us/event", costs, target))
    return [Row(f"{server.name}: {row.name}", row.unit, row.value, row.floor, row.ratio, row.target) for row in rows]


def _target(server: servers.Server, limit: float, *, least: bool = False) -> Target | None:
    """Return a target of Redis Streams, which the package speaks for itself; the other engines have none."""
    return Target(limit, least) if server.floor else None


def _row(name: str, unit: str, figures: dict[str, list[float]], target: Target | None = None) -> Row:
    """Return a row; its target is one of the value, so the ratio to the floor is left out if there is a target."""
    ours, floor = figures["qqbot"], figures.get("floor")
    least = None if floor is None else median(floor)
    compared = None if floor is None or target is not None or not all(floor) else ratio(ours, floor)
    return Row(name, unit, median(ours), least, compared, target)


async def _rounds(server: servers.Server, size: int, rate: float, rounds: int) -> dict[str, Series]:
    """Let each contestant have `rounds` rounds in turn, after one that warms up."""
    kinds = ("floor", "qqbot") if server.floor else ("qqbot",)
    series = {kind: Series(size) for kind in kinds}
    app_id = str(time.time_ns())
    async with AsyncExitStack() as stack:
        pairs = {kind: await stack.enter_async_context(_pair(kind, server, app_id, size, rate)) for kind in kinds}
        for number in range(rounds + 1):
            for kind, (sender, worker) in pairs.items():
                before = server.cpu()
                await sender.tell(f"{size} {rate}")
                sent, handled = await sender.report(Sent), await worker.report(Handled)
                if number:
                    each = series[kind]
                    each.seconds.append(handled.at - sent.at)
                    each.cpu.append({"sender": sent.cpu, "server": server.cpu() - before, "worker": handled.cpu})
                    each.delays.append(handled.delays)
    return series


@asynccontextmanager
async def _pair(
    kind: str, server: servers.Server, app_id: str, size: int, rate: float
) -> AsyncGenerator[tuple[Child, Child]]:
    """Run a worker and a sender while the body runs."""
    arguments = (kind, server.url.replace("{name}", app_id), app_id)
    delays = ("--delays",) if rate else ()
    async with (
        Child.start("bench.ends", "work", *arguments, "--burst", str(size), *delays) as worker,
        Child.start("bench.ends", "send", *arguments) as sender,
    ):
        yield sender, worker
