"""A saved chat of any content: it is opened whole, or refused in words, and nothing of it becomes code."""

import ast
import copy
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qqbot.simulator.control import archive
from qqbot.simulator.page.testcase import as_test
from qqbot.simulator.platform import Platform, PlatformSettings
from qqbot.testing import Simulator
from tests.documents import COUNT
from tests.simulator.bare import JSON_VALUES, BareBot

TIME = "2026-01-31T08:00:00+08:00"
WHERE = {"line": "message", "scene": "group", "conversation": "G", "time": TIME}
BUTTON = {
    "id": "b",
    "render_data": {"label": "B", "visited_label": "B", "style": 0},
    "action": {"type": 1, "permission": {"type": 2}, "data": "x", "modal": {"content": "Sure?"}},
}
CHAT: list[dict[str, Any]] = [
    {"line": "chat", "version": 1, "app_id": "1"},
    {
        "line": "conversation",
        "scene": "group",
        "id": "G",
        "name": "test",
        "guild": None,
        "all_messages": True,
        "mention_tag": False,
        "members": [{"name": "Alice", "id": "A", "role": "admin", "roles": []}, {"name": "Bob", "id": "B"}],
    },
    {
        "line": "conversation",
        "scene": "channel",
        "id": "11",
        "name": "general",
        "guild": "club",
        "members": [{"name": "Zoe", "id": "12"}],
    },
    {"line": "file", "key": "k", "name": "cat.png", "type": "image/png", "data": "iVBORw0KGgo="},
    {
        **WHERE,
        "id": "1",
        "from": "user",
        "author": "Alice",
        "text": "hi @Bob",
        "mention": True,
        "role": "admin",
        "attachments": [
            {
                "content_type": "image/png",
                "filename": "cat.png",
                "url": "http://127.0.0.1:1/_sim/files/k/cat.png",
                "width": 1,
            }
        ],
        "reactions": {"1:4": ["Bob"], "2:127861": ["Alice"]},
        "replies": 1,
        "remarks": [
            {"kind": "failed", "handler": "answer", "error": "ValueError: no", "text": "Traceback"},
            {"kind": "refused", "call": "POST /x", "status": 400, "code": 1, "hint": {"en": "a", "zh": "b"}},
            {"kind": "intent", "event": "X", "intent": 1 << 25},
        ],
    },
    {
        **WHERE,
        "id": "2",
        "from": "bot",
        "author": "bot",
        "kind": "markdown",
        "markdown": "# plan ![x](qqbot-media://image/v1/k)",
        "keyboard": {"content": {"rows": [{"buttons": [BUTTON]}]}},
        "reply_to": "1",
    },
    {**WHERE, "id": "3", "from": "user", "author": "Bob", "kind": "click", "button": "B", "reply_to": "2", "ack": 0},
    {**WHERE, "id": "4", "from": "bot", "author": "bot", "kind": "media", "media": {"kind": "image", "url": "x"}},
    {**WHERE, "id": "5", "from": "system", "author": "", "kind": "notice", "notice": "recalled", "text": "gone"},
    {
        **WHERE,
        "id": "6",
        "from": "bot",
        "author": "bot",
        "ark": {"template_id": 23, "kv": [{"key": "#LIST#", "obj": [{"obj_kv": [{"key": "desc", "value": "d"}]}]}]},
    },
    {
        **WHERE,
        "id": "7",
        "from": "bot",
        "author": "bot",
        "embed": {"title": "t", "fields": [{"name": "n"}], "thumbnail": {"url": "https://a.example/x.png"}},
    },
    {
        **WHERE,
        "id": "8",
        "from": "user",
        "author": "Bob",
        "quote": "2",
        "card": {"ark_type": "map", "fields": {"title": "Museum"}},
    },
]
ODD = [
    "'''",
    '"""\nimport os',
    "${x}",
    "{0}",
    "\\",
    "\r\n",
    "\u2028",
    "\x85",
    "__import__('os')",
    "<script>",
    "1e400",
    "9" * 5000,
]
VALUES = JSON_VALUES | st.sampled_from(ODD) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def as_text(lines: list[Any]) -> str:
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return each member of a document, as what holds it and its key."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


@st.composite
def changed_chats(draw: st.DrawFn) -> str:
    """A saved chat with some members replaced, removed or added, or with its text damaged."""
    lines = copy.deepcopy(CHAT)
    for _ in range(draw(st.integers(1, 4))):
        holder, key = draw(st.sampled_from(places(lines)))
        if not isinstance(holder, dict | list) or (isinstance(holder, list) and key >= len(holder)):
            continue
        match draw(st.integers(0, 2)):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[draw(st.text(max_size=8) | st.sampled_from(ODD))] = draw(VALUES)
            case _:
                holder[key] = draw(VALUES)
    text = as_text(lines)
    if draw(st.integers(0, 9)) == 0:
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(st.text(max_size=5)) + text[start + draw(st.integers(0, 40)) :]
    return text


def new_platform() -> Platform:
    return Platform(PlatformSettings(app_id="1", secret="x"))


@settings(max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(changed_chats(), changed_chats(), changed_chats(), st.text(), st.lists(VALUES).map(as_text)))
def test_any_document_is_opened_whole_or_refused_in_words(caplog: pytest.LogCaptureFixture, saved: str) -> None:
    platform = new_platform()
    before = archive.save(platform)
    if (refusal := refused(archive.load, platform, saved)) is not None:
        assert refusal.startswith(("line ", "the file "))
        assert archive.save(platform) == before
        return
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    again = new_platform()
    archive.load(again, archive.save(platform))
    assert len(again.world.messages()) == len(platform.world.messages())
    for message in platform.world.messages():
        check_drawable(message.document())
    for where in platform.world.all():
        if (refusal := refused(as_test, platform, where)) is None:
            check_harmless(as_test(platform, where))
        else:
            assert "has no messages yet" in refusal


def refused(act: Callable[..., object], *arguments: object) -> str | None:
    """Return why a call is refused, None if it is not."""
    try:
        act(*arguments)
    except ValueError as error:
        return str(error)
    return None


def is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def check_drawable(message: dict[str, Any]) -> None:
    """Check what the scripts of the page take for granted."""
    assert all(is_text(message[name]) for name in ("text", "markdown", "reply_to", "quote", "button", "notice"))
    for button in [each for row in buttons_of(message) for each in row]:
        assert isinstance(button["render_data"]["label"], str)
        assert isinstance(button["action"]["data"], str)
        assert isinstance(button["action"]["permission"].get("specify_user_ids", []), list)
    if (media := message["media"]) is not None:
        assert media["kind"] in ("image", "video", "voice", "file")
        assert is_text(media["url"]) and is_text(media["name"])
    for file in message["attachments"]:
        assert all(is_text(file.get(name)) for name in ("url", "filename", "content_type", "voice_wav_url"))
    for pair in (message["ark"] or {}).get("kv", []):
        assert isinstance(pair.get("value", ""), str)
        assert all(isinstance(each["value"], str) for one in pair.get("obj", []) for each in one["obj_kv"])
    if (embed := message["embed"]) is not None:
        assert all(isinstance(field["name"], str) for field in embed.get("fields", []))
        assert isinstance(embed.get("thumbnail", {}).get("url", ""), str)
    for names in message["reactions"].values():
        assert all(isinstance(name, str) for name in names)
    for remark in message["remarks"]:
        assert isinstance(remark["kind"], str)
        assert isinstance(remark.get("intent") or 0, int)


def buttons_of(message: dict[str, Any]) -> list[list[Any]]:
    content = (message["keyboard"] or {}).get("content")
    return [row["buttons"] for row in content["rows"]] if content else []


METHODS = {"advance", "attachment", "channel", "click", "dms", "expect_error", "group", "mark", "member", "qq", "run"}
METHODS |= {"say", "share", "update", "upload", "user"}
ATTRIBUTES = METHODS | {"bot_is_admin", "card", "clock", "id", "markdown", "media", "messages", "registered_domains"}
ATTRIBUTES |= {"text"}


def check_harmless(source: str) -> None:
    """Check that a copied test only calls the kit, with literals."""
    tree = ast.parse(source)
    assigned = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            assert ast.unparse(node) in (
                "from base64 import b64decode",
                "from bot import bot",
                "import pytest",
            ), ast.unparse(node)
        elif isinstance(node, ast.Attribute):
            assert node.attr in ATTRIBUTES
        elif isinstance(node, ast.Call):
            called = node.func
            assert isinstance(called, ast.Attribute | ast.Name)
            assert isinstance(called, ast.Attribute) or called.id in ("b64decode", "bytes")
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            assert node.id in assigned | {"qq", "bot", "pytest", "b64decode", "bytes"}
    assert [
        type(node) for node in tree.body if not isinstance(node, ast.Expr | ast.ImportFrom | ast.Import | ast.Assign)
    ] in (
        [],
        [ast.AsyncFunctionDef],
    )


def changed(line: int, **members: object) -> str:
    lines = copy.deepcopy(CHAT)
    lines[line] |= members
    return as_text(lines)


@pytest.mark.parametrize(
    ("saved", "problem"),
    [
        (changed(1, name=5), "name must be a string"),
        (changed(1, guild=[]), "guild must be a string"),
        (changed(1, members={}), "members must be an array"),
        (changed(1, members=[1]), "members must be an array of objects"),
        (changed(1, members=[{"name": "x", "id": "y", "role": "king"}]), "role must be one of"),
        (changed(1, members=[{"name": str(n), "id": str(n)} for n in range(5001)]), "5000 members at most"),
        (changed(1, all_messages=1), "all_messages must be true or false"),
        (changed(2, members=[{"name": "Zoe", "id": "x"}]), "ids of guild members are numbers"),
        (changed(2, members=[{"name": "Zoe", "id": "1" * 21}]), "ids of guild members are numbers"),
        (changed(3, key="../x"), "a key of letters"),
        (changed(3, key=5), "a key of letters"),
        (changed(3, type=5), "type must be a string"),
        (changed(3, name=5), "name must be a string"),
        (changed(3, data="é"), "not base64"),
        (changed(4, text=5), "text must be a string"),
        (changed(4, author=None, attachments="x"), "attachments must be an array"),
        (changed(4, attachments=[{"content_type": 5}]), "content_type must be a string"),
        (changed(4, attachments=[{"url": {}}]), "url must be a string"),
        (changed(4, role="king"), "role must be one of"),
        (changed(4, reactions={"1:4": "Bob"}), "reactions have the names"),
        (changed(4, reactions={"1:4": [5]}), "reactions have the names"),
        (changed(4, reactions={"face": ["Bob"]}), "reactions have the names"),
        (changed(4, reactions=[]), "reactions must be an object"),
        (changed(4, replies=-1), "replies must be a whole number"),
        (changed(4, mention="yes"), "mention must be true or false"),
        (changed(4, remarks=[{"kind": 5}]), "kind must be a string"),
        (changed(4, remarks=[{"kind": "intent", "intent": "x"}]), "intent must be a whole number"),
        (changed(4, remarks=[{"kind": "refused", "hint": "x"}]), "hint must be an object"),
        (changed(4, time="20260131T080000+0800"), "time has to be a date"),
        (changed(4, time="2026-01-31T08:00:00"), "time has to be a date"),
        (changed(4, time="2026-02-31T08:00:00Z"), "time has to be a date"),
        (changed(4, kind="a b"), "kind has to be a word"),
        (changed(5, keyboard=5), "not an object"),
        (changed(5, keyboard={"content": {"rows": 5}}), "not an array"),
        (changed(5, keyboard={"content": {"rows": [{"buttons": [{}]}]}}), "render_data is missing"),
        (changed(5, keyboard={"content": {"rows": [{"buttons": [{**BUTTON, "action": []}]}]}}), "not an object"),
        (changed(5, markdown={}), "markdown must be a string"),
        (changed(6, ack="0"), "ack must be a whole number"),
        (changed(6, button=5), "button must be a string"),
        (changed(7, media={"kind": "song"}), "kind must be one of"),
        (changed(7, media={"kind": "image", "url": 5}), "url must be a string"),
        (changed(7, media=[]), "media must be an object"),
        (changed(8, notice="<b>"), "notice has to be a word"),
        (changed(9, ark={"template_id": 1, "kv": [{"key": "#LINK#", "value": [1]}]}), "not of type"),
        (changed(10, embed={"fields": [5]}), "not an object"),
        (changed(10, embed={"thumbnail": "x"}), "not an object"),
        (changed(11, card=[]), "a card is an object"),
    ],
)
def test_what_would_break_the_page_is_refused(saved: str, problem: str) -> None:
    platform = new_platform()
    before = archive.save(platform)
    with pytest.raises(ValueError, match=r"line \d+ of the saved chat: ") as refused:
        archive.load(platform, saved)
    assert problem in str(refused.value)
    assert archive.save(platform) == before


def test_a_whole_chat_comes_back_as_it_was() -> None:
    first, second = new_platform(), new_platform()
    assert archive.load(first, as_text(CHAT)) == 8
    assert archive.load(second, archive.save(first)) == 8
    for one, other in zip(first.world.messages(), second.world.messages(), strict=True):
        assert {**one.document(), "at": 0} == {**other.document(), "at": 0}


@pytest.mark.parametrize("text", ["a\u2028b", "a\x85b", "a\x0bb", "a\x1cb"])
def test_line_separators_in_a_text_do_not_end_a_line(text: str) -> None:
    first, second = new_platform(), new_platform()
    archive.load(first, changed(4, text=text))
    archive.load(second, "\ufeff" + archive.save(first).replace("\n", "\r\n"))
    assert second.world.messages()[0].text == text


async def test_over_http_a_wrong_chat_is_a_4xx(sim: Simulator, bot: BareBot) -> None:
    headers = {"Authorization": f"Bearer {sim.control_token}"}
    for data in (
        b"\xff",
        b"[" * 100_000,
        b"nonsense",
        b"",
        b'{"line":' + b"9" * 5000 + b"}",
        changed(5, keyboard=5).encode(),
    ):
        async with bot.http.post(f"{sim.api_base}/_sim/chat", data=data, headers=headers) as answer:
            assert (answer.status, list(await answer.json())) == (400, ["error"])


def test_a_test_of_a_long_chat_is_written_in_time() -> None:
    platform = new_platform()
    lines = [CHAT[0]]
    for number in range(4000):
        user = {"id": f"u{number}", "from": "user", "author": f"{number}!", "text": "x", "quote": f"b{number - 1}"}
        lines += [
            {**WHERE, **user},
            {**WHERE, "id": f"b{number}", "from": "bot", "text": "y", "reply_to": f"u{number}"},
        ]
    archive.load(platform, as_text(lines))
    assert as_test(platform, platform.world.adopt("group", "G")).count("quote=") == 3999
