"""The page around the chat: its connection, its address, language and theme, width, and whom it asks."""

from collections.abc import Awaitable, Callable

from qqbot.testing import Simulator
from tests.browser.driving import GROUP, Page, bubble, expect, marks, open_conversation, playwright, say

pytestmark = marks

LOST = "The connection to the simulator is lost"


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
    await open_conversation(page, sim)
    await expect(page.get_by_text("Online")).to_be_visible()
    allowed = False
    await cut.pop()()
    await expect(page.get_by_role("alert").get_by_text(LOST)).to_be_visible()
    await say(page, "said into the void")
    await expect(page.get_by_text("Not sent: the simulator is not connected")).to_be_visible()
    await expect(page.get_by_label("Write as Alice")).to_have_value("said into the void")
    await sim.group(GROUP).member("Alice").say("said meanwhile")
    allowed = True
    await expect(bubble(page, "You said: said meanwhile")).to_be_visible(timeout=15_000)
    await expect(page.get_by_role("alert").get_by_text(LOST)).to_be_hidden()


async def test_a_simulator_that_ended_is_distinguished_from_a_new_one(page: Page) -> None:
    async with Simulator() as first:
        await page.goto(first.url)
        await expect(page.get_by_text("No bot is connected yet")).to_be_visible()
    await expect(page.get_by_text(LOST)).to_be_visible()
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


async def test_both_languages_have_every_sentence(page: Page, sim: Simulator) -> None:
    await page.goto(sim.url)
    places = """async () => {
        const { LANGUAGES } = await import("/_sim/page/i18n.js");
        const placesOf = (sentence) => [...sentence.matchAll(/\\{\\w+\\}/g)].map(([place]) => place).sort();
        return Object.values(LANGUAGES).map((sentences) =>
            Object.entries(sentences).map(([name, sentence]) => [name, ...placesOf(sentence)]).sort());
    }"""
    english, chinese = await page.evaluate(places)
    assert len(english) > 200
    assert english == chinese


async def test_a_narrow_screen_shows_one_column_and_does_not_overflow(page: Page, sim: Simulator) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    for text in ("markdown", "vote", "picture", "voice", "ark"):
        await sim.group(GROUP).member("Alice").say(text)
    long = f"https://example.com/{'long' * 50}"
    await sim.group(GROUP).member("Alice").share({"ark_type": "tuwen", "fields": {"desc": long, "jump_url": long}})
    await page.goto(sim.url)
    panes = page.get_by_role("navigation", name="Parts of the page")
    await panes.get_by_role("button", name="Conversations").click()
    await page.get_by_role("button", name=GROUP).click()
    await expect(bubble(page, "Got a card")).to_be_in_viewport()
    for name, column in (("Inspector", ".inspector"), ("Conversations", ".worlds"), ("Chat", ".chat")):
        await panes.get_by_role("button", name=name, exact=True).click()
        await expect(page.locator(column)).to_be_visible()
        await expect(page.locator(".pane:visible")).to_have_count(1)
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
    assert await page.locator("#log").evaluate("log => log.scrollWidth <= log.clientWidth")


async def test_the_page_asks_nothing_of_any_other_host(page: Page, sim: Simulator) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await open_conversation(page, sim)
    for text in ("markdown", "picture", "video", "ark"):
        await say(page, text)
    await expect(bubble(page, "Ark 23")).to_be_visible()
    origin = sim.url.partition("#")[0]
    assert [url for url in asked if not url.startswith((origin, "data:"))] == []
