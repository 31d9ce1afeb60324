"""Saved chats: JSON lines out, JSON lines in, and what is refused."""

import io
import json
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from qqbot.testing import Simulator
from tests.simulator.bare import BareBot

PNG = b"\x89PNG\r\n\x1a\n picture"
MESSAGE = '{"line": "message", "conversation": "G", "from": "user", "id": "1", "time": "2026-01-01T00:00:00+08:00"'


class Chat:
    """The routes for files and chats, with the run's token."""

    def __init__(self, sim: Simulator, http: aiohttp.ClientSession) -> None:
        self._base = f"{sim.api_base}/_sim"
        self._headers = {"Authorization": f"Bearer {sim.control_token}"}
        self._http = http

    async def save(self) -> list[Any]:
        async with self._http.get(f"{self._base}/chat", headers=self._headers) as answer:
            assert answer.status == 200
            return [json.loads(line) for line in (await answer.text()).splitlines()]

    async def open(self, text: str) -> tuple[int, Any]:
        async with self._http.post(f"{self._base}/chat", data=text.encode(), headers=self._headers) as answer:
            return answer.status, await answer.json()

    async def upload(self, data: bytes, name: str, kind: str) -> str:
        headers = {**self._headers, "Content-Type": kind}
        async with self._http.post(f"{self._base}/files?name={name}", data=data, headers=headers) as answer:
            assert answer.status == 200
            url: str = (await answer.json())["url"]
            return url


@pytest.fixture
async def chat(sim: Simulator, bot: BareBot) -> Chat:
    return Chat(sim, bot.http)


async def test_a_chat_comes_back_in_another_run(sim: Simulator, bot: BareBot, chat: Chat) -> None:
    url = await chat.upload(PNG, "cat.png", "image/png")
    channel = sim.channel("general", guild="club")
    channel.member("Zoe", role="admin")
    picture = {"content_type": "image/png", "filename": "cat.png", "url": url}
    sim.push_message("channel", user="Zoe", text="look", conversation=channel.id, attachments=[picture])
    await bot.send_to_group(sim.group("test").id, msg_type=2, markdown={"content": "# plan"})
    sim.dms("Bob", guild="club")
    await sim.user("Alice").share({"ark_type": "map", "fields": {"title": "Museum", "address": "1 Main St"}}, timeout=0)
    saved = await chat.save()
    assert [line["line"] for line in saved].count("message") == 3
    async with Simulator() as other, BareBot(other) as watcher:
        text = "\n".join(json.dumps(line) for line in saved)
        assert await Chat(other, watcher.http).open(text) == (200, {"messages": 3})
        state = other.state()
        assert [message["markdown"] for message in state["messages"]] == [None, "# plan", None]
        card = {"prompt": "[分享]Museum", "ark_type": "map", "ark_name": "位置卡片"}
        assert state["messages"][2]["card"] == {**card, "fields": {"title": "Museum", "address": "1 Main St"}}
        [opened] = [each for each in state["conversations"] if each["scene"] == "channel"]
        assert (opened["name"], opened["guild"], opened["members"][0]["role"]) == ("general", "club", "admin")
        key = url.split("/")[-2]
        async with watcher.http.get(f"{other.api_base}/_sim/files/{key}/cat.png") as answer:
            assert await answer.read() == PNG
        # The same file once more adds nothing.
        assert await Chat(other, watcher.http).open(text) == (200, {"messages": 0})
        # The conversation is the one that people talk in, not a second of that name.
        assert other.channel("general", guild="club").id == opened["id"]


async def test_a_chat_that_is_opened_again_takes_no_more_room(
    bot: BareBot, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qqbot.simulator.state.files._MAX_TOTAL", 3 * len(PNG))
    url = await chat.upload(PNG, "cat.png", "image/png")
    line = json.dumps({"line": "file", "key": "again", "name": "dog.png", "type": "image/png", "data": "AAAA" * 5})
    for _ in range(10):
        assert (await chat.open(line))[0] == 200
    async with bot.http.get(url) as answer:
        assert await answer.read() == PNG


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nonsense", "line 2"),
        ("[]", "not a JSON object"),
        ('{"line": "song"}', "'song' is not a kind of line"),
        ('{"line": "chat", "version": 2}', "version 2"),
        ('{"line": "conversation", "scene": "group"}', "scene and id"),
        ('{"line": "conversation", "scene": "group", "id": "G", "members": [{"name": "x"}]}', "members need"),
        ('{"line": "file", "name": "x"}', "needs a key"),
        ('{"line": "file", "key": "k", "data": "%"}', "not base64"),
        ('{"line": "message", "scene": "group", "conversation": "G", "from": "user"}', "needs an id"),
        ('{"line": "message", "scene": "group", "conversation": "G", "from": "bot", "id": "1"}', "time has to be"),
        (f'{MESSAGE}, "scene": "group", "card": 1}}', "a card is an object"),
        (f'{MESSAGE}, "scene": "group", "card": {{"ark_type": "song"}}}}', "ark_type of a card"),
        (f'{MESSAGE}, "scene": "dms", "card": {{"ark_type": "map", "fields": {{"title": "x"}}}}}}', "no cards in dms"),
        (
            '{"line": "message", "scene": "dms", "conversation": "G", "from": "bot", "id": "1", "time": "2026-01-01"}',
            "time has to be",
        ),
    ],
)
async def test_a_wrong_file_is_refused_and_changes_nothing(sim: Simulator, chat: Chat, line: str, problem: str) -> None:
    before = sim.state()
    good = '{"line": "conversation", "scene": "group", "id": "NEW", "name": "new"}'
    status, answer = await chat.open(f"{good}\n{line}")
    assert (status, "line 2" in answer["error"], problem in answer["error"]) == (400, True, True)
    after = sim.state()
    assert (after["conversations"], after["messages"]) == (before["conversations"], before["messages"])


async def test_an_empty_file_is_refused(chat: Chat) -> None:
    status, answer = await chat.open("\n")
    assert (status, "empty" in answer["error"]) == (400, True)


@pytest.mark.parametrize(("method", "path"), [("POST", "files"), ("GET", "chat"), ("POST", "chat")])
async def test_the_token_is_required(sim: Simulator, bot: BareBot, method: str, path: str) -> None:
    async with bot.http.request(method, f"{sim.api_base}/_sim/{path}", data=b"x") as answer:
        assert answer.status == 401
    assert sim.state()["messages"] == []


async def test_a_huge_file_is_refused(sim: Simulator, bot: BareBot, chat: Chat) -> None:
    headers = {"Authorization": f"Bearer {sim.control_token}"}
    async with bot.http.post(
        f"{sim.api_base}/_sim/files", data=io.BytesIO(bytes((32 << 20) + 1)), headers=headers
    ) as answer:
        assert (answer.status, "32 MiB" in (await answer.json())["error"]) == (413, True)


@pytest.mark.parametrize(
    ("kind", "served", "is_saved"),
    [
        ("image/png", "image/png", False),
        ("audio/wav", "audio/wav", False),
        ("image/svg+xml", "application/octet-stream", True),
        ("text/html", "application/octet-stream", True),
        ("IMAGE/PNG", "image/png", False),
        ("image/png+xml", "application/octet-stream", True),
        ("image/pngx", "application/octet-stream", True),
        ("audio/x+xml", "application/octet-stream", True),
        ("video/", "application/octet-stream", True),
        ("application/xhtml+xml", "application/octet-stream", True),
    ],
)
async def test_a_browser_runs_nothing_of_a_file(
    bot: BareBot, chat: Chat, kind: str, served: str, is_saved: bool
) -> None:
    url = await chat.upload(b"<script>alert(1)</script>", "x y.html", kind)
    async with bot.http.get(url) as answer:
        assert answer.content_type == served
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert ("Content-Disposition" in answer.headers) == is_saved


async def test_a_file_needs_its_whole_address(sim: Simulator, bot: BareBot, chat: Chat) -> None:
    url = await chat.upload(PNG, "cat.png", "image/png")
    wrong = url.replace(url.split("/")[-2], "guess")
    async with bot.http.get(wrong) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    "kind",
    [
        "image/png\r\nSet-Cookie: a=b",
        "image/png\n",
        "image/svg+xml",
        "audio/\x00",
        "video/mp4; charset=x",
        "é/x",
        "x" * 9999,
    ],
)
@pytest.mark.parametrize("name", ["a\r\nb.png", "..", "/", "a/../b", "é" * 300, '"; filename="x.html'])
async def test_a_file_of_a_saved_chat_is_served_as_no_more_than_a_file(
    sim: Simulator, bot: BareBot, chat: Chat, kind: str, name: str
) -> None:
    line = {"line": "file", "key": "k", "name": name, "type": kind, "data": "AAAA"}
    assert (await chat.open(json.dumps(line)))[0] == 200
    async with bot.http.get(f"{sim.api_base}/_sim/files/k/x") as answer:
        assert (answer.status, answer.content_type) == (200, "application/octet-stream")
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
        assert await answer.read() == bytes(3)


async def test_a_file_with_an_odd_name_has_an_address_that_serves_it(chat: Chat, bot: BareBot) -> None:
    for name in ("..", ".", "%2e%2e", "a/b", "x" * 5000, "%00"):
        url = await chat.upload(PNG, quote(name, safe=""), "image/png")
        async with bot.http.get(URL(url, encoded=True)) as answer:
            assert await answer.read() == PNG
