import json
from collections.abc import Callable
from pathlib import Path

import pytest

from qqbot.errors import ConfigError
from qqbot.models.base import UNSET, Body, UnsetType
from qqbot.models.codec import encode
from qqbot.models.keyboards import Button, Keyboard
from qqbot.models.media import FileType, MediaInfo, MediaUploadBody, MediaUploadResult
from qqbot.models.messages import MessageSendResult
from qqbot.models.outgoing.messages import (
    ActionButton,
    Ark,
    Card,
    Embed,
    Extras,
    Markdown,
    MarkdownStyle,
    Media,
    Message,
    MessageStream,
    Outgoing,
    Text,
)
from qqbot.models.outgoing.wire import GuildMessageBody, V2MessageBody, as_outgoing, guild_body, typing_body, v2_body
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


def test_markdown_templates() -> None:
    own = Markdown.template("t_1", {"title": "Hi", "lines": ["a", "b"]}, keyboard=Keyboard.template("k"))
    assert sent(guild_body(own)) == {
        "markdown": {
            "custom_template_id": "t_1",
            "params": [{"key": "title", "values": ["Hi"]}, {"key": "lines", "values": ["a", "b"]}],
        },
        "keyboard": {"id": "k"},
    }
    assert sent(v2_body(Markdown.template(5)))["markdown"] == {"template_id": 5}
    styled = Markdown("x", style=MarkdownStyle(layout=""), force_verify_image_resource=False, process_msg="")
    assert sent(v2_body(styled))["markdown"] == {
        "content": "x",
        "style": {"layout": ""},
        "force_verify_image_resource": False,
        "process_msg": "",
    }


@pytest.mark.parametrize(
    ("ark", "number", "keys"),
    [
        (Ark(99, {"#A#": ""}), 99, {"#A#": ""}),
        (
            Ark.links("d", ["one", ("two", "https://a")], prompt="p"),
            23,
            {
                "#DESC#": "d",
                "#PROMPT#": "p",
                "#LIST#": [[["desc", "one"]], [["desc", "two"], ["link", "https://a"]]],
            },
        ),
        (Ark.thumbnail("t", "m", image="https://i"), 24, {"#TITLE#": "t", "#METADESC#": "m", "#IMG#": "https://i"}),
        (Ark.big_image("t", "https://i"), 37, {"#METATITLE#": "t", "#METACOVER#": "https://i"}),
    ],
)
def test_arks(ark: Ark, number: int, keys: dict[str, object]) -> None:
    body = sent(v2_body(ark))
    wire = body["ark"]
    assert body["msg_type"] == 3
    assert isinstance(wire, dict)
    assert sent(guild_body(ark)) == {"ark": wire}
    assert wire["template_id"] == number
    found = {
        kv["key"]: kv["value"] if "value" in kv else [[list(o.values()) for o in obj["obj_kv"]] for obj in kv["obj"]]
        for kv in wire["kv"]
    }
    assert found == keys


def test_embeds_are_for_guilds() -> None:
    embed = Embed("T", ["a", ("b", "c")], prompt="", thumbnail="https://i")
    assert sent(guild_body(embed)) == {
        "embed": {
            "title": "T",
            "prompt": "",
            "thumbnail": {"url": "https://i"},
            "fields": [{"name": "a"}, {"name": "b", "value": "c"}],
        }
    }
    with pytest.raises(ConfigError, match="guild channels"):
        v2_body(embed)


EXTRAS = Extras(
    quote="q",
    ignore_missing_quote=False,
    subscribe_id="",
    prompt_keyboard=Keyboard([[Button.prompt("More")]]),
    action_button=ActionButton(template_id=0, callback_data="", feedback=False, tts=False),
    stream=MessageStream(state=1, index=0, id="", reset=False),
    feature_id=0,
    wakeup=False,
)


@pytest.mark.parametrize(
    "message", [Text("x", **EXTRAS), Markdown("x", **EXTRAS), Ark(1, {"a": "b"}, **EXTRAS)], ids=["text", "md", "ark"]
)
def test_every_field_of_a_send_can_be_given(message: Message) -> None:
    body = sent(v2_body(message))
    assert body["message_reference"] == {"message_id": "q", "ignore_get_message_error": False}
    assert (body["subscribe_id"], body["feature_id"], body["is_wakeup"]) == ("", 0, False)
    assert body["action_button"] == {"template_id": 0, "callback_data": "", "feedback": False, "tts": False}
    assert body["stream"] == {"state": 1, "index": 0, "id": "", "reset": False}
    prompts = body["prompt_keyboard"]
    assert isinstance(prompts, dict)
    assert prompts["keyboard"]["content"]["rows"][0]["buttons"][0]["render_data"]["style"] == 2
    with pytest.raises(ConfigError, match="subscribe_id, action_button, stream, feature_id, wakeup, prompt_keyboard"):
        guild_body(message)


# `timestamp` is marked for removal; `embed` is refused by groups and C2C; `file_image` makes the body a form.
NOT_BUILT = {"timestamp", "embed", "file_image", "msg_seq"}
TABLE = Path(__file__).parents[2] / "src/qqbot/simulator/wire/data/endpoints.json"


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("send_group_message", V2MessageBody),
        ("send_c2c_message", V2MessageBody),
        ("send_channel_message", GuildMessageBody),
        ("send_dms", GuildMessageBody),
    ],
)
def test_the_bodies_have_the_documented_fields(endpoint: str, body: type[Body]) -> None:
    row = next(row for row in json.loads(TABLE.read_text("utf-8")) if row["name"] == endpoint)
    assert {field["name"] for field in row["body"]} - NOT_BUILT <= set(body.__struct_fields__)


def test_the_typing_notice() -> None:
    assert sent(typing_body(5, ReplyTo(msg_id="m", msg_seq=2))) == {
        "msg_type": 6,
        "input_notify": {"input_type": 1, "input_second": 5},
        "msg_id": "m",
        "msg_seq": 2,
    }
    for seconds in (0, 61):
        with pytest.raises(ConfigError, match="1 to 60"):
            typing_body(seconds, ReplyTo(msg_id="m"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Markdown("text", template_id="t"),
        lambda: Markdown("text", params={"a": ("b",)}),
        lambda: Markdown.template(""),
        lambda: Markdown.template("t", {"a": ""}),
        lambda: Markdown.template("t", {"a": "b\nc"}),
        lambda: Ark(23, {}),
        lambda: Ark.links("d", []),
        lambda: Embed(""),
        lambda: ActionButton(callback_data="x" * 129),
        lambda: Media.image(b""),
        lambda: v2_body(Text("x", wakeup=True), scene=Scene.GROUP),
        lambda: v2_body(Text("x", wakeup=True), ReplyTo(msg_id="m")),
        lambda: guild_body(Media.image(b"x", quote="q")),
    ],
)
def test_mixes_that_the_platform_refuses(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        make()


def test_media_from_here() -> None:
    assert Media.file(Path("/tmp/notes.txt")).name == "notes.txt"
    assert Media.file(b"x").name == "file"
    assert Media.image(b"x").url is None
    assert sent(guild_body(Media.image(b"x", "look"))) == {"content": "look"}


def test_cards() -> None:
    card = Card("News", "https://a/b", description="Two things", pic_url="https://a/c.png", quote="REFIDX_1")
    content = {"title": "News", "description": "Two things", "pic_url": "https://a/c.png", "url": "https://a/b"}
    assert sent(v2_body(card, ReplyTo(msg_id="m", msg_seq=2))) == {
        "msg_type": 8,
        "card": {"type": "tuwen", "content": content},
        "message_reference": {"message_id": "REFIDX_1"},
        "msg_id": "m",
        "msg_seq": 2,
    }
    with pytest.raises(ConfigError, match="groups and C2C only"):
        guild_body(card)
    for title, url in ((" ", "https://a/b"), ("News", "")):
        with pytest.raises(ConfigError, match="a title and an address"):
            Card(title, url)


NEW = {"new": {"a": [1]}, "odd-name": None, "content": "other"}


@pytest.mark.parametrize(
    "message",
    [
        Text("x", extra=NEW),
        Markdown("x", extra=NEW),
        Ark(1, {"a": "b"}, extra=NEW),
        Card("x", "https://a", extra=NEW),
        Media.image("https://a", extra=NEW),
    ],
    ids=["text", "md", "ark", "card", "media"],
)
def test_fields_newer_than_the_package_are_merged_into_the_body(message: Outgoing) -> None:
    body = v2_body(message, ReplyTo(msg_id="m", msg_seq=7), FILE)
    assert isinstance(body, V2MessageBody)
    found = sent(body)
    assert {name: found[name] for name in NEW} == NEW
    assert (found["msg_id"], found["msg_seq"]) == ("m", 7)
    if not isinstance(message, Card):
        assert sent(guild_body(message)).items() >= NEW.items()


def test_an_extra_object_is_merged_with_the_object_of_its_name() -> None:
    message = Markdown("x", extra={"markdown": {"new": 1}, "msg_type": 99})
    assert sent(v2_body(message)) == {"msg_type": 99, "markdown": {"content": "x", "new": 1}}
    assert sent(guild_body(Embed("t", extra={"embed": {"new": 1}}))) == {"embed": {"title": "t", "new": 1}}


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"msg_seq": 1}, "cannot have msg_seq"),
        ({"msg_id": "", "event_id": ""}, "cannot have msg_id, event_id"),
        ({"a": object()}, "JSON can express"),
        ({(): 1}, "JSON can express"),
    ],
)
def test_an_extra_that_cannot_be_sent(extra: dict[str, object], words: str) -> None:
    for send in (v2_body, guild_body):
        with pytest.raises(ConfigError, match=words):
            send(Text("x", extra=extra))
