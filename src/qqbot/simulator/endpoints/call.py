"""What an endpoint gets and gives: one checked call, one answer."""

from collections.abc import Callable
from dataclasses import dataclass

from ..platform import Platform
from ..wire import JsonObject


@dataclass(frozen=True, slots=True)
class EndpointCall:
    """A call that passed authorization and the body check: path parameters, query, and known body fields."""

    params: dict[str, str]
    query: dict[str, str]
    body: JsonObject


Endpoint = Callable[[Platform, EndpointCall], object]
"""Serves a call: returns the document of the answer, or None for an empty one.  Raises: Refusal."""


def limit_of(call: EndpointCall, default: int, most: int) -> int:
    """Return the page size that the query asks for."""
    asked = number_of(call.query.get("limit", ""))
    return min(asked, most) if asked else default


def number_of(text: str) -> int:
    """Return the decimal number in a query, 0 where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0
