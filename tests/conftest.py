"""What every test has: an environment without the machine's own QQBOT_* settings, a busy machine that nobody speaks of,
and the package's fixture `qq`.
"""

import math
import os

import pytest
from hypothesis import HealthCheck, settings

from qqbot.testing.pytest_plugin import qq

__all__ = ["qq"]

# How long an example takes, or the making of one, is the machine's affair.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("QQBOT_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def patience_with_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine holds the loop up, too: only the tests of `looplag` are to hear of it."""
    monkeypatch.setattr("qqbot.aio.loop_lag.WARN_SECONDS", math.inf)
