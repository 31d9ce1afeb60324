from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from qqbot.testing import Simulator


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Any]:
    """One Chromium for all tests."""
    from tests.browser.driving import launch

    driver, browser = await launch()
    yield browser
    await browser.close()
    await driver.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Any) -> AsyncIterator[Any]:
    """A browser that remembers nothing: English, 1280 wide. An error in a page's scripts fails the test."""
    from tests.browser.driving import watch

    context = await browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800})
    errors: list[str] = []
    context.on("page", lambda page: watch(page, errors))
    yield context
    await context.close()
    assert errors == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: Any) -> Any:
    return await context.new_page()


@pytest_asyncio.fixture(loop_scope="session")
async def showcase() -> Any:
    from tests.browser.showcase import Showcase

    return Showcase()


@pytest_asyncio.fixture(loop_scope="session")
async def sim(showcase: Any) -> AsyncIterator[Simulator]:
    """The simulator with the showcase bot, and a group with Alice and Bob."""
    from tests.browser.driving import GROUP

    async with Simulator() as sim, sim.run(showcase.bot):
        sim.registered_domains.add("example.com")
        for name in ("Alice", "Bob"):
            sim.group(GROUP).member(name)
        yield sim
