"""A short run of chaos; and that it would notice: with each fault put into the client it reports what that breaks."""

from pathlib import Path

import pytest

from qqbot.testing import Duplicate
from tests.chaos import killed
from tests.chaos import run as chaos_run
from tests.chaos.killed import KilledRun
from tests.chaos.mutations import mutated
from tests.chaos.run import ChaosRun, Kind
from tests.chaos.storm import GENTLE, ROUGH, Rules

SEED = 20261123

pytestmark = pytest.mark.timeout(240)  # seconds, on a machine that is busy with other things

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="processes are looked at through /proc")

REPEATS: Rules = (("DISPATCH", Duplicate(), 0.1), ("DISPATCH INTERACTION_CREATE", Duplicate(), 1.0))


async def test_a_bot_of_this_process() -> None:
    kind = Kind("short", shards=2, max_inflight=16, max_queued=16, storms=(GENTLE, ROUGH), hold=0.4)
    async with ChaosRun(kind, seed=SEED, rate=60) as run:
        await run.round(4, messages=240)
    assert run.report.violations == []
    assert run.report.figures["owed"] > 100
    assert run.report.figures["resumes"] + run.report.figures["identifies"] > 2
    assert len(run.report.faults) > 5


@needs_proc
async def test_bot_processes_that_are_killed() -> None:
    async with KilledRun(seed=SEED, rate=40, life=(1.5, 3.0)) as run:
        await run.round(5, strikes=3)
    assert run.report.violations == []
    assert run.report.figures["owed"] > 100
    assert run.report.faults["SIGKILL"] == 2


@pytest.mark.parametrize("mutation", ["seq-dedup-off", "message-dedup-off"])
async def test_it_notices_what_is_handled_twice(mutation: str) -> None:
    with mutated(mutation):
        async with ChaosRun(Kind("repeats", storms=(REPEATS,)), seed=SEED, rate=200) as run:
            await run.round(1, messages=400)
    assert any("handled 2 times in one process" in violation for violation in run.report.violations)


@pytest.mark.parametrize("mutation", ["naive-ack", None])
async def test_it_notices_a_connection_that_is_left_for_no_reason(mutation: str | None) -> None:
    with mutated(mutation):
        async with ChaosRun(
            Kind("crowded", max_inflight=2, max_queued=2, storms=(), hold=3), seed=SEED, rate=40
        ) as run:
            for _ in range(6 if mutation else 1):  # not looked for where the loop stood still for half a beat
                await run.round(2, messages=80)
                left = [violation for violation in run.report.violations if "left connection" in violation]
                if left:
                    break
    assert bool(left) == bool(mutation)


@needs_proc
async def test_it_notices_what_is_saved_before_it_is_handled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos_run, "STILL_SECONDS", 4.0)  # what is lost is not waited for,
    monkeypatch.setattr(killed, "PATIENCE", 4.0)  # nor are the answers in its dialogs
    async with KilledRun(seed=SEED, rate=30, hold=8, life=(2.0, 2.5), mutation="early-watermark") as run:
        await run.round(2, strikes=1)
    assert any("never handled" in violation for violation in run.report.violations)
