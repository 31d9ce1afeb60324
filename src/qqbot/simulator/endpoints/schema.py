"""Check of a request body against the protocol tables: types, required fields, nested models.

Responsible for the form only. As lenient as the platform: numbers as text, text as numbers and booleans as numbers are
converted, and an optional field with a zero value ("", 0, false, null, {}, []) is the same as an absent one, since
clients in Go either omit these or send them for everything that is not set.
Collaborators: `content` checks the contents of messages.
"""

import re
from collections.abc import Iterable

from .. import wire
from ..wire import JsonObject, is_array, is_integer, is_number, is_object
from ..wire.refusal import Refusal
from ..wire.tables import Field, Tables

BAD_BODY = 12002

_ZEROS: dict[str, object] = {"string": "", "str": "", "int": 0, "bool": False}
_NUMBER = re.compile(r"-?[0-9]{1,20}")
_BOOLEANS = {"": False, "0": False, "1": True, "false": False, "true": True}
_INLINE = re.compile(r"\{(\w+): (string)\}")  # an object that the table describes in place of a model


def check(body: JsonObject, fields: Iterable[Field], tables: Tables, *, keep_zeros: bool = False) -> JsonObject:
    """Return the known fields of `body` in the types of the table; unknown ones are ignored.

    `keep_zeros`: an optional field keeps a zero of its own type; a PATCH sets it to zero.
    Raises: Refusal 12002 for a missing field or a wrong type.
    """
    known: JsonObject = {}
    for field in fields:
        value = body.get(field.name)
        if not field.required and is_zero(value) and not (keep_zeros and _is_zero_of(value, field.type)):
            continue
        if value is None and field.type not in ("int", "bool"):
            raise Refusal(BAD_BODY, f"request body wrong: {field.name} is missing")
        known[field.name] = _ZEROS[field.type] if value is None else _converted(value, field.type, tables, field.name)
    return known


def checked_model(value: object, model: str, tables: Tables) -> JsonObject:
    """Return an object in the types of a model of the tables.  Raises: Refusal 12002."""
    return _converted_model(value, tables.models[model], tables, model)


def is_zero(value: object) -> bool:
    """True for a value that means the same as an absent field."""
    return not value and (value is None or isinstance(value, bool | int | float | str | bytes | list | dict))


def is_blank(value: object) -> bool:
    """True for a zero value, and for an object that has nothing but blank members."""
    return all(is_blank(item) for item in value.values()) if is_object(value) else is_zero(value)


def _is_zero_of(value: object, kind: str) -> bool:
    zero = _ZEROS.get(kind)
    return zero is not None and type(value) is type(zero) and value == zero


def _converted(value: object, kind: str, tables: Tables, path: str) -> object:
    if kind.startswith("list"):
        return _converted_list(value, kind, tables, path)
    if (fields := tables.models.get(kind)) is not None:
        return _converted_model(value, fields, tables, path)
    if (inline := _INLINE.fullmatch(kind)) is not None:
        return _converted_model(value, (Field(inline[1], inline[2], required=True),), tables, path)
    return _converted_scalar(value, kind, path)


def _converted_list(value: object, kind: str, tables: Tables, path: str) -> list[object]:
    if not is_array(value):
        raise Refusal(BAD_BODY, f"request body wrong: {path} is not an array")
    item_kind = kind.removeprefix("list").strip("[]")
    return [_converted(item, item_kind, tables, f"{path}[{index}]") for index, item in enumerate(value)]


def _converted_model(value: object, fields: Iterable[Field], tables: Tables, path: str) -> JsonObject:
    """Return an object with its known members converted; a required scalar or list that is absent is empty."""
    if not is_object(value):
        raise Refusal(BAD_BODY, f"request body wrong: {path} is not an object")
    converted = dict(value)
    for field in fields:
        item = value.get(field.name)
        if item is None and field.required and field.type in _ZEROS:
            converted[field.name] = _ZEROS[field.type]
        elif item is None and field.required and field.type.startswith("list"):
            converted[field.name] = []
        elif item is None and field.required:
            raise Refusal(BAD_BODY, f"request body wrong: {path}.{field.name} is missing")
        elif is_zero(item) and not field.required and not _is_zero_of(item, field.type):
            converted.pop(field.name, None)
        else:
            converted[field.name] = _converted(item, field.type, tables, f"{path}.{field.name}")
    return converted


def _converted_scalar(value: object, kind: str, path: str) -> object:
    converted: object = value
    match kind:
        case "string" | "str":
            converted = _text(value)
        case "int":
            converted = _integer(value)
        case "bool":
            converted = _boolean(value)
        case "file":
            converted = value if isinstance(value, bytes) else None
        case _ if kind.startswith("{"):
            converted = value if is_object(value) else None
        case _:
            pass
    if converted is None:
        raise Refusal(BAD_BODY, f"request body wrong: {path} is not of type {kind}")
    return converted


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return wire.dump(value) if is_number(value) else None


def _integer(value: object) -> int | None:
    if isinstance(value, bool) or is_integer(value) or (is_number(value) and float(value).is_integer()):
        return int(value)
    if isinstance(value, str) and (not value or _NUMBER.fullmatch(value)):
        return int(value or 0)
    return None


def _boolean(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return _BOOLEANS.get(str(value)) if is_integer(value) or isinstance(value, str) else None
