"""The chat page in a real browser, against the real simulator and a scripted bot."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from qqbot import Bot, Button, C2CMessageCreate, Context, GroupAtMessageCreate, InteractionCreate, Keyboard, Markdown
from qqbot.testing import Simulator

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
MARKUP = "<img src=x onerror=alert(1)>"

playwright = pytest.importorskip(
    "playwright.async_api", reason="the page's tests drive a browser: install playwright (pip install playwright)"
)
Page = playwright.Page
expect = playwright.expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"the page's tests need {CHROMIUM}: apt-get install chromium"),
]


def scripted_bot() -> Bot:
    """Echo with a button below; say what was pressed."""
    bot = Bot()
    keyboard = Keyboard([[Button.callback("Once more", "again")]])

    @bot.on
    async def echo(ctx: Context[GroupAtMessageCreate | C2CMessageCreate]) -> None:
        await ctx.reply(Markdown(f"You said: {ctx.text} {MARKUP}", keyboard=keyboard))

    @bot.on
    async def press(ctx: Context[InteractionCreate]) -> None:
        await ctx.ack()
        await ctx.reply(f"You pressed {ctx.event.button_data}")

    return bot


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as sim, sim.run(scripted_bot()):
        sim.group(GROUP).member("Alice")
        yield sim


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """An English page 1280 wide. An error in its scripts, also a breach of its content policy, fails the test."""
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(locale="en-GB", viewport={"width": 1280, "height": 800})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: "Content Security" in message.text and errors.append(message.text))
        yield page
        await browser.close()
    assert errors == []


async def open_group(page: Page, sim: Simulator) -> None:
    await page.goto(sim.url)
    await page.get_by_role("navigation", name="Conversations").get_by_role("button", name=GROUP).click()


async def say(page: Page, text: str) -> None:
    """Write as Alice and press Enter."""
    await page.get_by_label("Write as Alice").fill(text)
    await page.keyboard.press("Enter")


async def test_a_group_chats_with_the_bot_as_plain_text(page: Page, sim: Simulator) -> None:
    await open_group(page, sim)
    await expect(page.get_by_text("Say hello to your bot")).to_be_visible()
    await say(page, "hello")
    log = page.get_by_role("log")
    await expect(log.get_by_text(f"You said: hello {MARKUP}")).to_be_visible()
    await expect(log.locator("img")).to_have_count(0)
    await expect(page.get_by_text("Say hello to your bot")).to_be_hidden()


async def test_a_private_chat_has_no_mention_switch(page: Page, sim: Simulator) -> None:
    await sim.user("Alice").say("first")
    await page.goto(sim.url)
    await page.get_by_role("button", name="Alice Private chat").click()
    await expect(page.locator("#mention")).to_be_hidden()
    await say(page, "second")
    await expect(page.get_by_text("You said: second")).to_be_visible()


async def test_without_mention_the_bot_is_not_addressed(page: Page, sim: Simulator) -> None:
    await open_group(page, sim)
    await page.locator("#mention").click()
    await say(page, "small talk")
    await expect(page.get_by_role("log").get_by_text("small talk")).to_be_visible()
    await page.locator("#mention").click()
    await say(page, "to the bot")
    await expect(page.get_by_text("You said: to the bot")).to_be_visible()
    await expect(page.get_by_text("You said: small talk")).to_have_count(0)


async def test_a_pressed_button_tells_so_and_the_bot_answers(page: Page, sim: Simulator) -> None:
    await open_group(page, sim)
    await say(page, "hello")
    await page.get_by_role("button", name="Once more").click()
    await expect(page.get_by_text("“Once more”: pressed")).to_be_visible()
    await expect(page.get_by_text("acknowledged by the bot")).to_be_visible()
    await expect(page.get_by_text("You pressed again")).to_be_visible()


async def test_frames_and_calls_open_to_their_json(page: Page, sim: Simulator) -> None:
    await open_group(page, sim)
    await say(page, "hello")
    await page.get_by_role("tabpanel", name="Frames").get_by_text("GROUP_AT_MESSAGE_CREATE").click()
    await expect(page.get_by_role("tabpanel").locator("pre")).to_contain_text('"t": "GROUP_AT_MESSAGE_CREATE"')
    await page.get_by_role("tab", name="Frames").press("ArrowRight")
    await page.get_by_role("tabpanel", name="Calls").get_by_text("/messages").click()
    await expect(page.get_by_role("tabpanel").locator("pre").first).to_contain_text("You said: hello")


async def test_a_fault_shows_the_bot_resuming(page: Page, sim: Simulator) -> None:
    await page.goto(sim.url)
    await page.get_by_role("tab", name="Faults").click()
    await page.get_by_role("button", name="Close with 4009").click()
    await expect(page.get_by_text("“Close with 4009”: done")).to_be_visible()
    await page.get_by_role("tab", name="Frames").click()
    await expect(page.get_by_role("tabpanel", name="Frames").get_by_text("RESUMED")).to_be_visible(timeout=15_000)
    await expect(page.get_by_role("region", name="Bot")).to_contain_text("1 of 1 shards ready")


async def test_a_lost_connection_shows_a_banner_and_comes_back_with_a_new_snapshot(page: Page, sim: Simulator) -> None:
    cut: list[Callable[[], Awaitable[None]]] = []
    allowed = True

    async def relay(socket: playwright.WebSocketRoute) -> None:
        if not allowed:
            await socket.close()
            return
        socket.connect_to_server()
        cut.append(socket.close)

    await page.route_web_socket("**/_sim/ws", relay)
    await open_group(page, sim)
    await expect(page.get_by_text("Online")).to_be_visible()
    allowed = False
    await cut.pop()()
    await expect(page.get_by_role("alert").get_by_text("The connection to the simulator is lost")).to_be_visible()
    await sim.group(GROUP).member("Alice").say("said meanwhile")
    allowed = True
    await expect(page.get_by_text("You said: said meanwhile")).to_be_visible(timeout=15_000)
    await expect(page.get_by_role("alert").get_by_text("The connection to the simulator is lost")).to_be_hidden()


async def test_a_simulator_that_ended_is_told_from_a_new_one(page: Page) -> None:
    async with Simulator() as first:
        await page.goto(first.url)
        await expect(page.get_by_text("No bot is connected yet")).to_be_visible()
    await expect(page.get_by_text("The connection to the simulator is lost")).to_be_visible()
    port = int(first.url.split(":")[2].split("/")[0])
    async with Simulator(port):
        await expect(page.get_by_text("The simulator does not accept this token")).to_be_visible(timeout=15_000)


async def test_an_address_without_token_says_what_to_do(page: Page, sim: Simulator) -> None:
    await page.goto(sim.url.partition("#")[0])
    await expect(page.get_by_role("heading", name="This address has no token")).to_be_visible()
    await expect(page.get_by_text("Open that whole address")).to_be_visible()


async def test_language_and_theme_are_remembered(page: Page, sim: Simulator) -> None:
    await page.goto(sim.url)
    await page.get_by_role("button", name="中文").click()
    await page.get_by_role("button", name="主题：跟随系统").click()
    await page.reload()
    await expect(page.get_by_role("button", name="主题：浅色")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


async def test_a_narrow_screen_shows_one_column_and_does_not_overflow(page: Page, sim: Simulator) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(sim.url)
    panes = page.get_by_role("navigation", name="Parts of the page")
    for name, column in (("Inspector", ".inspector"), ("Conversations", ".worlds"), ("Chat", ".chat")):
        await panes.get_by_role("button", name=name, exact=True).click()
        await expect(page.locator(column)).to_be_visible()
        await expect(page.locator(".pane:visible")).to_have_count(1)
        assert await page.evaluate("document.documentElement.scrollWidth") == 390


async def test_the_page_asks_nothing_of_any_other_host(page: Page, sim: Simulator) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await open_group(page, sim)
    await say(page, "hello")
    await expect(page.get_by_text("You said: hello")).to_be_visible()
    origin = sim.url.partition("#")[0]
    assert [url for url in asked if not url.startswith((origin, "data:"))] == []
