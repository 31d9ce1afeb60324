"""Null, or nothing, where a list is documented, in every model, event and answer."""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

import qqbot.models
from qqbot.api.route_table import ROUTES
from qqbot.errors import DecodeError
from qqbot.models.base import Model
from qqbot.models.codec import decoder
from qqbot.models.events import EVENTS, UnknownEvent, decode_event
from qqbot.models.forums import PostInfo, ThreadInfo
from qqbot.models.rich_text import RichText, read_rich_text

for module in pkgutil.iter_modules(qqbot.models.__path__, "qqbot.models."):
    importlib.import_module(module.name)

LISTS = (inspect.ListType, inspect.VarTupleType)


def subclasses(kind: type) -> Iterator[Any]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


MODELS = sorted(set(subclasses(Model)) - {UnknownEvent}, key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")


def lists_of(kind: Any) -> list[inspect.Field]:
    shape = inspect.type_info(kind)
    assert isinstance(shape, inspect.StructType)
    return [field for field in shape.fields if isinstance(field.type, LISTS)]


PLAIN: dict[type[inspect.Type], object] = {
    inspect.StrType: "1",
    inspect.IntType: 1,
    inspect.FloatType: 1,
    inspect.BoolType: True,
    inspect.DateTimeType: "2026-03-01T09:48:47+08:00",
    inspect.DictType: {},
}


def sample(shape: inspect.Type, lists: object, depth: int = 0) -> object:
    """Return a value on the wire for `shape`, with `lists` in place of each list."""
    match shape:
        case inspect.StructType():
            fields = [field for field in shape.fields if field.required or depth < 4]
            return {field.encode_name: sample(field.type, lists, depth + 1) for field in fields}
        case inspect.ListType() | inspect.VarTupleType():
            return lists
        case inspect.UnionType():
            return sample(next(each for each in shape.types if not isinstance(each, inspect.NoneType)), lists, depth)
        case inspect.EnumType():
            return next(iter(shape.cls)).value
        case _:
            return PLAIN.get(type(shape))


def assert_empty(value: object) -> None:
    """Check that every list inside `value` is empty."""
    if isinstance(value, msgspec.Struct):
        for field in lists_of(type(value)):
            assert len(getattr(value, field.name)) == 0, f"{type(value).__name__}.{field.name}"
        for name in value.__struct_fields__:
            assert_empty(getattr(value, name))


@pytest.mark.parametrize("lists", [None, {}, []], ids=["null", "object", "empty"])
@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__qualname__)
def test_no_list_in_any_model(kind: Any, lists: object) -> None:
    found = decoder(kind)(json.dumps(sample(inspect.type_info(kind), lists)).encode())
    assert isinstance(found, kind)
    assert_empty(found)


@pytest.mark.parametrize("kind", [kind for kind in MODELS if lists_of(kind)], ids=lambda kind: kind.__qualname__)
def test_lists_that_are_absent(kind: Any) -> None:
    whole = sample(inspect.type_info(kind), None)
    assert isinstance(whole, dict)
    for field in lists_of(kind):
        del whole[field.encode_name]
    found = decoder(kind)(json.dumps(whole).encode())
    assert_empty(found)


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_no_list_in_any_event(name: str) -> None:
    body = json.dumps(sample(inspect.type_info(EVENTS[name]), None)).encode()
    found = decode_event(name, body)
    assert not isinstance(found, UnknownEvent)
    assert_empty(found)


BARE = [
    "list_my_guilds",
    "list_guild_members",
    "list_channel_messages",
    "list_channels",
    "list_voice_members",
    "list_webhook_sessions",
    "list_schedules",
]


@pytest.mark.parametrize("name", BARE)
@pytest.mark.parametrize("answer", [b"null", b" null ", b"{}", b"[]"])
def test_no_list_as_an_answer(name: str, answer: bytes) -> None:
    assert list(ROUTES[name].decode(answer)) == []


@pytest.mark.parametrize("name", ["list_my_guilds", "list_channels"])
def test_an_object_is_a_list_of_one(name: str) -> None:
    assert [each.id for each in ROUTES[name].decode(b'{"id":"7"}')] == ["7"]
    with pytest.raises(DecodeError):
        ROUTES[name].decode(b'{"message":"something else"}')


def test_a_list_of_one_is_an_object() -> None:
    assert ROUTES["get_me"].decode(b'[{"id":"7"}]').id == "7"


@pytest.mark.parametrize("wire", ["{}", '{"paragraphs":null}', '{"paragraphs":{}}', '{"paragraphs":[]}'])
def test_rich_text_without_paragraphs_is_rich_text(wire: str) -> None:
    thread = decoder(ThreadInfo)(f'{{"thread_id":"1","title":{wire},"content":{wire}}}'.encode())
    post = decoder(PostInfo)(f'{{"thread_id":"1","post_id":"2","content":{wire}}}'.encode())
    assert thread.wire_title == thread.wire_content == post.wire_content == RichText(paragraphs=())
    assert thread.title == post.content == RichText(paragraphs=())
    if wire != "{}":  # what a user may have typed
        assert read_rich_text(wire) == RichText(paragraphs=())


def test_the_older_form_without_its_array() -> None:
    piece = '{"type":1,"text_info":{"text":"hi"}}'
    thread = decoder(ThreadInfo)(f'{{"thread_id":"1","title":{piece},"content":[{piece}]}}'.encode())
    assert thread.title == thread.content
    assert thread.title.text == "hi"
