"""How long an event is on its way at 1 000 events a second: from before it is written to its handler."""

from collections.abc import Sequence
from statistics import median, quantiles

from bench.delivery import Contestant, connected
from bench.peer import Burst
from bench.receivers import Handled
from bench.report import Row, Target
from bench.rounds import Effort, ratio

RATE = 1000.0
SECONDS = 1.0
ROUNDS = 15

CONTESTANTS = {name: Contestant(name, ("--delays",)) for name in ("floor", "qqbot")}
PERCENTILES = {50: 1.15, 99: 1.5}
"""Which percentiles are reported, and at the most how many times the floor's each should be."""


async def run(effort: Effort) -> list[Row]:
    """Send to both in turn, a second at a time."""
    size = effort.amount(round(RATE * SECONDS), least=2)
    series: dict[str, list[list[float]]] = {name: [] for name in CONTESTANTS}
    async with connected(CONTESTANTS, size) as (stage, receivers):
        for number in range(effort.rounds_of(ROUNDS) + 1):
            for name, receiver in receivers.items():
                await stage.burst(name, Burst(size, rate=RATE))
                handled = await receiver.report(Handled)
                if number:  # the first round warms up
                    series[name].append([delay * 1e6 for delay in handled.delays])
    return [_row(percent, limit, series["qqbot"], series["floor"]) for percent, limit in PERCENTILES.items()]


def _row(percent: int, limit: float, mine: Sequence[Sequence[float]], base: Sequence[Sequence[float]]) -> Row:
    ours, floor = ([quantiles(delays, n=100)[percent - 1] for delays in each] for each in (mine, base))
    name = f"latency at {RATE:g} events/s, p{percent}"
    return Row(name, "us", median(ours), median(floor), ratio(ours, floor), Target(limit))
