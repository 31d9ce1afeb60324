"""What every test has: an environment without the machine's own QQBOT_* settings, and the package's fixture `qq`."""

import os

import pytest

from qqbot.testing.pytest_plugin import qq

__all__ = ["qq"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("QQBOT_"):
            monkeypatch.delenv(name)
