"""The page on reliability: each row names tests, and those exist."""

import re

import pytest

from tests.markdown import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| what happens")]
SOURCES = {path.name: path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:40])
def test_each_row_is_held_by_tests(row: str) -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row)
    assert named
    missing = [f"{file}::{test}" for file, test in named if f"def {test}(" not in SOURCES.get(file, "")]
    assert missing == []
