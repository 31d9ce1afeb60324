"""What every test has: an environment without the machine's own QQBOT_* settings."""

import os

import pytest


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("QQBOT_"):
            monkeypatch.delenv(name)
