"""Check of a request body against the protocol tables: types, required fields, nested models.

Responsible for the form only. Collaborators: `content` checks the contents of messages.
"""

from ..wire import JsonObject, is_array, is_integer, is_number, is_object
from ..wire.refusal import Refusal
from ..wire.tables import Field, Tables

BAD_BODY = 12002

# The table marks msg_type as required, but its page says that it is optional and defaults to 0.
_DEFAULTS = {"msg_type": 0}


def check(body: JsonObject, fields: tuple[Field, ...], tables: Tables) -> JsonObject:
    """Return the known fields of `body`; unknown ones are ignored.

    Raises: Refusal 12002 for a missing field or a wrong type.
    """
    known: JsonObject = {}
    for field in fields:
        value = body.get(field.name, _DEFAULTS.get(field.name))
        if value is not None:
            _check_value(value, field.type, tables, field.name)
            known[field.name] = value
        elif field.required:
            raise Refusal(BAD_BODY, f"request body wrong: {field.name} is missing")
    return known


def _check_value(value: object, kind: str, tables: Tables, path: str) -> None:
    if kind.startswith("list"):
        _check_list(value, kind, tables, path)
    elif (fields := tables.models.get(kind)) is not None:
        _check_model(value, fields, tables, path)
    elif not _fits(value, kind):
        raise Refusal(BAD_BODY, f"request body wrong: {path} is not of type {kind}")


def _check_list(value: object, kind: str, tables: Tables, path: str) -> None:
    if not is_array(value):
        raise Refusal(BAD_BODY, f"request body wrong: {path} is not an array")
    item_kind = kind.removeprefix("list").strip("[]")
    for index, item in enumerate(value):
        _check_value(item, item_kind, tables, f"{path}[{index}]")


def _check_model(value: object, fields: tuple[Field, ...], tables: Tables, path: str) -> None:
    if not is_object(value):
        raise Refusal(BAD_BODY, f"request body wrong: {path} is not an object")
    for field in fields:
        item = value.get(field.name)
        if item is not None:
            _check_value(item, field.type, tables, f"{path}.{field.name}")
        elif field.required:
            raise Refusal(BAD_BODY, f"request body wrong: {path}.{field.name} is missing")


def _fits(value: object, kind: str) -> bool:
    match kind:
        case "string" | "str":
            return isinstance(value, str)
        case "int":
            return is_integer(value) or (is_number(value) and float(value).is_integer())
        case "bool":
            return isinstance(value, bool)
        case "file":
            return isinstance(value, bytes)
        case _ if kind.startswith("{"):
            return is_object(value)
        case _:
            return True
