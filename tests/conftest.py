"""What every test has: the loop of `tests.loops`, no settings QQBOT_*, no slow-loop warnings.

Its fixtures: `qq`, `sim` and `control`.
"""

import gc
import itertools
import math
import os
import zlib
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

# No test reaches a public host, and to load its authorities costs each process that tests start a sixth of its start.
if "INTEROP_DIR" not in os.environ:  # httpx, which some of the other SDKs use, refuses a file without any
    os.environ["SSL_CERT_FILE"] = os.devnull

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


WAITING = (
    "tests/sessions/cluster/test_manager.py",
    "tests/sessions/cluster/test_etcd_manager.py",
    "tests/examples/test_examples.py",
    "tests/ingest/test_kafka.py",
    "tests/chaos/test_short.py",
    "tests/cluster/test_rows.py",
    "tests/ingest/test_streams_end_to_end.py",
    "tests/testing/test_contracts.py",
    "tests/test_survival.py",
    "tests/cli/test_shards.py",
    "tests/redis/test_passing_errors.py",
    "tests/test_outages.py",
    "tests/sessions/test_kubernetes.py",
)
"""Modules that wait for timers for half a minute or more, in an order in which three workers get about the same."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deal the modules to xdist's workers, each of which begins with an equal part of the list and steals at its end.

    Half of them begin with what waits, while the others compute; what is left to steal is short. By name, the modules
    that wait are next to each other, and end when the processor has nothing else to do.
    """
    if not hasattr(config, "workerinput"):
        return
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.nodeid.partition("::")[0], []).append(item)
    hands: list[list[pytest.Item]] = [[] for _ in range(config.workerinput["workercount"])]
    waiting = [modules.pop(name) for name in WAITING if name in modules]
    for hand, module in zip(itertools.cycle(hands[::2]), waiting, strict=False):
        hand.extend(module)
    for name in sorted(modules, key=lambda name: zlib.crc32(name.encode())):
        min(hands, key=len).extend(modules[name])
    items[:] = itertools.chain(*hands)


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
