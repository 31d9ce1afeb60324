"""The benchmarks run and report; what they report is judged by people."""

import json
import sys
from pathlib import Path

from bench import decoding
from bench.timing import compare
from tests.cli.program import python
from tests.markdown import ROOT


async def test_the_report_is_printed_and_written(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = ("-m", "bench", "--rounds", "1", "--calls", "1", "--json", report)
    async with python(*command, cwd=ROOT) as program:
        code, out, err = await program.finished()
    assert (code, err) == (0, "")
    written = json.loads(report.read_text("utf-8"))
    assert written["python"] == sys.version.split()[0]
    names = [row["name"] for row in written["results"]["decoding"]]
    assert names == list(decoding.functions())
    assert all(name in out for name in names)


def test_a_ratio_is_to_the_first_function() -> None:
    floor, slow = compare({"floor": lambda: sum(range(100)), "slow": lambda: sum(range(20_000))}, rounds=3, calls=50)
    assert floor.ratio == 1
    assert slow.ratio > 2
    assert slow.microseconds > floor.microseconds
