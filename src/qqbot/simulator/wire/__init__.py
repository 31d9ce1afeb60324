"""JSON on the wire: strict parsing, and type guards for the parsed documents.

Responsible for the form only; the meaning of a document is up to the caller.
"""

import json
from collections.abc import Callable
from typing import TypeGuard

JsonObject = dict[str, object]

_MAX_DEPTH = 64  # levels; a deeper document could exhaust the stack of a recursive caller


def parse(data: bytes | str) -> object:
    """Return the document.

    Raises: ValueError for invalid JSON, and for values that cannot be serialized again (NaN, lone surrogates).
    """
    try:
        document: object = json.loads(data)
        check(document)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _depth(document) > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    return document


def check(document: object) -> str:
    """Return `document` as JSON text.

    Raises: ValueError for values outside JSON, including NaN and lone surrogates; TypeError for other objects.
    """
    text = dump(document)
    text.encode()
    return text


def _depth(document: object) -> int:
    depth, level = 0, [document]
    while level := [item for value in level for item in _items(value)]:
        depth += 1
    return depth


def _items(value: object) -> list[object]:
    if is_object(value):
        return list(value.values())
    return value if is_array(value) else []


def parse_object(data: bytes | str) -> JsonObject:
    """Return the document, which must be an object.  Raises: ValueError."""
    document = parse(data)
    if not is_object(document):
        raise ValueError("not a JSON object")
    return document


# One encoder: `json.dumps` with options builds one per call, and the push path makes tens of thousands of frames.
dump: Callable[[object], str] = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def is_object(value: object) -> TypeGuard[JsonObject]:
    """True if `value` is a JSON object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[object]]:
    """True if `value` is a JSON array."""
    return isinstance(value, list)


def is_integer(value: object) -> TypeGuard[int]:
    """True if `value` is an integer; a boolean is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """True if `value` is a number; a boolean is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_decimal(text: str) -> bool:
    """True if `text` consists of ASCII digits only."""
    return text.isascii() and text.isdigit()


def text_of(document: JsonObject, name: str) -> str:
    """Return the string under `name`, or '' if there is none."""
    value = document.get(name)
    return value if isinstance(value, str) else ""


def object_of(document: JsonObject, name: str) -> JsonObject:
    """Return the object under `name`, or an empty one if there is none."""
    value = document.get(name)
    return value if is_object(value) else {}


def objects_of(document: JsonObject, name: str) -> list[JsonObject]:
    """Return the objects of the array under `name`."""
    value = document.get(name)
    return [item for item in value if is_object(item)] if is_array(value) else []


def without_nulls(value: object) -> object:
    """Return `value` without null members of objects: the platform treats null as absent."""
    if is_object(value):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if is_array(value):
        return [without_nulls(item) for item in value]
    return value
