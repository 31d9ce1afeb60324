"""A short selection of the intake rows of `python -m tests.cluster`, and their checker itself."""

import sys
from pathlib import Path

import pytest

from tests.cluster import intake_checker
from tests.cluster.intake_checker import Logs, Pushed
from tests.cluster.intake_engines import INTAKE_ENGINES
from tests.cluster.intake_rows import through, worker_and_broker

PUSHED = {"e0": Pushed(7, 0, 1.0), "e1": Pushed(7, 1, 2.0), "e2": Pushed(7, 2, 3.0), "f0": Pushed(8, 0, 1.0)}
RIGHT = ["begin 1.1 e0", "end 1.2 e0", "begin 2.1 e1", "end 2.2 e1", "begin 3.1 e2", "end 3.2 e2"]
OTHER = ["begin 1.5 f0", "end 1.6 f0"]
ANSWERS = ["7 0", "7 1", "7 2", "8 0"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.timeout(90)
async def test_a_killed_worker_and_a_restarted_store_lose_nothing() -> None:
    wrong, figures = await through(INTAKE_ENGINES["redis"], 1, (worker_and_broker,), rate=40.0, alone=True)
    assert not wrong, "\n".join([str(figures), *wrong])


def logs(folder: Path, *nodes: list[str]) -> Logs:
    """Return what is read from logs with these lines; the last line of each was cut off by a kill."""
    found = Logs()
    for number, lines in enumerate(nodes):
        path = folder / str(number)
        path.write_text("\n".join([*lines, "end 9.9 e"]))
        found.read(path)
    return found


def test_the_checker_finds_nothing_wrong_with_a_repeat_after_a_kill(tmp_path: Path) -> None:
    found = logs(tmp_path, RIGHT[:3], ["begin 2.5 e1", "end 2.6 e1", *RIGHT[4:], *OTHER])
    assert intake_checker.lost(PUSHED, found) == intake_checker.disorder(PUSHED, found) == []
    assert intake_checker.unanswered(PUSHED, ANSWERS) == intake_checker.answered_twice(ANSWERS) == []
    assert intake_checker.repeats(found) == 1
    assert intake_checker.delays(PUSHED, found, 1.0, 3.0) == pytest.approx([0.1, 0.1, 0.5])


@pytest.mark.parametrize("missing", [RIGHT[:3] + RIGHT[4:], RIGHT[:2] + RIGHT[4:]], ids=["begun", "never begun"])
def test_the_checker_finds_a_lost_event(tmp_path: Path, missing: list[str]) -> None:
    assert intake_checker.lost(PUSHED, logs(tmp_path, missing, OTHER)) == ["7 1"]


@pytest.mark.parametrize("late", ["begin 3.15 e1", "begin 4.0 e1"])
def test_the_checker_finds_an_event_that_began_after_a_later_one(tmp_path: Path, late: str) -> None:
    found = logs(tmp_path, [line for line in RIGHT if "begin 2.1" not in line], [late, *OTHER])
    assert intake_checker.disorder(PUSHED, found) == ["7: 1 after 2"]


def test_the_checker_finds_what_was_answered_twice_or_never() -> None:
    assert intake_checker.answered_twice([*ANSWERS, "7 1"]) == ["7 1"]
    assert intake_checker.unanswered(PUSHED, ["7 0", "7 2", "7 2", "8 0"]) == ["7 1"]
