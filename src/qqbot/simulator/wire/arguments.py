"""The members of a command: JSON as programs and the page send it, checked one by one."""

from . import JsonObject, is_integer, is_number, text_of

_LONGEST = 600.0  # seconds


class BadCommand(ValueError):
    """A document that is no command; the text says what is wrong with it."""


def text(document: JsonObject, name: str) -> str:
    """Return a text.  Raises: BadCommand."""
    if not isinstance(document.get(name), str):
        raise BadCommand(f"{name} must be a string")
    return text_of(document, name)


def optional_text(document: JsonObject, name: str) -> str | None:
    """Return a text, None where there is none.  Raises: BadCommand."""
    return None if document.get(name) is None else text(document, name)


def flag(document: JsonObject, name: str, *, default: bool) -> bool:
    """Return true or false.  Raises: BadCommand."""
    value = document.get(name, default)
    if not isinstance(value, bool):
        raise BadCommand(f"{name} must be true or false")
    return value


def optional_integer(document: JsonObject, name: str) -> int | None:
    """Return a whole number, None where there is none.  Raises: BadCommand."""
    value = document.get(name)
    if value is None:
        return None
    if not is_integer(value) or not 0 <= value < 1 << 53:
        raise BadCommand(f"{name} must be a whole number, not negative")
    return value


def seconds(document: JsonObject, name: str, default: float, most: float = _LONGEST) -> float:
    """Return a time.  Raises: BadCommand where it is none, negative, or longer than `most`."""
    value = document.get(name)
    if value is None:
        return default
    if not is_number(value) or not 0 <= value <= most:
        raise BadCommand(f"{name} must be seconds, 0 to {most:g}")
    return float(value)
