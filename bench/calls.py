"""Calls of the API on one kept connection and on 64, against a server in another process."""

from contextlib import AsyncExitStack
from statistics import median

from bench.callers import Called
from bench.children import Child, Stage
from bench.report import Row, Target
from bench.rounds import Effort, ratio

KINDS = ("floor", "qqbot")
CONCURRENCIES = (1, 64)
CALLS = 500
ROUNDS = 25
CASTS = 5


async def run(effort: Effort) -> list[Row]:
    """Measure each concurrency in turn, and in it each contestant."""
    calls = effort.amount(CALLS)
    cpu: dict[int, tuple[list[float], list[float]]] = {concurrency: ([], []) for concurrency in CONCURRENCIES}
    async with Stage.open() as stage:
        for rounds in effort.casts_of(ROUNDS, CASTS):
            async with AsyncExitStack() as stack:
                callers: list[Child] = []
                for kind in KINDS:
                    started = Child.start("bench.callers", kind, f"{stage.address}/{kind}")
                    callers.append(await stack.enter_async_context(started))
                for concurrency, series in cpu.items():
                    await _measure(callers, concurrency, calls, rounds, series)
    return [_row(concurrency, *series) for concurrency, series in cpu.items()]


async def _measure(
    callers: list[Child], concurrency: int, calls: int, rounds: int, series: tuple[list[float], list[float]]
) -> None:
    for number in range(rounds + 1):
        for caller, own in zip(callers, series, strict=True):
            await caller.tell(f"{calls} {concurrency}")
            called = await caller.report(Called)
            if number:  # the first round connects and warms up
                own.append(called.cpu / calls * 1e6)


def _row(concurrency: int, floor: list[float], ours: list[float]) -> Row:
    name = "a call" if concurrency == 1 else f"a call, {concurrency} at a time"
    return Row(name, "CPU us", median(ours), median(floor), ratio(ours, floor), Target(1.25))
