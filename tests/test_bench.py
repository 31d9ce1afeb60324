"""The benchmarks run and report; what they report is judged by people."""

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import ingest, servers
from bench.__main__ import BENCHMARKS
from bench.report import Row, Target, renewed, table
from bench.rounds import Effort, ratio
from bench.timing import compare
from tests.cli.program import python
from tests.markdown import ROOT

KEYS = {"name", "unit", "value", "floor", "ratio", "target", "met"}


@pytest.mark.timeout(240)  # some start a dozen processes
@pytest.mark.parametrize("name", BENCHMARKS)
async def test_the_report_is_printed_and_written(name: str, tmp_path: Path) -> None:
    if name == "ingest" and servers.found("redis") is None:
        pytest.skip("no Redis or Valkey server is present")
    report = tmp_path / "report.json"
    command = ("-m", "bench", name, "--rounds", "1", "--scale", "0.0001", "--json", report)
    async with python(*command, cwd=ROOT) as program:
        printed, complaints = await program.process.communicate()
    assert (program.process.returncode, complaints) == (0, b"")
    written = json.loads(report.read_text("utf-8"))
    assert written["python"] == sys.version.split()[0]
    assert list(written["results"]) == [name]
    rows = written["results"][name]
    assert rows
    assert all(row.keys() == KEYS and row["name"] in printed.decode() for row in rows)


async def test_no_process_is_left_behind() -> None:
    async with python("-m", "bench", "latency", cwd=ROOT) as program:
        children = await started(program.process.pid)
        program.process.kill()
        await program.process.wait()
        async with asyncio.timeout(20):
            while any(is_alive(child) for child in children):
                await asyncio.sleep(0.05)


async def started(pid: int) -> list[int]:
    """Wait until the process `pid` has the server and both contestants, and return their ids."""
    async with asyncio.timeout(20):
        while len(children := children_of(pid)) < 3:
            await asyncio.sleep(0.05)
    return children


def children_of(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_an_unknown_benchmark_is_named() -> None:
    async with python("-m", "bench", "nothing", cwd=ROOT) as program:
        code, _, err = await program.finished()
    assert code == 2
    assert "there is no benchmark nothing" in err


async def test_an_engine_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(servers.ENGINES["redis"], binaries=[("", "no such program")])
    monkeypatch.setitem(servers.ENGINES, "redis", absent)
    assert await ingest.run(Effort(), ["redis"]) == []
    assert "left out: no server for redis" in capsys.readouterr().err


async def test_an_unknown_engine_is_refused() -> None:
    async with python("-m", "bench", "ingest", "--engine", "nothing", cwd=ROOT) as program:
        code, _, err = await program.finished()
    assert code == 2
    assert "there is no engine nothing" in err


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


def test_the_table_of_a_page_is_replaced() -> None:
    page = "above\n<!-- figures -->\nold\n<!-- end of figures -->\nbelow\n"
    assert renewed(page, "new") == "above\n<!-- figures -->\nnew\n<!-- end of figures -->\nbelow\n"
    with pytest.raises(ValueError, match="no place"):
        renewed("<!-- figures -->", "new")


def test_the_page_of_the_project_has_a_table() -> None:
    assert "| what |" in renewed((ROOT / "docs" / "performance.md").read_text("utf-8"), "| what |")


def test_effort_scales_the_work() -> None:
    assert Effort().rounds_of(7) == 7
    assert Effort(rounds=2).rounds_of(7) == 2
    assert Effort().casts_of(21, 3) == [7, 7, 7]
    assert Effort(rounds=2).casts_of(21, 3) == [1, 1]
    assert Effort(scale=0.001).amount(2000) == 2
    assert Effort(scale=0.001).amount(20, least=2) == 2
