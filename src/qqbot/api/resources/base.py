"""The base of the resources: how they make a call, and how they check arguments.

Responsible for what all of them share. It has no path: each resource defines its own routes.
"""

from collections.abc import Mapping
from typing import Protocol, TypeVar

from ...errors import ConfigError
from ...models.base import Model
from ...models.codec import decoder
from ..route import Query, Route

T = TypeVar("T")


class Call(Protocol):
    """Makes a call, as `Api.call` does."""

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
    """A group of endpoints. `timeout` of a method: seconds for the call with its repeats; None: that of the `Api`."""

    def __init__(self, call: Call) -> None:
        self._call = call


def check_range(name: str, value: int, least: int, most: int) -> None:
    """Check that `value` is from `least` to `most`.  Raises: ConfigError."""
    if not least <= value <= most:
        raise ConfigError(f"{name} must be {least} to {most}, not {value}")


class _Version(Model, frozen=True, kw_only=True):
    version: int


_version = decoder(_Version)


def new_version(data: bytes) -> int:
    """Return the new version from the answer to a change."""
    return _version(data).version
