"""Calls of the API on one kept connection and on 64, against a server in another process."""

from contextlib import AsyncExitStack
from statistics import median

from bench.callers import Called
from bench.children import Child, Stage
from bench.report import Row, Target
from bench.rounds import Effort, ratio

KINDS = ("floor", "qqbot")
CONCURRENCIES = (1, 64)
CALLS = 1000
ROUNDS = 21


async def run(effort: Effort) -> list[Row]:
    """Measure each concurrency in turn, and in it each contestant."""
    calls = effort.amount(CALLS)
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(Stage.open())
        callers: list[Child] = []
        for kind in KINDS:
            started = Child.start("bench.callers", kind, f"{stage.address}/{kind}")
            callers.append(await stack.enter_async_context(started))
        return [await _row(callers, concurrency, calls, effort.rounds_of(ROUNDS)) for concurrency in CONCURRENCIES]


async def _row(callers: list[Child], concurrency: int, calls: int, rounds: int) -> Row:
    cpu: list[list[float]] = [[] for _ in callers]
    for number in range(rounds + 1):
        for caller, series in zip(callers, cpu, strict=True):
            await caller.tell(f"{calls} {concurrency}")
            called = await caller.report(Called)
            if number:  # the first round connects and warms up
                series.append(called.cpu / calls * 1e6)
    floor, ours = cpu
    name = "a call" if concurrency == 1 else f"a call, {concurrency} at a time"
    return Row(name, "CPU us", median(ours), median(floor), ratio(ours, floor), Target(1.25))
