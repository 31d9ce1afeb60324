"""What all models share: the Struct bases, the mark for absent fields, times, enumerations, checks.

It has no noun of the platform.
"""

import sys
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from ..errors import ConfigError

__all__ = [
    "UNSET",
    "Aware",
    "Body",
    "Finite",
    "Id",
    "Model",
    "OpenIntEnum",
    "UnsetType",
    "require",
    "require_some",
    "zoned",
]

Aware = Annotated[datetime, Meta(tz=True)]
"""A time with a time zone; RFC 3339 text or seconds of the Unix clock on the wire."""

Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
"""A number that is neither infinite nor NaN, which texts on the wire could spell."""

Id = Annotated[str, Meta(min_length=1)]
"""An identifier; it must not be empty."""


class Model(Struct, frozen=True, kw_only=True):
    """Base of what the platform sends. Unknown fields are ignored."""


class Body(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Base of what the SDK sends. A field left at UNSET is absent on the wire; 0, False and '' are present."""


class OpenIntEnum(IntEnum):
    """An enumeration that the platform may extend: an unknown number becomes a member named UNKNOWN_<n>."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        member: Any = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member  # type: ignore[no-any-return]


def require(**texts: str | UnsetType) -> None:
    """Check that no given text is empty.  Raises: ConfigError, which names the empty one."""
    for name, text in texts.items():
        if text == "":
            raise ConfigError(f"{name} is empty: give a value, or omit it if it is optional")


def require_some(body: Body) -> None:
    """Check that `body` sets any field.  Raises: ConfigError."""
    if all(getattr(body, name) is UNSET for name in body.__struct_fields__):
        names = ", ".join(body.__struct_fields__)
        raise ConfigError(f"nothing to change: give at least one of {names}")


def zoned(moment: datetime) -> datetime:
    """Return `moment` if it has a time zone.  Raises: ConfigError if it has none."""
    if moment.tzinfo is None:
        raise ConfigError(f"{moment.isoformat()} has no time zone: use datetime.now(UTC), or give tzinfo=")
    return moment
