import json

import pytest

from qqbot.models import codec
from qqbot.models.rich_text import Elem, ElemType, Paragraph, RichObject, RichText, read_rich_text

OBJECTS: list[dict[str, object]] = [
    {"type": 1, "text_info": {"text": "hi "}},
    {"type": 2, "at_info": {"type": 1, "user_info": {"id": "9", "nick": "Bob"}}},
    {"type": 2, "at_info": {"type": 2, "role_info": {"role_id": 5, "name": "mods", "color": 1}}},
    {"type": 2, "at_info": {"type": 3, "guild_info": {"guild_id": "1", "guild_name": "all"}}},
    {"type": 3, "url_info": {"url": "https://qq.com", "display_text": "a link"}},
    {"type": 4, "emoji_info": {"id": 4, "type": "1", "name": "[smile]"}},
    {"type": 5, "channel_info": {"channel_id": 100010, "channel_name": "lobby"}},
    {"type": 11},
    {"type": 10},
    {"type": 99},
]
decode_objects = codec.decoder(tuple[RichObject, ...])


def test_the_older_form_becomes_the_newer_one() -> None:
    objects = decode_objects(json.dumps(OBJECTS).encode())
    found = read_rich_text(objects)
    assert found.text == "hi @Bob@mods@alla link[smile]#lobby"
    (paragraph,) = found.paragraphs
    kinds = [elem.type for elem in paragraph.elems]
    text = ElemType.TEXT
    assert kinds == [text, text, text, text, ElemType.URL, text, text, ElemType.IMAGE, ElemType.VIDEO, text]
    assert read_rich_text(json.dumps(OBJECTS)) == found
    assert read_rich_text(()) == RichText(paragraphs=())


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"user_info": {"id": "9"}}, "@9"),
        ({"role_info": {"role_id": "5"}}, "@5"),
        ({"guild_info": {"guild_id": "1"}}, "@1"),
        ({}, ""),
    ],
)
def test_a_mention_without_a_name_shows_the_id(info: object, words: str) -> None:
    (mention,) = decode_objects(json.dumps([{"type": 2, "at_info": info}]).encode())
    assert mention.to_elem().words == words


def test_json_in_a_string_and_the_object_itself_are_the_same() -> None:
    rich = RichText(
        paragraphs=(
            Paragraph(elems=(Elem.of_text("bold", bold=True), Elem.of_url("https://qq.com"))),
            Paragraph(elems=(Elem.of_image("https://a/1", width_percent=0.5), Elem.of_video("https://a/2"))),
        )
    )
    assert read_rich_text(codec.encode(rich).decode()) == read_rich_text(rich) == rich
    assert rich.text == "boldhttps://qq.com\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a title",
        "two\nlines\n",
        "{braces}",
        "{}",
        "[1]",
        "[]",
        '[{"a": 1}]',
        "[x",
        "{" * 5000,
        "\ud800{",
        "{\ud800",
    ],
)
def test_a_string_that_is_no_rich_text_is_plain_text(text: str) -> None:
    assert read_rich_text(text).text == text
    assert read_rich_text(text) == RichText.of(text)


def test_an_element_without_a_type_keeps_its_words() -> None:
    assert read_rich_text('{"paragraphs":[{"elems":[{"text":{"text":"x"}}]}]}').text == "x"


def test_what_is_not_given_is_not_sent() -> None:
    rich = RichText(paragraphs=(Paragraph(elems=(Elem.of_text("a"), Elem.of_text("b", italic=True))),))
    assert json.loads(codec.encode(rich)) == {
        "paragraphs": [
            {
                "elems": [
                    {"type": 1, "text": {"text": "a"}},
                    {"type": 1, "text": {"text": "b", "props": {"italic": True}}},
                ]
            }
        ]
    }
    assert json.loads(codec.encode(RichText.of(""))) == {"paragraphs": []}
