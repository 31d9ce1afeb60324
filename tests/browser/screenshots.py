"""Draws the screenshots of the README: `python -m tests.browser.screenshots FOLDER`."""

import asyncio
import io
import sys
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, async_playwright

from qqbot.testing import Simulator
from tests.browser.driving import CHROMIUM, FLAGS
from tests.browser.showcase import Showcase

GROUP = "周末出行 Weekend"
LOCALES = {"light": "en-GB", "dark": "zh-CN"}
SIZES = {1280: 800, 390: 844}
TABS = {"light": "frames", "dark": "faults"}
COLORS = 128  # enough for flat surfaces and smooth letters


async def main(folder: Path) -> None:
    """Have a chat and draw it in both widths and both themes."""
    showcase = Showcase()
    async with Simulator() as sim, sim.run(showcase.bot), async_playwright() as driver:
        await have_a_chat(sim)
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for width in SIZES:
            for theme in LOCALES:
                data = await draw(browser, sim, width, theme)
                await asyncio.to_thread((folder / f"simulator-{width}-{theme}.png").write_bytes, data)
        await browser.close()


async def have_a_chat(sim: Simulator) -> None:
    """Show markdown, a picture, a vote and its answer."""
    sim.registered_domains.add("example.com")
    alice, ming = sim.group(GROUP).member("Alice"), sim.group(GROUP).member("小明", role="admin")
    sim.channel("general").member("Alice")
    await alice.say("markdown")
    await ming.say("picture")
    reply = await alice.say("vote")
    await reply.click("茶 Tea")


async def draw(browser: Browser, sim: Simulator, width: int, theme: str) -> bytes:
    """Return one screenshot, as PNG."""
    page = await browser.new_page(
        locale=LOCALES[theme],
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": width, "height": SIZES[width]},
        device_scale_factor=1.5,
    )
    await page.goto(sim.url)
    if width < 900:
        await page.locator("#panes [data-shows=worlds]").click()
    await page.locator("#conversations button", has_text=GROUP).click()
    await page.locator("#log .keyboard").wait_for()
    await page.locator(f"#tab-{TABS[theme]}").dispatch_event("click")
    await page.mouse.move(width / 2, 0)
    image = Image.open(io.BytesIO(await page.screenshot()))
    await page.close()
    data = io.BytesIO()
    image.convert("RGB").quantize(COLORS).save(data, "PNG", optimize=True)
    return data.getvalue()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
