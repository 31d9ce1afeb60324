"""Whether everybody can use the page: axe-core finds nothing, in both themes and both languages."""

import asyncio
from typing import Any

import pytest

from qqbot.testing import Http, Simulator
from tests.browser.driving import GROUP, Page, expect, marks
from tests.browser.showcase import Showcase

axe = pytest.importorskip("axe_playwright_python.async_playwright", reason="axe-playwright-python brings axe-core")

pytestmark = marks

SAYINGS = ("markdown", "vote", "picture", "voice", "file", "ark", "quote me")
TABS = ("frames", "calls", "events", "faults", "sessions", "clock")


async def check(page: Page, place: str, within: str | None = None) -> None:
    """Let axe-core look at the page as it is now, or at what a selector finds."""
    found = (await axe.Axe().run(page, context=within)).response["violations"]
    assert found == [], f"{place}: {[(each['id'], each['nodes'][0]['html']) for each in found]}"


async def have_a_chat(sim: Simulator) -> None:
    """Say something of every kind, let a window close, and recall a message."""
    alice = sim.group(GROUP).member("Alice")
    for text in SAYINGS:
        await alice.say(text)
    fields = {
        "title": "Tea",
        "desc": "Where",
        "jump_url": "https://example.com/tea",
        "preview": "https://example.com/p",
    }
    await alice.share({"ark_type": "tuwen", "fields": {**fields, "tag": "News"}})
    reply = await alice.say("vote")
    await reply.click("茶 Tea")
    await sim.clock.advance(minutes=6)
    sim.faults.add("POST /v2/groups/*/messages", Http(400, body={"code": 40034005, "message": "too old"}))
    await alice.say("refused")
    await alice.say("hello", quote=reply.id)
    await sim.channel("general").member("Alice").say("like")


@pytest.mark.parametrize(("language", "theme"), [("en-GB", "light"), ("zh-CN", "dark")])
async def test_axe_finds_nothing(browser: Any, sim: Simulator, showcase: Showcase, language: str, theme: str) -> None:
    await have_a_chat(sim)
    context = await browser.new_context(
        locale=language, color_scheme=theme, viewport={"width": 1280, "height": 800}, reduced_motion="reduce"
    )
    page = await context.new_page()
    await page.goto(sim.url.partition("#")[0])
    await check(page, "the page without a token")
    await page.goto(sim.url)
    for conversation in (GROUP, "general"):
        await page.get_by_role("button", name=conversation).click()
        await check(page, f"the chat in {conversation}")
    await page.locator(".worlds summary").click()
    await check(page, "the form of a new conversation", ".worlds")
    for tab in TABS:
        await page.locator(f"#tab-{tab}").click()
        for closed in await page.locator(f"#{tab} details:not([open]) > summary").all():
            await closed.click()
            break
        await check(page, f"the tab {tab}", ".inspector")
    await page.get_by_role("button", name=GROUP).click()
    await page.locator("#share").click()
    await page.locator("#card [type=submit]").click()
    await expect(page.locator("#card-unsent")).to_be_visible()
    await check(page, "the card to be sent", "#card")
    await page.keyboard.press("Escape")
    await page.locator("#as-test").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await check(page, "the chat as a test", "dialog")
    await context.close()


async def test_axe_finds_nothing_while_a_stream_is_written_and_the_page_is_lost(
    page: Page, sim: Simulator, showcase: Showcase
) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    story = asyncio.create_task(sim.user("Alice").say("story", timeout=30))
    await page.goto(sim.url)
    await page.get_by_role("navigation", name="Parts of the page").get_by_role("button", name="Conversations").click()
    await check(page, "the conversations of a narrow screen")
    await page.get_by_role("button", name="Alice Private chat").click()
    await expect(page.get_by_text("being written")).to_be_visible()
    await check(page, "a streamed answer")
    showcase.go_on.set()
    await story
