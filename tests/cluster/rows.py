"""The rows of the table in docs/production.md: what happens to a cluster, and what must come of it.

Each row is a function of a seed that returns what was wrong and the figures; its docstring is its name in the table.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from qqbot.clock import steady
from tests.cluster import checker
from tests.cluster.trial import Options, Process, Trial, trial

Result = tuple[list[str], dict[str, Any]]
Row = Callable[[int], Awaitable[Result]]
ROWS: dict[str, Row] = {}


def row(function: Row) -> Row:
    ROWS[function.__name__.replace("_", "-")] = function
    return function


@asynccontextmanager
async def cluster(
    nodes: int = 4, options: Options | None = None, *, seed: int = 0, **more: Any
) -> AsyncIterator[tuple[Trial, list[Process]]]:
    """A trial whose nodes have shared the shards and connected them all."""
    async with trial(options, seed=seed, **more) as run:
        begun = steady()
        processes = [run.start(chr(ord("a") + number)) for number in range(nodes)]
        await run.settled(shares(run.options.shards, nodes))
        run.figures["start"] = round(steady() - begun, 2)
        run.all_ready = steady()
        await asyncio.sleep(1.0)
        yield run, processes


def shares(shards: int, nodes: int) -> list[int]:
    floor, extra = divmod(shards, nodes)
    return [floor + (rank < extra) for rank in range(nodes)]


async def finish(run: Trial, *, identifies: int | None = None) -> Result:
    await run.quiet()
    wrong = run.verdict(identifies=identifies)
    if wrong:
        wrong.append(run.tail())
    return wrong, run.figures


def takeover_bound(run: Trial) -> float:
    """G2, with room for a busy machine."""
    times = run.timings
    return times["observe"] + 1.1 * times["renew"] + 3.0


async def takeover(run: Trial, spots: set[checker.Spot], at: float) -> list[str]:
    """Wait until others handle events of the shards; note how long that took."""
    bound = takeover_bound(run)
    while steady() < at + bound:
        times = checker.taken_over(run.logs(), spots, at)
        if max(times) < float("inf"):
            run.figures |= {"takeover p50": sorted(times)[len(times) // 2], "takeover max": max(times)}
            return []
        await asyncio.sleep(0.2)
    return [f"G2: shards of a dead owner were not taken over within {bound:.1f} s"]


@row
async def kill(seed: int, options: Options | None = None) -> Result:
    """kill -9 of an owner"""
    async with cluster(4 if options is None else 2, options, seed=seed) as (run, nodes):
        spots = run.owned(nodes[-1])
        at = steady()
        nodes[-1].kill()
        wrong = await takeover(run, spots, at)
        rest, figures = await finish(run)
        return wrong + rest, figures


@row
async def store_restart_empty(seed: int, options: Options | None = None) -> Result:
    """store restarted empty"""
    async with cluster(4 if options is None else 2, options, seed=seed) as (run, _):
        assert run.server is not None
        before = len(run.gateway.resumes)
        await run.server.restart(empty=True)
        await asyncio.sleep(1.3 * run.timings["observe"])
        wrong = []
        if len(run.gateway.resumes) > before:
            wrong.append(f"G7: {len(run.gateway.resumes) - before} needless resumes")
        rest, figures = await finish(run)
        return wrong + rest, figures


@row
async def rolling_deploy(seed: int, options: Options | None = None) -> Result:
    """rolling deploy"""
    count = 4 if options is None else 2
    async with cluster(count, options, seed=seed) as (run, nodes):
        at, moves = steady(), await run.moves()
        for number, old in enumerate(nodes):
            run.start(f"new{number}")
            await run.settled(shares(run.options.shards, count + 1))
            await run.stop(old)
            await run.settled(shares(run.options.shards, count))
        gaps = checker.gaps(run.logs(), at, steady())
        run.figures |= {
            "moves": await run.moves() - moves,
            "gap p50": sorted(gaps.values())[len(gaps) // 2],
            "gap max": max(gaps.values()),
        }
        wrong = [f"G3: a gap of {gap:.2f} s in shard {spot}" for spot, gap in gaps.items() if gap > 2.0]
        rest, figures = await finish(run)
        return wrong + rest, figures


SHORT = Options(shards=8, concurrency=8, rate=100.0)
_ = signal
