"""The rows of the table in docs/ingest.md: what happens to intakes, workers and the broker between them.

One row for each broker, with every fault in one run, in an order that the seed decides. Collaborators: `intake_run`
(the processes), `intake_engines` (the brokers).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from qqbot.aio.clock import steady
from tests.cluster import intake_checker
from tests.cluster.cluster_run import PATIENCE
from tests.cluster.intake_engines import INTAKE_ENGINES, IntakeEngine
from tests.cluster.intake_run import IntakeRun, intake_run

Result = tuple[list[str], dict[str, Any]]
Row = Callable[[int], Awaitable[Result]]
Phase = Callable[[IntakeRun], Awaitable[None]]


async def worker_killed(run: IntakeRun) -> None:
    """kill -9 of a worker; another one is started"""
    await run.kill(run.workers)
    await run.handling(run.start("worker"))


async def intake_killed(run: IntakeRun) -> None:
    """kill -9 of an intake; another one is started"""
    await run.kill(run.intakes)
    run.start("intake")
    async with asyncio.timeout(PATIENCE):
        await run.shared()


async def broker_restarted(run: IntakeRun) -> None:
    """the fault of the broker that its engine names"""
    await run.broker.restart()


async def worker_and_broker(run: IntakeRun) -> None:
    """kill -9 of a worker, and the broker away at the same time: for the short selection"""
    await run.kill(run.workers)
    await run.broker.restart()


async def worker_joins(run: IntakeRun) -> None:
    """a third worker"""
    await run.handling(run.start("worker"))


async def rolling_deploy(run: IntakeRun) -> None:
    """every worker is replaced by a new one, one after another"""
    for old in list(run.workers):
        await run.handling(run.start("worker"))
        await run.stop(old)


PHASES: Sequence[Phase] = (worker_killed, intake_killed, broker_restarted, worker_joins, rolling_deploy)


async def through(
    engine: IntakeEngine, seed: int, phases: Sequence[Phase] = PHASES, *, rate: float = 60.0, alone: bool = False
) -> Result:
    """Go through the phases; each ends when all that was pushed until then is handled."""
    async with intake_run(engine, rate=rate, seed=seed, alone=alone) as run:
        for phase in run.chance.sample(phases, len(phases)):
            since, before = steady(), intake_checker.repeats(run.logs())
            await phase(run)
            await run.caught_up(since)
            logs, name = run.logs(), phase.__name__.replace("_", " ")
            run.figures[f"{name}: delay max"] = max(intake_checker.delays(run.pushed, logs, since, steady()))
            run.figures[f"{name}: repeats"] = intake_checker.repeats(logs) - before
        await run.end()
        wrong = run.violations()
        return [*wrong, run.tail()] if wrong else [], run.figures


def row(engine: IntakeEngine) -> Row:
    async def run(seed: int) -> Result:
        return await through(engine, seed)

    run.__doc__ = f"all faults in one run; the broker's: {engine.fault}"
    return run


INTAKE_ROWS = {f"intake-{engine.name}": row(engine) for engine in INTAKE_ENGINES.values()}
