"""`Route`: one endpoint of the platform as data.

Responsible for its path, the decoder of its answer, and whether a call may be repeated.
Collaborators: `resources` has the constants beside the methods that use them; `codes` has the error families.
It makes no call.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, Literal, TypeVar, cast, get_origin
from urllib.parse import quote, urlencode

from ..errors import ConfigError, DecodeError
from ..models.codec import blank, decoder
from .codes import Family

T_co = TypeVar("T_co", covariant=True)

Repeat = Literal["by_method", "always", "never", "numbered"]
"""When a call may be sent twice: all methods but POST, always, never, or only with a msg_seq."""

Query = Mapping[str, str | int | bool | None]
"""Query parameters; None is omitted, a bool is written as true or false."""

UPLOAD_TIMEOUT = 120.0  # seconds: the platform fetches the file before it answers

_PATH = re.compile(r"(?:/|https?://[^/?#@\\]+/)[!-~]*")
_METHOD = re.compile("[A-Za-z]+")
_PLACEHOLDER = re.compile(r"\{\w+\}")


@dataclass(frozen=True)
class Route(Generic[T_co]):
    """One endpoint: `path` with {placeholders}, below the API's base or (for another host) a whole URL.

    `answer` is the type that the body decodes into, a function of the body, or `bytes` for the unchanged body.
    `timeout` (seconds) replaces the client's default if an endpoint needs longer. `sends`: True if users get a message.

    Raises: ConfigError if `path` is neither absolute nor a URL or contains blanks or control characters, or if `method`
    is not a word.
    """

    name: str
    method: str
    path: str
    answer: type[T_co] | Callable[[bytes], T_co]
    repeat: Repeat = "by_method"
    family: Family = "general"
    timeout: float | None = field(default=None, kw_only=True)
    sends: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not _METHOD.fullmatch(self.method):
            raise ConfigError(f"Route {self.name!r}: the method {self.method!r:.80} must be a word such as GET")
        if not _PATH.fullmatch(self.path):
            raise ConfigError(
                f"Route {self.name!r}: the path {self.path!r:.200} must start with / or be an http(s) URL"
            )

    @cached_property
    def decode(self) -> Callable[[bytes], T_co]:
        """The function that turns the body of an answer into `T_co`."""
        if self.answer is bytes:
            return cast("Callable[[bytes], T_co]", bytes)  # bytes() of bytes returns the same object
        if isinstance(self.answer, type) or get_origin(self.answer) is not None:
            return decoder(cast("type[T_co]", self.answer))
        return self.answer

    def empty(self) -> T_co:
        """Return the answer that has no content: optional fields have their defaults, others are empty.

        Raises: DecodeError if there is no such answer.
        """
        if self.answer is bytes:
            return self.decode(b"")
        try:
            return self.decode(b"{}")
        except DecodeError:
            if not isinstance(self.answer, type):
                raise
            return blank(cast("type[T_co]", self.answer))

    @cached_property
    def repeatable(self) -> bool | None:
        """True if the call may be sent twice; None if that depends on its body."""
        if self.repeat == "numbered":
            return None
        return self.repeat == "always" or (self.repeat == "by_method" and self.method != "POST")

    @cached_property
    def _template(self) -> str:
        return _PLACEHOLDER.sub("%s", self.path.replace("%", "%%"))

    @cached_property
    def _size(self) -> int:
        return len(_PLACEHOLDER.findall(self.path))

    def build(self, ids: tuple[str, ...], query: Query | None = None) -> tuple[str, str]:
        """Return the path with `ids` filled in, without and with the query.

        Raises: ConfigError for a missing or surplus id, for one that is empty, '.' or '..', and for invalid Unicode.
        """
        if len(ids) != self._size:
            raise ConfigError(f"{self.name} takes {self._size} ids ({self.path}), not {len(ids)}")
        path = self._template % tuple(map(self._quoted, ids))
        given = {key: _word(value) for key, value in query.items() if value is not None} if query else None
        if not given:
            return path, path
        try:
            return path, f"{path}{'&' if '?' in path else '?'}{urlencode(given)}"
        except UnicodeEncodeError:
            raise ConfigError(f"{self.name}: the query {given!r:.200} is not of valid Unicode") from None

    def _quoted(self, value: str) -> str:
        if value in ("", ".", ".."):
            raise ConfigError(f"{self.name}: {value!r} is not an id; take it from the event or an earlier answer")
        try:
            return value if value.isascii() and value.isalnum() else quote(value, safe="")
        except (UnicodeEncodeError, TypeError, AttributeError):
            raise ConfigError(f"{self.name}: the id {value!r} is not a str of valid Unicode") from None


def _word(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def nothing(_: bytes) -> None:
    """Accept any body: the answer carries nothing."""
