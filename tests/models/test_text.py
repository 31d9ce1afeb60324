import time
from base64 import b64encode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqbot.errors import ConfigError
from qqbot.models.rich_text import read_rich_text
from qqbot.models.text import (
    ChannelLink,
    CommandEnter,
    CommandInput,
    EmojiTag,
    EveryoneMention,
    Face,
    Tag,
    UserMention,
    escape,
    faces_as_text,
    parse_command,
    parse_tags,
    strip_leading_mentions,
    strip_mentions,
    strip_mentions_of,
    unescape,
)

NBSP = "\u00a0"
SMILE = b64encode('{"text":"[笑]"}'.encode()).decode()


@pytest.mark.parametrize(
    ("text", "leading", "everywhere"),
    [
        ("", "", ""),
        (" hi ", "hi", "hi"),
        ("<@!42> hi", "hi", "hi"),
        (f"<@42>{NBSP}hi", "hi", "hi"),
        (f"a{NBSP}b", "a b", "a b"),
        ("<@!1> <@2>hi <@3> there", "hi <@3> there", "hi there"),
        ('<qqbot-at-user id="A-1" /> hi', "hi", "hi"),
        ("<qqbot-at-everyone /> hi", "hi", "hi"),
        ("@everyone hi", "hi", "hi"),
        ("@everyoneelse hi", "@everyoneelse hi", "@everyoneelse hi"),
        ("hi <@!1>", "hi <@!1>", "hi"),
        ("a<@1>b", "a<@1>b", "a b"),
        ("<@ 1> hi", "<@ 1> hi", "<@ 1> hi"),
        ("<#5> <emoji:4> hi", "<#5> <emoji:4> hi", "<#5> <emoji:4> hi"),
        ("<@!42>", "", ""),
    ],
)
def test_mentions_are_stripped(text: str, leading: str, everywhere: str) -> None:
    assert strip_leading_mentions(text) == leading
    assert strip_mentions(text) == everywhere


def test_only_the_mentions_of_one_user_are_stripped() -> None:
    assert strip_leading_mentions('<@!42> <qqbot-at-user id="42" />hi <@!42>', "42") == "hi <@!42>"
    assert strip_leading_mentions("<@!7> hi", "42") == "<@!7> hi"
    assert strip_leading_mentions("<@!427> hi", "42") == "<@!427> hi"
    assert strip_leading_mentions("<@!a.b>hi", "a.b") == "hi"
    assert strip_leading_mentions("<@!axb>hi", "a.b") == "<@!axb>hi"
    assert strip_leading_mentions("<@!7> hi", "") == "<@!7> hi"


def test_escaping() -> None:
    assert escape("<@1> & <b>") == "&lt;@1&gt; &amp; &lt;b&gt;"
    assert unescape("&lt;b&gt; &amp;") == "<b> &"
    assert unescape("&amp;lt;") == "&lt;"


@given(st.text())
def test_unescape_undoes_escape(text: str) -> None:
    assert unescape(escape(text)) == text
    assert parse_tags(escape(text).replace("@", "")) == ([escape(text).replace("@", "")] if text.strip("@") else [])


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("/weather 北京", "weather", "北京"),
        (" /weather", "weather", ""),
        (f"<@!42>{NBSP}/weather{NBSP}a  b ", "weather", "a  b"),
        ("/say two\nlines", "say", "two\nlines"),
        ("／天气 北京", "天气", "北京"),
        ("weather 北京", "", "weather 北京"),
        ("<@!42> hi", "", "hi"),
        ("/ weather", "", "/ weather"),
        ("/", "", "/"),
        ("", "", ""),
    ],
)
def test_parse_command(text: str, name: str, rest: str) -> None:
    assert parse_command(text) == (name, rest)


TAGS: list[tuple[Tag, str]] = [
    (UserMention("E4F4"), '<qqbot-at-user id="E4F4" />'),
    (EveryoneMention(), "<qqbot-at-everyone />"),
    (ChannelLink("100010"), "<#100010>"),
    (EmojiTag("4"), "<emoji:4>"),
    (CommandEnter("/help me"), '<qqbot-cmd-enter text="%2Fhelp%20me" />'),
    (CommandInput("/a"), '<qqbot-cmd-input text="%2Fa" reference="false" />'),
    (
        CommandInput("/a", '看 "it"', True),
        '<qqbot-cmd-input text="%2Fa" show="%E7%9C%8B%20%22it%22" reference="true" />',
    ),
    (Face(4, "", "[笑]"), f'<faceType=4,faceId="",ext="{SMILE}">'),
]


@pytest.mark.parametrize(("tag", "written"), TAGS, ids=repr)
def test_a_tag_is_written_and_read(tag: Tag, written: str) -> None:
    assert str(tag) == f"{tag}" == written
    assert parse_tags(written) == [tag]


def test_tags_stand_between_words() -> None:
    text = "a <@!1><@2> <#3>, <emoji:4>@everyone &lt;<x> <qqbot-at-user id='5'>"
    pieces = parse_tags(text)
    assert pieces == [
        *("a ", UserMention("1"), UserMention("2"), " ", ChannelLink("3"), ", ", EmojiTag("4"), EveryoneMention()),
        " &lt;<x> <qqbot-at-user id='5'>",
    ]
    assert parse_tags("".join(map(str, pieces))) == pieces
    assert parse_tags("") == []


@pytest.mark.parametrize(
    "words",
    [
        "<qqbot-at-user />",
        '<qqbot-at-user id="" />',
        '<qqbot-cmd-enter text="" />',
        '<qqbot-cmd-input show="x" />',
        f'<qqbot-cmd-enter text="{"x" * 101}" />',
        "<@>",
        "<#>",
        "a < b > c",
    ],
)
def test_what_is_no_complete_tag_is_words(words: str) -> None:
    assert parse_tags(f"{words} <@1>") == [f"{words} ", UserMention("1")]


@pytest.mark.parametrize("ext", ["", "!", "bm8=", "W10=", "e30=", "eyJ0ZXh0IjogMX0="])
def test_a_face_whose_name_cannot_be_read_has_none(ext: str) -> None:
    (face,) = parse_tags(f'<faceType=1,faceId="13",ext="{ext}">')
    assert isinstance(face, Face)
    assert (face.type, face.id) == (1, "13")
    assert face.text in ("", "1")


@given(st.text(alphabet=st.sampled_from('<>@!#:"= /axé\u00a0\n') | st.characters()))
def test_no_text_is_too_odd(text: str) -> None:
    assert all(not isinstance(piece, str) or piece for piece in parse_tags(text))
    strip_mentions(text)
    name, rest = parse_command(text)
    assert name or rest == strip_leading_mentions(text)


@pytest.mark.parametrize("identity", ["", "a b", '"', "<", ">"])
def test_an_id_that_would_break_the_tag_is_refused(identity: str) -> None:
    for tag in (UserMention(identity), ChannelLink(identity), EmojiTag(identity)):
        with pytest.raises(ConfigError, match="is not an id"):
            str(tag)


def test_attributes_are_checked() -> None:
    for make in (CommandEnter, CommandInput):
        with pytest.raises(ConfigError, match="needs a text"):
            make("")
        with pytest.raises(ConfigError, match="has 101 characters"):
            make("x" * 101)
        make("北" * 100)
    with pytest.raises(ConfigError, match="show"):
        CommandInput("a", "x" * 101)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("plain", "plain"),
        ('<faceType=4,faceId="",ext="eyJ0ZXh0IjoiW+W+rueskV0ifQ==">', "[微笑]"),
        ('a<faceType=1,faceId="9",ext="eyJ0ZXh0Ijoic21pbGUifQ==">b', "a[smile]b"),
        ('<faceType=1,faceId="9",ext="?">', '<faceType=1,faceId="9",ext="?">'),
        ('<faceType=1,faceId="9",ext="e30=">', '<faceType=1,faceId="9",ext="e30=">'),
    ],
)
def test_faces_are_readable(text: str, words: str) -> None:
    assert faces_as_text(text) == words


def test_the_mentions_of_some_users_are_stripped() -> None:
    assert strip_mentions_of("<@7> hi <@8> all", ["7", "8"]) == "hi all"
    assert strip_mentions_of("<@7> hi", ["", "8"]) == "<@7> hi"
    assert strip_mentions_of("<@!a.b>hi", ["axb"]) == "<@!a.b>hi"
    assert strip_mentions_of(" hi ", []) == "hi"


PIECES = [
    "<",
    "<@",
    "<@!",
    "<@a",
    "<@a>",
    "@everyone",
    "<qqbot-at-user",
    '<qqbot-at-user id="a"',
    "<qqbot-at-user ",
    "<#",
    "<#a",
    "<emoji:",
    "<emoji:1",
    "<faceType=",
    '<faceType=1,faceId="',
    '<faceType=1,faceId="",ext="',
    "<qqbot-cmd-enter",
    '<qqbot-cmd-enter a="',
    ' a="<qqbot-cmd-enter b="',
    '<qqbot-cmd-input text="a" ',
    ' a="b"',
    '"',
    " ",
    "\u00a0",
    "\n",
    "/",
    "&lt;",
    "&amp;",
    "a",
    "1",
    "=",
    '<faceType=1,faceId="1",ext="eyJ0ZXh0IjoiWzFdIn0=">',
    "[",
    "{",
    '{"a":',
    '[{"type":1},',
]
READERS: list[Callable[[str], object]] = [
    strip_leading_mentions,
    strip_mentions,
    lambda text: strip_leading_mentions(text, "a"),
    lambda text: strip_mentions_of(text, ["a", "b" * 30, "c"]),
    faces_as_text,
    unescape,
    escape,
    parse_command,
    parse_tags,
    read_rich_text,
]


@pytest.mark.parametrize("read", READERS)
def test_a_long_text_of_any_form_is_read_in_linear_time(read: Callable[[str], object]) -> None:
    for piece in PIECES:
        for text in (piece * (60_000 // len(piece)), "<qqbot-cmd-enter" + piece * (60_000 // len(piece)) + ">"):
            before = time.process_time()
            read(text)
            assert time.process_time() - before < 1.0, piece


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=30).map("".join))
def test_no_text_of_such_pieces_is_too_odd(text: str) -> None:
    for read in READERS:
        read(text)
    assert isinstance("".join(map(str, parse_tags(text))), str)


@pytest.mark.parametrize("number", ["9" * 5000, "1" * 10])
def test_a_face_with_a_number_that_is_none_is_text(number: str) -> None:
    text = f'<faceType={number},faceId="1",ext="">'
    assert parse_tags(text) == [text]


@pytest.mark.parametrize(
    "ext", ["[" * 5000, '{"text":' + "[" * 900 + "]" * 900 + "}", '{"text":' + "9" * 4000 + "}", '"\\ud800"']
)
def test_a_face_with_an_odd_name_has_none(ext: str) -> None:
    text = f'<faceType=1,faceId="1",ext="{b64encode(ext.encode()).decode()}">'
    assert parse_tags(text) == [Face(1, "1", "")]
    assert faces_as_text(text) == text
