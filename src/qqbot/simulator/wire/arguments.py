"""Arguments of a command that a program or the page sends as JSON.

Responsible for the type and range checks of single members.
"""

from collections.abc import Collection

from . import JsonObject, is_array, is_integer, is_number, is_object, objects_of, text_of

_MAX_SECONDS = 600.0


class BadCommand(ValueError):
    """A malformed command; the text says what is wrong."""


def text(document: JsonObject, name: str) -> str:
    """Return a text.  Raises: BadCommand if it is absent."""
    if not isinstance(document.get(name), str):
        raise BadCommand(f"{name} must be a string")
    return text_of(document, name)


def optional_text(document: JsonObject, name: str) -> str | None:
    """Return a text, None if it is absent.  Raises: BadCommand."""
    return None if document.get(name) is None else text(document, name)


def choice(document: JsonObject, name: str, values: Collection[str], *, default: str | None = None) -> str:
    """Return one of `values`; `default` if it is absent.  Raises: BadCommand."""
    value = text(document, name) if default is None else optional_text(document, name) or default
    if value not in values:
        raise BadCommand(f"{name} must be one of {', '.join(values)}")
    return value


def optional_object(document: JsonObject, name: str) -> JsonObject | None:
    """Return an object, None if it is absent.  Raises: BadCommand."""
    value = document.get(name)
    if value is not None and not is_object(value):
        raise BadCommand(f"{name} must be an object")
    return value


def objects(document: JsonObject, name: str) -> list[JsonObject]:
    """Return an array of objects, empty if it is absent.  Raises: BadCommand."""
    value = document.get(name)
    found = objects_of(document, name)
    if value is not None and not (is_array(value) and len(value) == len(found)):
        raise BadCommand(f"{name} must be an array of objects")
    return found


def texts(document: JsonObject, *names: str) -> None:
    """Check that members are texts, or absent.  Raises: BadCommand."""
    for name in names:
        optional_text(document, name)


def flag(document: JsonObject, name: str, *, default: bool) -> bool:
    """Return a boolean.  Raises: BadCommand."""
    value = document.get(name, default)
    if not isinstance(value, bool):
        raise BadCommand(f"{name} must be true or false")
    return value


def optional_flag(document: JsonObject, name: str) -> bool | None:
    """Return a boolean, None if it is absent.  Raises: BadCommand."""
    return None if document.get(name) is None else flag(document, name, default=False)


def optional_integer(document: JsonObject, name: str) -> int | None:
    """Return an integer, None if it is absent.  Raises: BadCommand for a negative one."""
    value = document.get(name)
    if value is None:
        return None
    if not is_integer(value) or not 0 <= value < 1 << 53:
        raise BadCommand(f"{name} must be a whole number, not negative")
    return value


def seconds(document: JsonObject, name: str, default: float, most: float = _MAX_SECONDS) -> float:
    """Return a duration in seconds.  Raises: BadCommand if it is not a number from 0 to `most`."""
    value = document.get(name)
    if value is None:
        return default
    if not is_number(value) or not 0 <= value <= most:
        raise BadCommand(f"{name} must be seconds, 0 to {most:g}")
    return float(value)
