"""The documentation site as readers see it: axe-core finds nothing, search works, no other host is asked."""

import functools
import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.driving import Page, expect, marks, watch

axe = pytest.importorskip("axe_playwright_python.async_playwright", reason="axe-playwright-python brings axe-core")
pytest.importorskip("zensical", reason="zensical builds the site: the dependency group `docs`")

pytestmark = [*marks, pytest.mark.timeout(300)]  # the build takes ten seconds where nothing else runs

PAGES = ("", "start/", "sending/", "webhook/", "api/errors/", "examples/hello/")
SIZES = {"light": {"width": 1280, "height": 800}, "dark": {"width": 390, "height": 844}}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site, below a prefix, as a host of pages serves it."""
    from website.build import build

    root = tmp_path_factory.mktemp("www")
    build(root / "qqbot", lenient=True)  # `nox -s docs` is strict
    handler = functools.partial(Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/qqbot"
        server.shutdown()
        serving.join()


@pytest.mark.parametrize("theme", SIZES)
@pytest.mark.parametrize("place", ["", "en/"])
async def test_axe_finds_nothing(browser: Any, site: str, place: str, theme: str) -> None:
    context = await browser.new_context(color_scheme=theme, viewport=SIZES[theme])
    page = await context.new_page()
    errors: list[str] = []
    asked: list[str] = []
    watch(page, errors)
    page.on("request", lambda request: asked.append(request.url))
    for path in PAGES:
        await page.goto(f"{site}/{place}{path}")
        await expect(page.locator("h1")).to_be_visible()
        found = (await axe.Axe().run(page)).response["violations"]
        assert found == [], f"{place}{path}: {[(each['id'], each['nodes'][0]['html']) for each in found]}"
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is too wide"
    assert [url for url in asked if not url.startswith((site, "data:", "blob:"))] == []
    assert errors == []
    await context.close()


async def test_the_language_switch_leads_to_the_same_page(page: Page, site: str) -> None:
    for path in ("", "start/", "resources/c2c/"):
        await page.goto(f"{site}/{path}")
        await page.get_by_role("link", name="English").click()
        await expect(page).to_have_url(f"{site}/en/{path}")
        await page.get_by_role("link", name="中文").click()
        await expect(page).to_have_url(f"{site}/{path}")


@pytest.mark.parametrize(
    ("place", "words", "title"),
    [("", "沙箱配置", "连上 QQ"), ("", "meant_for_me", "写一个机器人"), ("en/", "generate AppSecret", "On QQ")],
)
async def test_search_finds_words(page: Page, site: str, place: str, words: str, title: str) -> None:
    await page.goto(f"{site}/{place}")
    await page.locator("dialog input").wait_for(state="attached")  # the theme adds its dialog when it is ready
    await page.locator(".md-search__button").click()
    await page.locator("dialog input").fill(words)
    await expect(page.get_by_text(title, exact=True).first).to_be_visible()
