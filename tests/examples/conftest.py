"""What the tests of examples share."""

import sys
from pathlib import Path

import pytest

from qqbot.cli.loading import MODULE_NAME
from qqbot.testing import Simulator
from tests.cli.program import environment


@pytest.fixture(autouse=True)
def clean_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a file extends sys.path and sys.modules for good, as a program's start does."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, MODULE_NAME, sys)


@pytest.fixture
def sim_environment(sim: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in environment(sim, DATABASE=str(tmp_path / "example.db")).items():
        monkeypatch.setenv(name, value)
