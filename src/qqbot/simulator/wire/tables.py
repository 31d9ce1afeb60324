"""Protocol tables: endpoints, events, models and codes.

Responsible for reading the JSON files in `data`, once per process, and for look-ups in them.
"""

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import unquote

from .. import wire
from . import JsonObject


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body or a model, with its type as the table spells it."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One call of the OpenAPI.

    `private`, `invited`: rights that the bot needs, see `Rights`. `per_second`, `per_minute`: rate limit, 0 if none.
    """

    name: str
    method: str
    path: str
    body: tuple[Field, ...]
    private: bool
    invited: bool
    per_second: int
    per_minute: int
    pattern: re.Pattern[str]

    def match(self, raw_path: str) -> dict[str, str] | None:
        """Return the decoded path parameters, or None if the path does not match."""
        found = self.pattern.fullmatch(raw_path)
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


@dataclass(frozen=True, slots=True)
class EventKind:
    """One event type: the model of its body, its intent bits, and whether its id accepts a reply."""

    type: str
    data: str
    intent: int
    by_event_id: bool


class Tables:
    """Immutable tables of the platform; use `tables()`, which reads them once."""

    def __init__(self) -> None:
        codes = _read_object("codes.json")
        self.endpoints = sorted(_endpoints(_read_array("endpoints.json")), key=lambda each: each.path.count("{"))
        self.events = {kind.type: kind for kind in _events(_read_array("events.json"))}
        self.models = dict(_models(_read_object("models.json")))
        self.opcodes = frozenset(_integers(codes, "opcodes", "op"))
        closes = wire.objects_of(codes, "close_codes")
        self._resumable = {row.get("code"): row.get("can_resume") is True for row in closes}
        intents = wire.objects_of(codes, "intents")
        self.known_intents = _mask(intents)
        self.private_intents = _mask(entry for entry in intents if entry.get("private_bot_only") is True)

    def find(self, method: str, raw_path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """Return the endpoint of a call and its path parameters."""
        for endpoint in self.endpoints:
            if endpoint.method == method and (params := endpoint.match(raw_path)) is not None:
                return endpoint, params
        return None

    def variant(self, endpoint: Endpoint, body: JsonObject) -> Endpoint:
        """Return the endpoint of this method and path with the most required fields that `body` has.

        An empty field is absent.
        """
        same = (each for each in self.endpoints if (each.method, each.path) == (endpoint.method, endpoint.path))
        fitting = [each for each in same if all(body.get(field.name) for field in each.body if field.required)]
        return max(fitting or [endpoint], key=lambda each: sum(field.required for field in each.body))

    def knows_path(self, raw_path: str) -> bool:
        """True if any method is served at this path."""
        return any(endpoint.match(raw_path) is not None for endpoint in self.endpoints)

    def intent_of(self, event_type: str) -> int:
        """Return the intent bits that subscribe to the event; 0 if none is needed."""
        kind = self.events.get(event_type)
        return kind.intent if kind else 0

    def session_survives(self, close_code: int) -> bool:
        """True if a session can be resumed after the platform closed with this code."""
        return self._resumable.get(close_code, not 4000 <= close_code < 5000)


tables = functools.cache(Tables)
"""Return the tables of this process."""


def _read(name: str) -> object:
    return wire.parse(files("qqbot.simulator.wire").joinpath("data", name).read_bytes())


def _read_object(name: str) -> JsonObject:
    document = _read(name)
    assert wire.is_object(document)
    return document


def _read_array(name: str) -> list[JsonObject]:
    return wire.objects_of({"rows": _read(name)}, "rows")


def _integers(document: JsonObject, rows: str, name: str) -> list[int]:
    return [value for row in wire.objects_of(document, rows) if wire.is_integer(value := row.get(name))]


def _mask(intents: Iterable[JsonObject]) -> int:
    return sum(value for entry in intents if wire.is_integer(value := entry.get("value")))


# Text after the rate concerns active messages (see `quotas`) or bursts (see `accounts`).
_PER_SECOND = re.compile(r"(\d+) QPS(?:;.*)?")
_PER_MINUTE = re.compile(r"(\d+) QPM")


def _rate(row: JsonObject, form: re.Pattern[str]) -> int:
    found = form.fullmatch(wire.text_of(row, "rate_limit"))
    return int(found[1]) if found else 0


def _endpoints(rows: list[JsonObject]) -> Iterator[Endpoint]:
    for row in rows:
        path = wire.text_of(row, "path")
        if not path.startswith("/"):
            continue  # on another host, or a presigned URL
        yield Endpoint(
            name=wire.text_of(row, "name"),
            method=wire.text_of(row, "method"),
            path=path,
            body=tuple(
                Field(wire.text_of(field, "name"), wire.text_of(field, "type"), field.get("required") is True)
                for field in wire.objects_of(row, "body")
            ),
            private=row.get("access") == "private",
            invited=row.get("access") == "invite",
            per_second=_rate(row, _PER_SECOND),
            per_minute=_rate(row, _PER_MINUTE),
            pattern=re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))),
        )


def _events(rows: list[JsonObject]) -> Iterator[EventKind]:
    for row in rows:
        bit = row.get("intent_bit")
        reply = wire.object_of(row, "passive_reply")
        yield EventKind(
            type=wire.text_of(row, "type"),
            data=wire.text_of(row, "data"),
            intent=1 << bit if wire.is_integer(bit) else 0,
            by_event_id=reply.get("by") == "event_id",
        )


_JSON_TYPES = {
    "string": "string",
    "number": "int",
    "boolean": "bool",
    "object": "object",
    "array": "list",
}


def _models(document: JsonObject) -> Iterator[tuple[str, tuple[Field, ...]]]:
    for name in document:
        fields = wire.objects_of(wire.object_of(document, name), "fields")
        yield name, tuple(_model_field(field) for field in fields)


def _model_field(field: JsonObject) -> Field:
    kind = _JSON_TYPES.get(wire.text_of(field, "json_type"), "any")
    if kind in ("object", "list"):
        kind = wire.text_of(field, "python_type") or kind
    return Field(wire.text_of(field, "name"), kind, field.get("required_on_wire") is True)
