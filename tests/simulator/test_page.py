import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

import qqbot.simulator
from qqbot.testing import Simulator
from tests.simulator.bare import BareBot
from tests.simulator.test_messages import keyboard

FILES = Path(qqbot.simulator.__file__).parent / "page" / "static"


class Page:
    """A page's websocket."""

    def __init__(self, sim: Simulator, http: aiohttp.ClientSession) -> None:
        self._sim = sim
        self._http = http
        self._numbers = iter(range(1, 100))

    async def __aenter__(self) -> Self:
        self.ws = await self._http.ws_connect(f"{self._sim.api_base}/_sim/ws")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.ws.close()

    async def send(self, **document: object) -> None:
        await self.ws.send_str(json.dumps(document))

    async def next(self, kind: str, part: str | None = None) -> Any:
        while True:
            message = await self.ws.receive(5)
            assert message.type is aiohttp.WSMsgType.TEXT, message
            document = json.loads(message.data)
            if document["kind"] == kind and part in (None, document.get("part")):
                return document

    async def do(self, **document: object) -> Any:
        await self.send(id=next(self._numbers), **document)
        return await self.next("result")


@pytest.fixture
async def page(sim: Simulator, bot: BareBot) -> AsyncIterator[Page]:
    async with Page(sim, bot.http) as page:
        await page.send(auth=sim.control_token)
        yield page


async def test_files(sim: Simulator, bot: BareBot) -> None:
    async with bot.http.get(sim.api_base + "/") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        assert await response.read() == (FILES / "index.html").read_bytes()
    for file in (path for path in FILES.rglob("*") if path.is_file()):
        async with bot.http.get(f"{sim.api_base}/_sim/page/{file.relative_to(FILES).as_posix()}") as response:
            assert response.status == 200
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            policy = response.headers["Content-Security-Policy"]
            for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
                assert rule in policy
            assert "unsafe" not in policy


@pytest.mark.parametrize("name", ["nothing.js", "..", "%2e%2e%2fsimulator.py", "..%2F__init__.py", "", "__init__.py"])
async def test_nothing_else_is_served(sim: Simulator, bot: BareBot, name: str) -> None:
    async with bot.http.get(f"{sim.api_base}/_sim/page/{name}") as response:
        assert response.status in (401, 404)


async def test_snapshot_and_patches(sim: Simulator, bot: BareBot, page: Page) -> None:
    snapshot = (await page.next("snapshot"))["state"]
    shown = {"bot", "conversations", "messages", "frames", "calls", "clock", "limits", "events"}
    shown |= {"quotas", "webhook", "faults", "fault_kinds", "card_types"}
    assert set(snapshot) == shown
    assert snapshot["bot"]["online"] is False
    await bot.connect_ready()
    assert (await page.next("patch", "bot"))["value"]["online"] is True
    sent = (await bot.send_to_group(sim.group("test").id, content="hello"))[1]
    message = (await page.next("patch", "messages"))["value"]
    assert (message["id"], message["text"], message["from"]) == (sent["id"], "hello", "bot")
    assert (await page.next("patch", "calls"))["value"]["status"] == 200
    sim.group("new").member("Zoe")
    assert (await page.next("patch", "conversations"))["value"][-1]["name"] == "new"


async def test_say_click_and_fault(sim: Simulator, bot: BareBot, page: Page) -> None:
    socket = await bot.connect_ready()
    group = sim.group("test").id
    said = await page.do(do="say", scene="group", conversation=group, user="Bob", text="hello", mention=True)
    assert said["ok"] is True
    assert (await socket.next())["d"]["author"]["username"] == "Bob"
    sent = (await bot.send_to_group(group, msg_type=2, markdown={"content": "x"}, keyboard=keyboard()))[1]["id"]
    assert (await page.do(do="click", message=sent, button="label 0", user="Bob"))["ok"] is True
    assert (await socket.next())["t"] == "INTERACTION_CREATE"
    result = await page.do(do="click", message=sent, button="no such button", user="Bob")
    assert (result["ok"], "there is no button" in result["error"]) == (False, True)
    assert [message["kind"] for message in sim.state()["messages"]] == ["text", "markdown", "click"]
    assert (await page.do(do="fault", kind="close", code=4009))["ok"] is True
    assert await socket.close_code() == 4009
    result = await page.do(do="fault", kind="close", code=4009)
    assert (result["ok"], "no connection" in result["error"]) == (False, True)
    assert (await page.do(do="nonsense"))["ok"] is False


@pytest.mark.parametrize("first", ['{"auth": "wrong"}', "{}", "nonsense", '{"auth": 1}', '{"do": "say"}'])
async def test_wrong_token(sim: Simulator, bot: BareBot, first: str) -> None:
    async with Page(sim, bot.http) as page:
        await page.ws.send_str(first)
        assert (await page.ws.receive(5)).type is aiohttp.WSMsgType.CLOSE
        assert page.ws.close_code == 1008


async def test_a_page_that_cannot_follow_gets_a_new_snapshot(sim: Simulator, bot: BareBot, page: Page) -> None:
    await page.next("snapshot")
    await bot.connect_ready()
    for number in range(3000):
        sim.push_message("group", text=str(number))
    snapshot = (await page.next("snapshot"))["state"]
    assert snapshot["messages"][-1]["text"] == "2999"
    assert len(snapshot["messages"]) == 500


async def test_two_pages(sim: Simulator, bot: BareBot, page: Page) -> None:
    async with Page(sim, bot.http) as other:
        await other.send(auth=sim.control_token)
        await asyncio.gather(page.next("snapshot"), other.next("snapshot"))
        sim.push_message("c2c", text="x")
        one, two = await asyncio.gather(page.next("patch", "messages"), other.next("patch", "messages"))
        assert one == two
