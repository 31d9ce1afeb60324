"""The call that an endpoint serves, and pages of lists."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..platform import Platform
from ..wire import JsonObject, is_decimal

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class EndpointCall:
    """A call that passed authorization and the body check: path parameters, query, and known body fields."""

    params: dict[str, str]
    query: dict[str, str]
    body: JsonObject


Endpoint = Callable[[Platform, EndpointCall], object]
"""Serves a call: returns the document of the answer, None for an empty one (204).  Raises: Refusal."""


def limit_of(call: EndpointCall, default: int, most: int) -> int:
    """Return the page size of the query, `default` if it has none, at most `most`."""
    asked = number_of(call.query.get("limit", ""))
    return min(asked, most) if asked else default


def number_of(text: str) -> int:
    """Return the decimal number in a query, 0 for any other text."""
    return int(text) if is_decimal(text) and len(text) <= 20 else 0


def page_of(call: EndpointCall, items: Sequence[_Item], default: int, most: int) -> tuple[list[_Item], str]:
    """Return the page that `cursor` and `limit` select, and the cursor of the next page, '' on the last."""
    start = number_of(call.query.get("cursor", ""))
    end = start + limit_of(call, default, most)
    return list(items[start:end]), str(end) if end < len(items) else ""
