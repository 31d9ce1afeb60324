import json

import pytest

from qqbot.codec import encode
from qqbot.errors import ConfigError
from qqbot.models.base import UNSET, Body, UnsetType
from qqbot.models.keyboards import Button, Keyboard
from qqbot.models.media import FileType, MediaInfo, MediaUploadBody, MediaUploadResult
from qqbot.models.messages import MessageSendResult
from qqbot.models.outgoing import Markdown, Media, Message, Text, as_outgoing, guild_body, v2_body
from qqbot.models.targets import ReplyTo, Scene, Target

BUTTONS = Keyboard([[Button.callback("Yes", "y")]])
FILE = MediaInfo(file_info="abc==")


def sent(body: Body) -> dict[str, object]:
    found = json.loads(encode(body))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("message", "media", "body"),
    [
        ("hi", None, {"msg_type": 0, "content": "hi"}),
        (Text("hi"), None, {"msg_type": 0, "content": "hi"}),
        (
            Text("hi", quote="REFIDX_1"),
            None,
            {"msg_type": 0, "content": "hi", "message_reference": {"message_id": "REFIDX_1"}},
        ),
        (Markdown("# hi"), None, {"msg_type": 2, "markdown": {"content": "# hi"}}),
        (Media.image("https://a/b.png"), FILE, {"msg_type": 7, "content": " ", "media": {"file_info": "abc=="}}),
        (Media.video("https://a/b", "look"), FILE, {"msg_type": 7, "content": "look", "media": {"file_info": "abc=="}}),
    ],
)
def test_v2_body(message: Message, media: MediaInfo | None, body: dict[str, object]) -> None:
    assert sent(v2_body(message, media=media)) == body


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ("hi", {"content": "hi"}),
        (Text("hi", quote="08ab"), {"content": "hi", "message_reference": {"message_id": "08ab"}}),
        (Markdown("# hi"), {"markdown": {"content": "# hi"}}),
        (Media.image("https://a/b.png"), {"image": "https://a/b.png"}),
        (Media.image("https://a/b.png", "look"), {"image": "https://a/b.png", "content": "look"}),
    ],
)
def test_guild_body(message: Message, body: dict[str, object]) -> None:
    assert sent(guild_body(message)) == body


def test_a_keyboard_goes_with_markdown() -> None:
    message = Markdown("vote", keyboard=BUTTONS)
    assert sent(v2_body(message))["keyboard"] == sent(BUTTONS.wire) == sent(guild_body(message))["keyboard"]


def test_a_reply_names_what_it_answers() -> None:
    assert sent(v2_body("hi", ReplyTo(msg_id="m", msg_seq=3))) == {
        "msg_type": 0,
        "content": "hi",
        "msg_id": "m",
        "msg_seq": 3,
    }
    assert sent(v2_body("hi", ReplyTo(event_id="e")))["event_id"] == "e"
    assert sent(guild_body("hi", ReplyTo(msg_id="m", msg_seq=3))) == {"content": "hi", "msg_id": "m"}
    assert sent(guild_body("hi", ReplyTo(event_id="e"))) == {"content": "hi", "event_id": "e"}


def test_zero_false_and_empty_reach_the_wire_and_absence_stays_absent() -> None:
    class Sample(Body, frozen=True, kw_only=True):
        number: int | UnsetType = UNSET
        flag: bool | UnsetType = UNSET
        text: str | UnsetType = UNSET

    assert sent(Sample(number=0, flag=False, text="")) == {"number": 0, "flag": False, "text": ""}
    assert sent(Sample()) == {}
    assert sent(v2_body("hi", ReplyTo(msg_id="m", msg_seq=0)))["msg_seq"] == 0
    assert sent(MediaUploadBody(file_type=FileType.IMAGE, url="")) == {
        "file_type": 1,
        "srv_send_msg": False,
        "url": "",
    }


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_empty_messages_are_refused(empty: str) -> None:
    for kind in (Text, Markdown, as_outgoing):
        with pytest.raises(ConfigError, match="is empty"):
            kind(empty)


@pytest.mark.parametrize("url", ["", "b.png", "/tmp/b.png", "ftp://a/b", "https://", "http://[", "data:image/png,x"])
def test_media_needs_a_web_address(url: str) -> None:
    for make in (Media.image, Media.video, Media.voice, Media.file):
        with pytest.raises(ConfigError, match="http"):
            make(url)


def test_what_is_no_message_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="not int"):
        v2_body(5)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="not NoneType"):
        guild_body(None)  # type: ignore[arg-type]


def test_guilds_take_images_only() -> None:
    with pytest.raises(ConfigError, match="not a voice"):
        guild_body(Media.voice("https://a/b"))


def test_media_without_its_upload_is_refused() -> None:
    with pytest.raises(ConfigError, match="upload"):
        v2_body(Media.image("https://a/b"))


def test_a_file_is_named_after_its_address() -> None:
    assert Media.file("https://a/x/report.pdf?v=1").name == "report.pdf"
    assert Media.file("https://a/", name="notes.txt").name == "notes.txt"
    assert Media.file("https://a/%E6%8A%A5%E5%91%8A.pdf").name == "报告.pdf"
    assert Media.file("https://a").name == "file"
    assert Media.image("https://a/b.png").name is None


def test_messages_are_values() -> None:
    assert Text("a") == Text("a") != Text("b")
    assert len({Markdown("a", keyboard=BUTTONS), Markdown("a", keyboard=BUTTONS)}) == 1
    with pytest.raises(AttributeError):
        Text("a").content = "b"  # type: ignore[misc]


@pytest.mark.parametrize("ids", [{}, {"msg_id": ""}, {"msg_id": "m", "event_id": "e"}])
def test_a_reply_answers_exactly_one_thing(ids: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="exactly one"):
        ReplyTo(**ids)  # type: ignore[arg-type]


def test_a_target_needs_an_id() -> None:
    with pytest.raises(ConfigError, match="'group'"):
        Target(Scene.GROUP, "")


def test_answers() -> None:
    assert MediaUploadResult(file_info="abc==").media == FILE
    assert MessageSendResult(id="1").ext_info.ref_idx == ""
