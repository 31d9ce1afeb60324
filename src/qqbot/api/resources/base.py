"""What resources have in common: the way to make a call, and the checks of arguments.

Owns no path: each resource names its own routes.
"""

from collections.abc import Mapping
from typing import Protocol, TypeVar

from ...errors import ConfigError
from ...models.base import Model
from ...models.codec import decoder
from ..route import Query, Route

T = TypeVar("T")


class Call(Protocol):
    """Makes a call; `Api.call` is one."""

    async def __call__(
        self,
        route: Route[T],
        *ids: str,
        query: Query | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> T:
        """Call `route` and return its decoded answer."""
        ...


class Resource:
    """A group of endpoints."""

    def __init__(self, call: Call) -> None:
        self._call = call


def check_range(name: str, value: int, least: int, most: int) -> None:
    """Raises: ConfigError when `value` is out of range."""
    if not least <= value <= most:
        raise ConfigError(f"{name} is {least} to {most}, not {value}")


class _Version(Model, frozen=True, kw_only=True):
    version: int


_version = decoder(_Version)


def new_version(data: bytes) -> int:
    """Decode the answer of a change: the new version."""
    return _version(data).version
