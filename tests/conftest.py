"""What every test has: the loop of `tests.loops`, no settings QQBOT_*, no slow-loop warnings.

Its fixtures: `qq`, `sim` and `control`.
"""

import gc
import math
import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from qqbot.testing import Simulator
from qqbot.testing.pytest_plugin import qq
from tests.cli.control import Control
from tests.loops import sitecustomize

__all__ = ["qq"]

if sitecustomize.NAME:
    # The processes that tests start have the same loop.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, (str(Path(sitecustomize.__file__).parent), os.environ.get("PYTHONPATH")))
    )

# The time of an example depends on the machine, so it has no deadline.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("PYTHONASYNCIODEBUG"):  # pytest-asyncio does not read it
        config.option.asyncio_debug = True


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, which else walks a million lasting objects for half of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()  # what the tests' own collections need not walk
        gc.enable()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("QQBOT_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def patience_with_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine delays the loop, too: only the tests of `loop_lag` expect its warnings."""
    monkeypatch.setattr("qqbot.aio.loop_lag.WARN_SECONDS", math.inf)


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A simulator that has started."""
    async with Simulator() as sim:
        yield sim


@pytest.fixture
async def control(sim: Simulator) -> AsyncIterator[Control]:
    async with Control(sim.api_base, sim.control_token) as control:
        yield control
