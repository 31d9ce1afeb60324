"""`python -m tests.chaos`: bots under random faults for some minutes; a line of JSON at the end, 1 for a violation."""

import argparse
import asyncio
import json
import logging
import secrets
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from statistics import quantiles

from .killed import STRIKES, KilledRun
from .run import KINDS, ChaosRun, Report
from .vitals import Watch

ROUND_SECONDS = 20.0
SHOWN_IN_FULL = 3
"""Violations of each bot that are printed with all that is known of them; of others only what they are."""


class Complaints(logging.Handler):
    """Collects what should never be logged: unawaited errors, and internal errors of the simulator or a bot."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record as text."""
        self.texts.append(self.format(record))


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="draws the same messages and faults again")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--bots", type=int, default=2, help="bots of this process (default 2)")
    parser.add_argument("--processes", type=int, default=2, help="bots in other processes, every second not killed")
    parser.add_argument("--rate", type=float, default=30.0, help="messages a second for each bot (default 30)")
    return parser.parse_args(words)


async def run_all(options: argparse.Namespace, seed: int, watch: Watch) -> list[Report]:
    """Run all bots side by side, in rounds; after each round all are idle, and are measured."""
    runs: list[ChaosRun | KilledRun] = [
        *(ChaosRun(KINDS[index % len(KINDS)], seed=seed + index, rate=options.rate) for index in range(options.bots)),
        *(
            KilledRun(seed=seed + 1000 + index, rate=options.rate, strikes=((), STRIKES)[(index + 1) % 2])
            for index in range(options.processes)
        ),
    ]
    end = time.monotonic() + 60 * options.minutes
    async with AsyncExitStack() as stack:
        for run in runs:
            await stack.enter_async_context(run)
        while not watch.seen or time.monotonic() < end:
            seconds = min(ROUND_SECONDS, max(end - time.monotonic(), 5.0))
            await asyncio.gather(*(run.round(seconds) for run in runs))
            watch.look()
    return [run.report for run in runs]


def summary(seed: int, seconds: float, reports: Sequence[Report], watch: Watch) -> dict[str, object]:
    """Return the figures of all bots together."""
    figures: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for report in reports:
        figures.update({name: value for name, value in report.figures.items() if name != "lag"})
        faults += report.faults
    delays = [delay for report in reports for delay in report.delays]
    cuts = [round(1000 * cut, 1) for cut in quantiles(delays, n=100)] if len(delays) > 1 else [0.0] * 99
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "bots": [report.name for report in reports],
        **figures,
        "faults": dict(sorted(faults.items())),
        "latency_ms": {"p50": cuts[49], "p99": cuts[98]},
        "lag_ms": round(1000 * max((report.figures.get("lag", 0.0) for report in reports), default=0.0)),
        "processes": [report.process for report in reports if report.process],
        "begin": watch.seen[0].document(),
        "end": watch.seen[-1].document(),
    }


def main() -> int:
    """Run it; return the exit code."""
    options = arguments()
    seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    print(f"chaos: --seed {seed} repeats this run", flush=True)
    logging.getLogger("qqbot").setLevel(logging.CRITICAL)  # its errors are the handlers', as they were asked to
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    begun, watch = time.monotonic(), Watch()
    reports = asyncio.run(run_all(options, seed, watch))
    for report in reports:
        for number, violation in enumerate(report.violations):
            shown = violation if number < SHOWN_IN_FULL else violation.partition("\n")[0]
            print(f"{report.name}: {shown}", flush=True)
    others = [*watch.growth(), *complaints.texts]
    for other in others:
        print(other, flush=True)
    found = summary(seed, time.monotonic() - begun, reports, watch)
    found["violations"] = sum(len(report.violations) for report in reports) + len(others)
    print(json.dumps(found))
    return bool(found["violations"])


if __name__ == "__main__":
    sys.exit(main())
