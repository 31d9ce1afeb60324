"""The benchmarks run and report; what they report is judged by people."""

import json
import sys
from pathlib import Path

import pytest

from bench.__main__ import BENCHMARKS
from bench.report import Row, Target, table
from bench.rounds import Effort, ratio
from bench.timing import compare
from tests.cli.program import python
from tests.markdown import ROOT

KEYS = {"name", "unit", "value", "floor", "ratio", "target", "met"}


@pytest.mark.parametrize("name", BENCHMARKS)
async def test_the_report_is_printed_and_written(name: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = ("-m", "bench", name, "--rounds", "1", "--scale", "0.0001", "--json", report)
    async with python(*command, cwd=ROOT) as program:
        code, out, err = await program.finished()
    assert (code, err) == (0, "")
    written = json.loads(report.read_text("utf-8"))
    assert written["python"] == sys.version.split()[0]
    assert list(written["results"]) == [name]
    rows = written["results"][name]
    assert rows
    assert all(row.keys() == KEYS and row["name"] in out for row in rows)


async def test_an_unknown_benchmark_is_named() -> None:
    async with python("-m", "bench", "nothing", cwd=ROOT) as program:
        code, _, err = await program.finished()
    assert code == 2
    assert "there is no benchmark nothing" in err


def test_a_ratio_is_to_the_first_function() -> None:
    floor, slow = compare({"floor": lambda: sum(range(100)), "slow": lambda: sum(range(20_000))}, rounds=3, calls=50)
    assert floor.ratio == 1
    assert slow.ratio > 2
    assert slow.microseconds > floor.microseconds


def test_a_ratio_is_that_of_the_rounds() -> None:
    assert ratio([2, 30, 4], [1, 10, 2]) == 2


def test_a_row_says_whether_its_target_is_met() -> None:
    assert Row("rate", "1/s", 80, 100, 0.8, Target(0.75, least=True)).met is True
    assert Row("cost", "us", 140, 100, 1.4, Target(1.25)).met is False
    assert Row("memory", "MB", 9, target=Target(10)).met is True
    assert Row("memory", "MB", 9).met is None
    assert table({"calls": [Row("cost", "us", 1400, 1000, 1.4, Target(1.25))]}).endswith(
        "| cost | us | 1 400 | 1 000 | 1.40 | <= 1.25 | no |"
    )


def test_effort_scales_the_work() -> None:
    assert Effort().rounds_of(7) == 7
    assert Effort(rounds=2).rounds_of(7) == 2
    assert Effort(scale=0.001).amount(2000) == 2
    assert Effort(scale=0.001).amount(20, least=2) == 2
