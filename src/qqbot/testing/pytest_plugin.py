"""The pytest plugin: the fixture `qq`, its async tests, and the record of the simulator in the report of a failed test.

Responsible for the fixture, its marker and the report, and for letting pytest-asyncio run the async tests that ask for
`qq`, in its strict mode as well. pytest loads the plugin in every project where the package is installed. Therefore it
imports the simulator only at its first use, and does nothing for tests without `qq`.
"""

import inspect
import sys
import traceback
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from ..simulator import Simulator

_Collected = pytest.Item | pytest.Collector | list[pytest.Item | pytest.Collector] | None

MARKER = "qq(**options): arguments of Simulator for the fixture qq of this test, for example profile='private'"


NO_PLUGIN = (
    "an async test with the fixture qq needs pytest-asyncio: pip install 'aioqqbot[testing]'. "
    "异步测试需要 pytest-asyncio"
)


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


# Innermost: pytest-asyncio looks at the marker in a wrapper of its own.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class,
) -> Generator[None, _Collected, _Collected]:
    """Mark the async tests with `qq` for pytest-asyncio, which in its strict mode runs marked tests only."""
    collected = yield
    if _has_pytest_asyncio(collector.config):
        for item in collected if isinstance(collected, list) else [collected]:
            if isinstance(item, pytest.Function) and _is_async(item) and not _is_marked(item):
                item.add_marker(pytest.mark.asyncio)
    return collected


@pytest.hookimpl
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Fail in one line if no plugin runs an async test with `qq`: those that do have already been asked."""
    if _is_async(pyfuncitem) and not _is_marked(pyfuncitem) and not _has_pytest_asyncio(pyfuncitem.config):
        pytest.fail(NO_PLUGIN, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that would pass if a handler raised what the test did not expect."""
    result = yield
    simulator = next(_simulators(item, "qq"), None) if "qqbot.simulator" in sys.modules else None
    if simulator is not None and (errors := simulator.unexpected_errors):
        lines = "\n".join("".join(traceback.format_exception(error)) for _, error in errors)
        names = ", ".join(f"{handler} raised {type(error).__name__}" for handler, error in errors)
        pytest.fail(f"{names}. If the test expects it: `with qq.expect_error(...):`\n\n{lines}", pytrace=False)
    return result


def _is_async(item: pytest.Function) -> bool:
    """True if it is an async test with the fixture `qq` of this module, or with one that extends it."""
    return inspect.iscoroutinefunction(inspect.unwrap(item.obj)) and _has_our_fixture(item)


def _has_our_fixture(item: pytest.Function) -> bool:
    info: Any = getattr(item, "_fixtureinfo")  # noqa: B009 - pytest has no public name for it
    for definition in reversed(info.name2fixturedefs.get("qq", ())):  # the last one overrides those before it
        if definition.func.__module__ == __name__:
            return True
        if "qq" not in definition.argnames:
            return False
    return False


def _is_marked(item: pytest.Function) -> bool:
    """True if the test names the plugin that runs it."""
    return "anyio_backend" in item.fixturenames or any(
        item.get_closest_marker(name) for name in ("asyncio", "anyio", "trio")
    )


def _has_pytest_asyncio(config: pytest.Config) -> bool:
    try:
        config.getini("asyncio_mode")
    except ValueError:
        return False
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, _Outcome, None]:
    """Add the chat, the frames and the calls to the report of a failed test."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for simulator in _simulators(item):
            report.sections += [(f"qq {title}", text) for title, text in simulator.report().items()]


def _simulators(item: pytest.Item, *names: str) -> "Iterator[Simulator]":
    """Return the simulators among the fixtures of a test, or among those of these names."""
    arguments = getattr(item, "funcargs", None)
    if not arguments:
        return
    from ..simulator import Simulator  # noqa: PLC0415 - as above

    yield from (
        value for name, value in arguments.items() if isinstance(value, Simulator) and (not names or name in names)
    )
