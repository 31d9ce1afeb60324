"""Faults as JSON: the body of `POST /_sim/fault`, and how rules are shown.

`{"kind": "close", "code": 4009}` strikes the connections that are live; with `on` it is a rule: `{"kind": "http",
"status": 500, "on": "POST /v2/groups/*", "nth": 3}`. Responsible for reading and writing these documents; the allowed
fields are those of the fault classes.
"""

from collections.abc import Iterable
from dataclasses import MISSING, fields
from types import NoneType
from typing import Annotated, Any, get_args

import msgspec

from ..wire import JsonObject, is_object
from .kinds import CALL, FAULTS, GATEWAY_MOMENTS, Fault
from .rules import Faults, Rule

KINDS: dict[str, type[Fault]] = {fault.kind(): fault for fault in FAULTS}

_AT_THEIR_MOMENT: dict[str, tuple[str, str]] = {
    "no_hello": ("connected", "no_hello"),
    "swallow_identify": ("IDENTIFY", "swallow_identify"),
    "swallow_resume": ("RESUME", "swallow_resume"),
    "close_on_identify": ("IDENTIFY", "close"),
    "close_on_resume": ("RESUME", "close"),
    "op9_on_identify": ("IDENTIFY", "op9"),
}
"""Kinds that include the moment, like the methods of `Faults`: moment and kind of the fault."""

_Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
_RULE_FIELDS: dict[str, object] = {"nth": _Count, "times": _Count, "chance": float, "shard": _Count}
_LIMIT_FIELDS: dict[str, object] = dict.fromkeys(
    ("total", "remaining", "reset_after", "max_concurrency", "shards"), _Count
)
_OF_THE_PAGE = ("do", "id")  # the envelope that the page adds to a command

_WORDS: dict[object, str] = {
    _Count: "a whole number, not negative",
    int: "a whole number",
    float: "a number",
    str: "a string",
    bool: "true or false",
    dict[str, str]: "an object of strings",
}


_FORMS: dict[object, str] = {int: "number", float: "number", str: "text", bool: "flag", object: "json"}
"""The input type of a field in the page's form; fields of other types are for programs only."""


def inject(faults: Faults, document: JsonObject) -> None:
    """Apply a document.  Raises: ValueError that says what is wrong with it."""
    given = {name: value for name, value in document.items() if value is not None and name not in _OF_THE_PAGE}
    word = _read("kind", given.pop("kind", None), str)
    if word == "clear":
        _refuse(word, given)
        faults.clear()
    elif word == "session_start_limit":
        faults.session_start_limit(**_take(given, _LIMIT_FIELDS))
        _refuse(word, given)
    else:
        _add(faults, word, given)


def catalogue() -> list[JsonObject]:
    """Return all kinds of faults, each with the moments that it can strike and its fields."""
    numbers = [{"name": name, "type": "number", "required": False} for name in _LIMIT_FIELDS]
    limit: JsonObject = {"kind": "session_start_limit", "moments": [], "fields": numbers}
    return [*(_catalogued(kind, fault) for kind, fault in KINDS.items()), limit]


def _catalogued(kind: str, fault: type[Fault]) -> JsonObject:
    asked: list[JsonObject] = [
        {"name": each.name, "type": _FORMS[form], "required": each.default is MISSING}
        for each in fields(fault)
        if (form := _form(each.type)) in _FORMS
    ]
    moments = [each for each in (*GATEWAY_MOMENTS, CALL) if each in fault.moments]
    return {"kind": kind, "moments": moments, "fields": asked}


def _form(kind: object) -> object:
    """Return the type of a value, without the None of an optional one."""
    given = [each for each in get_args(kind) if each is not NoneType]
    return given[0] if NoneType in get_args(kind) else kind


def rule_document(rule: Rule) -> JsonObject:
    """Return a rule as it is shown."""
    numbers = {name: getattr(rule, name) for name in (*_RULE_FIELDS, "seen", "struck")}
    return {"on": rule.on, **fault_document(rule.do), **numbers}


def fault_document(fault: Fault) -> JsonObject:
    """Return a fault with its kind and its fields."""
    values = {each.name: getattr(fault, each.name) for each in fields(fault)}
    return {
        "kind": fault.kind(),
        **{name: fault_document(value) if isinstance(value, Fault) else value for name, value in values.items()},
    }


def _add(faults: Faults, word: str, given: JsonObject) -> None:
    on, kind = _AT_THEIR_MOMENT.get(word, (None, word))
    if on is None and "on" in given:
        on = _read("on", given.pop("on"), str)
    options = _take(given, _RULE_FIELDS)
    fault = _fault(kind, given)
    if on is not None:
        faults.add(on, fault, **options)
        return
    _refuse(f"{kind} without on", options.keys() - {"shard", "times"})
    faults.strike(fault, **options)


def _fault(kind: str, given: JsonObject) -> Fault:
    """Return the fault that is described by all of `given`."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(sorted({*KINDS, *_AT_THEIR_MOMENT, 'clear'}))}")
    values: dict[str, Any] = {}
    for each in fields(KINDS[kind]):
        if each.name in given:
            values[each.name] = _value(each.name, given.pop(each.name), each.type)
        elif each.default is MISSING and each.default_factory is MISSING:
            raise ValueError(f"{kind} needs {each.name}")
    _refuse(kind, given)
    return KINDS[kind](**values)


def _value(name: str, value: object, kind: object) -> object:
    form = _form(kind)
    if form is not Fault:
        return _read(name, value, form)
    if not is_object(value):
        raise ValueError(f"{name} must be an object with a kind")
    given = dict(value)
    return _fault(_read("kind", given.pop("kind", None), str), given)


def _take(given: JsonObject, kinds: dict[str, object]) -> dict[str, Any]:
    """Remove the fields with these names from `given`, and return them."""
    return {name: _read(name, given.pop(name), kind) for name, kind in kinds.items() if name in given}


def _read(name: str, value: object, kind: object) -> Any:
    if kind is object:
        return value
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        raise ValueError(f"{name} must be {_WORDS[kind]}") from None


def _refuse(kind: str, names: Iterable[str]) -> None:
    if names := sorted(names):
        raise ValueError(f"{kind} takes no {', '.join(names)}")
