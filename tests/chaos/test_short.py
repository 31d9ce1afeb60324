"""A short run of chaos, and that it would notice: under each fault put into the client it reports a violation."""

from .killed import KilledTrial
from .storm import GENTLE, ROUGH
from .trial import Kind, Trial

SEED = 20261123
DUPLICATES = ((("DISPATCH", *rule) for rule in ()),)


async def test_a_bot_of_this_process() -> None:
    kind = Kind("short", shards=2, max_inflight=16, storms=(GENTLE, ROUGH), hold=True)
    async with Trial(kind, seed=SEED, rate=60) as trial:
        await trial.round(6)
    report = trial.report
    assert report.violations == []
    assert report.figures["owed"] > 200 and report.figures["resumes"] and len(report.faults) > 5


async def test_bot_processes_that_are_killed() -> None:
    async with KilledTrial(seed=SEED, rate=40) as trial:
        await trial.round(9)
    report = trial.report
    assert report.violations == []
    assert report.figures["owed"] > 200 and report.faults["SIGKILL"] and report.figures["resumes"]
