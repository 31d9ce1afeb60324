"""How the tests drive the page. Importing this skips a test module where there is no browser to drive."""

from pathlib import Path
from typing import Any

import pytest

from qqbot.testing import Simulator

playwright = pytest.importorskip(
    "playwright.async_api", reason="the page's tests drive a browser: install playwright (pip install playwright)"
)
Page = playwright.Page
BrowserContext = playwright.BrowserContext
expect = playwright.expect
expect.set_options(timeout=10_000)  # milliseconds: a busy machine is no failure

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
GROUP = "browser test"

marks = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"the page's tests need {CHROMIUM}: apt-get install chromium"),
]
"""What every module here marks its tests with: they share one browser, and so one loop."""


async def launch() -> Any:
    """Start the browser."""
    driver = await playwright.async_playwright().start()
    return driver, await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


def watch(page: Page, errors: list[str]) -> None:
    """Collect what goes wrong in the page's scripts, and what its content policy stops."""
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: "Content Security" in message.text and errors.append(message.text))


async def open_conversation(page: Page, sim: Simulator, name: str = GROUP) -> None:
    """Open the page at a conversation."""
    await page.goto(sim.url)
    await page.get_by_role("navigation", name="Conversations").get_by_role("button", name=name).click()


async def say(page: Page, text: str, *, user: str = "Alice") -> None:
    """Write and press Enter."""
    await page.get_by_label(f"Write as {user}").fill(text)
    await page.keyboard.press("Enter")


def bubble(page: Page, text: str) -> Any:
    """The newest message that says this."""
    return page.get_by_role("log").locator("li.message", has_text=text).last


async def open_tab(page: Page, name: str) -> Any:
    """Open a tab of the right column; return its panel."""
    await page.get_by_role("tab", name=name).click()
    return page.get_by_role("tabpanel", name=name)
