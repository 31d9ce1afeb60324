"""Checks that several bodies share: numbers of ids, times with a time zone, widths of names.

It has no body itself.
"""

from collections.abc import Collection
from datetime import datetime
from unicodedata import east_asian_width

from ..errors import ConfigError
from .base import zoned

__all__ = ["check_ids", "check_width", "rfc3339"]


def check_ids(name: str, ids: Collection[str], most: int, *, least: int = 1) -> None:
    """Check that there are `least` to `most` ids, none of them empty.  Raises: ConfigError."""
    if not least <= len(ids) <= most:
        raise ConfigError(f"{name} takes {least} to {most} in one call, not {len(ids)}")
    if "" in ids:
        raise ConfigError(f"{name} holds an empty id: take ids from events or earlier answers")


def check_width(name: str, text: str, most: int) -> None:
    """Check that `text` is not empty and at most `most` wide; a Chinese character counts 2.  Raises: ConfigError."""
    width = sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
    if not 1 <= width <= most:
        raise ConfigError(f"{name} {text!r} is {width} wide: 1 to {most} are allowed, a Chinese character counts 2")


def rfc3339(moment: datetime) -> str:
    """Return `moment` as RFC 3339 text in whole seconds.  Raises: ConfigError without a time zone."""
    return zoned(moment).isoformat(timespec="seconds")
