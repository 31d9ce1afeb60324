"""The pytest plugin: the fixture `qq`, and what happened on the simulator in the report of a test that failed.

pytest loads it in every project where the package is installed, so nothing else is imported before it is needed,
and tests that do not ask for `qq` see nothing of it.
"""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from ..simulator import Simulator

MARKER = "qq(**options): what Simulator takes for the fixture qq of this test, for example profile='private'"


class _Outcome(Protocol):
    """What a hook wrapper gets; pluggy has another class for it in each version."""

    def get_result(self) -> pytest.TestReport:
        """Return what the hook returned."""
        ...


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker, so that --strict-markers knows it."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def qq(request: pytest.FixtureRequest) -> "Simulator":
    """The QQ platform for one test: `async with qq.run(bot): ...`.

    It starts with the first bot, in the test's own event loop, on a free port; so it works with any plugin that
    runs async tests, and side by side in many processes.
    """
    from ..simulator import Simulator  # noqa: PLC0415 - only a test that asks for it pays for it

    node: pytest.Item = request.node
    marker = node.get_closest_marker("qq")
    return Simulator(**(marker.kwargs if marker else {}))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, _Outcome, None]:
    """Show the chat, the frames and the calls of a test that failed."""
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
