"""What every model shares: the Struct base, the mark for absent fields, times and enumerations.

Owns nothing that names a noun of the platform.
"""

from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from ..errors import ConfigError

__all__ = ["UNSET", "Aware", "Body", "Id", "Model", "OpenIntEnum", "UnsetType", "require", "require_some", "zoned"]

Aware = Annotated[datetime, Meta(tz=True)]
"""A moment with its time zone. The wire has RFC 3339 text or seconds of the Unix clock."""

Id = Annotated[str, Meta(min_length=1)]
"""What names or addresses something: it must not be empty."""


class Model(Struct, frozen=True, kw_only=True):
    """Something the platform sends. Unknown fields are ignored."""


class Body(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Something we send. A field left at UNSET is absent on the wire; 0, False and '' are not."""


class OpenIntEnum(IntEnum):
    """Numbers that the platform may extend: an unknown one survives with the name UNKNOWN_<n>."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        member: Any = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member  # type: ignore[no-any-return]


def require(**texts: str | UnsetType) -> None:
    """Check that no text that is given is empty.  Raises: ConfigError, naming the one that is."""
    for name, text in texts.items():
        if text == "":
            raise ConfigError(f"{name} is empty: give a value, or leave it out where it is optional")


def require_some(body: Body) -> None:
    """Check that `body` says anything.  Raises: ConfigError."""
    if all(getattr(body, name) is UNSET for name in body.__struct_fields__):
        names = ", ".join(body.__struct_fields__)
        raise ConfigError(f"nothing to change: give at least one of {names}")


def zoned(moment: datetime) -> datetime:
    """Return `moment` if it says which time zone it is in.  Raises: ConfigError where it does not."""
    if moment.tzinfo is None:
        raise ConfigError(f"{moment.isoformat()} has no time zone: use datetime.now(UTC), or give tzinfo=")
    return moment
