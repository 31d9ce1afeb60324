"""JSON as it comes off the wire: strict parsing, and narrowing of what was parsed.

Knows nothing of what a document means.
"""

import json
from collections.abc import Callable
from typing import TypeGuard

JsonObject = dict[str, object]

_DEEPEST = 64  # levels; what is deeper is no message, and would exhaust the stack of those who walk it


def parse(data: bytes | str) -> object:
    """Return the document.

    Raises: ValueError for what is no JSON text, and for what cannot be written back as one (NaN, lone surrogates).
    """
    try:
        document: object = json.loads(data)
        check(document)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _depth(document) > _DEEPEST:
        raise ValueError("nested too deeply")
    return document


def check(document: object) -> str:
    """Return `document` as JSON text.

    Raises: ValueError for what JSON cannot say, also for NaN and lone surrogates; TypeError for other objects.
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


# `json.dumps` with options builds an encoder for each call; the push path makes tens of thousands of frames.
dump: Callable[[object], str] = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def is_object(value: object) -> TypeGuard[JsonObject]:
    """Whether `value` is a JSON object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[object]]:
    """Whether `value` is a JSON array."""
    return isinstance(value, list)


def is_integer(value: object) -> TypeGuard[int]:
    """Whether `value` is a whole number; a boolean is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether `value` is a number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def text_of(document: JsonObject, name: str) -> str:
    """Return the string under `name`, or '' where there is none."""
    value = document.get(name)
    return value if isinstance(value, str) else ""


def object_of(document: JsonObject, name: str) -> JsonObject:
    """Return the object under `name`, or an empty one where there is none."""
    value = document.get(name)
    return value if is_object(value) else {}


def objects_of(document: JsonObject, name: str) -> list[JsonObject]:
    """Return the objects of the array under `name`."""
    value = document.get(name)
    return [item for item in value if is_object(item)] if is_array(value) else []


def without_nulls(value: object) -> object:
    """Return `value` without null members of objects: the platform takes null for absent."""
    if is_object(value):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if is_array(value):
        return [without_nulls(item) for item in value]
    return value
