"""The models as a whole: every documented event has a class, and what is given in a body reaches the wire."""

import enum
import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, inspect

import qqbot
from qqbot import models
from qqbot.errors import ConfigError
from qqbot.models.base import Body
from qqbot.models.codec import encode
from qqbot.models.events import ALIASES, EVENTS

TABLES = Path(qqbot.__file__).parent / "simulator" / "wire" / "data"
MODULES = [importlib.import_module(f"qqbot.models.{module.name}") for module in pkgutil.iter_modules(models.__path__)]

REFUSED = {
    "AudioControl.audio_url": "needs an audio_url",
    "GuildAnnouncesBody.channel_id": "channel_id is empty",
    "GuildAnnouncesBody.message_id": "message_id is empty",
    "InputNotifyBody.input_second": "1 to 60 seconds, not 0",
    "InputNotifyBody.msg_id": "msg_id is empty",
    "JoinDecisionBody.join_request_id": "join_request_id is empty",
    "ModifyChannelBody.name": "name is empty",
    "RoleBody.name": "name is empty",
    "SetMemberMuteState.mute_expire_at": "mute_expire_at is missing",
}
"""Zeros that the platform refuses, with what our error says before any request."""

COMPANIONS: dict[str, dict[str, object]] = {
    "AudioControl": {"audio_url": "https://a.example/song"},
    "GuildAnnouncesBody": {"channel_id": "1", "message_id": "2"},
    "JoinDecisionBody": {"op": "decline"},
    "StrategyBody": {"group_openids": ("G",)},
}
"""Optional fields that a body needs before others may be given."""


def test_every_documented_event_has_a_class() -> None:
    documented = {row["type"] for row in json.loads((TABLES / "events.json").read_text(encoding="utf-8"))}
    assert EVENTS.keys() == documented
    assert set(ALIASES.values()) <= documented


def bodies(base: type[Body] = Body) -> Iterator[type[Body]]:
    for kind in base.__subclasses__():
        yield kind
        yield from bodies(kind)


def zeros(shape: inspect.Type) -> Iterator[object]:
    """The zero values of a scalar type; nothing for objects and arrays."""
    match shape:
        case inspect.StrType():
            yield ""
        case inspect.BoolType():
            yield False
        case inspect.IntType() | inspect.FloatType():
            yield 0
        case inspect.EnumType(cls=kind) if issubclass(kind, enum.IntEnum) and 0 in list(kind):
            yield kind(0)
        case inspect.UnionType(types=types):
            for each in types:
                yield from zeros(each)
        case _:
            return


SIMPLE = {inspect.StrType: "x", inspect.BoolType: True, inspect.IntType: 1, inspect.FloatType: 1.0}


def filled(shape: inspect.Type) -> Any:
    """A value for a field that has to be there."""
    match shape:
        case inspect.EnumType(cls=kind):
            return next(iter(kind))
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.StructType(cls=kind):
            return required(kind)
        case inspect.VarTupleType(item_type=item):
            return (filled(item),)
        case inspect.TupleType(item_types=items):
            return tuple(filled(item) for item in items)
        case _:
            return SIMPLE[type(shape)]


def required(kind: type[msgspec.Struct], **more: object) -> Any:
    fields = inspect.type_info(kind).fields
    return kind(**{field.name: filled(field.type) for field in fields if field.required} | more)


def optional_scalars() -> Iterator[Any]:
    for kind in sorted(set(bodies()), key=lambda kind: kind.__name__):
        for field in inspect.type_info(kind).fields:
            for value in () if field.required else zeros(field.type):
                yield pytest.param(kind, field, value, id=f"{kind.__name__}.{field.name}={value!r}")


@pytest.mark.parametrize(("kind", "field", "value"), list(optional_scalars()))
def test_a_zero_that_is_given_reaches_the_wire(kind: type[Body], field: inspect.Field, value: object) -> None:
    given = COMPANIONS.get(kind.__name__, {}) | {field.name: value}
    refused = REFUSED.get(f"{kind.__name__}.{field.name}")
    if refused is not None:
        with pytest.raises(ConfigError, match=refused):
            required(kind, **given)
        return
    body = json.loads(encode(required(kind, **given)))
    assert body[field.encode_name] == value
    assert type(body[field.encode_name]) is type(json.loads(encode(value)))


def test_what_is_not_given_stays_away() -> None:
    for kind in bodies():
        absent = {field.encode_name for field in inspect.type_info(kind).fields if field.default is UNSET}
        try:
            body = required(kind)
        except ConfigError:
            continue  # it needs at least one of its optional fields
        assert not absent & json.loads(encode(body)).keys()
