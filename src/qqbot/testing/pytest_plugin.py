"""The pytest plugin: the fixture `qq`, and the record of the simulator in the report of a failed test.

Responsible for the fixture, its marker and the report. pytest loads the plugin in every project where the package is
installed. Therefore it imports the simulator only at its first use, and does nothing for tests without `qq`.
"""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from ..simulator import Simulator

MARKER = "qq(**options): arguments of Simulator for the fixture qq of this test, for example profile='private'"


class _Outcome(Protocol):
    """The argument of a hook wrapper; its class differs between the versions of pluggy."""

    def get_result(self) -> pytest.TestReport:
        """Return what the hook returned."""
        ...


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, for --strict-markers."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def qq(request: pytest.FixtureRequest) -> "Simulator":
    """The QQ platform for one test: `async with qq.run(bot): ...`.

    It starts with the first bot, in the event loop of the test, on a free port. Therefore it works with any plugin
    that runs async tests, and in parallel processes.
    """
    from ..simulator import Simulator  # noqa: PLC0415 - only a test that uses it pays for the import

    node: pytest.Item = request.node
    marker = node.get_closest_marker("qq")
    return Simulator(**(marker.kwargs if marker else {}))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, _Outcome, None]:
    """Add the chat, the frames and the calls to the report of a failed test."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for simulator in _simulators(item):
            report.sections += [(f"qq {title}", text) for title, text in simulator.report().items()]


def _simulators(item: pytest.Item) -> "Iterator[Simulator]":
    arguments = getattr(item, "funcargs", None)
    if not arguments:
        return
    from ..simulator import Simulator  # noqa: PLC0415 - as above

    yield from (value for value in arguments.values() if isinstance(value, Simulator))
