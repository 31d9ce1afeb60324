"""The kinds of faults, as values: each has its own fields and the moments that it can strike.

Responsible for the vocabulary and its checks.
Collaborators: `rules` (when a fault is due), `gateway` and `endpoints.rest` (what it does to a socket).
"""

import re
from dataclasses import dataclass, field
from typing import ClassVar

GATEWAY_MOMENTS: dict[str, str] = {
    "connected": "a websocket is open, HELLO is due",
    "IDENTIFY": "an IDENTIFY has come",
    "RESUME": "a RESUME has come",
    "READY": "READY is about to be sent",
    "RESUMED": "RESUMED is about to be sent",
    "live": "READY or RESUMED has been sent",
    "HEARTBEAT": "a heartbeat has come",
    "DISPATCH": "an event is about to be sent",
}
"""The moments of a connection, in order, with their meaning. A DISPATCH can name an event type."""

CALL = "call"
"""The moment of a call: of the OpenAPI, the token endpoint or the file store."""

LONGEST = 600.0
"""The longest time that a fault may take, in seconds."""

_GATEWAY = frozenset(GATEWAY_MOMENTS)
_OPENINGS = frozenset({"IDENTIFY", "RESUME"})
_SENDABLE_CODES = (range(1000, 1004), range(1007, 1015), range(3000, 5000))


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong. `moments`: when it can happen."""

    moments: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def kind(cls) -> str:
        """Return its name in JSON: `sent_but_no_response`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def fits(self, moment: str) -> bool:
        """True if it can strike this moment."""
        return moment in self.moments


@dataclass(frozen=True, slots=True)
class Drop(Fault):
    """The TCP connection is reset; a call is not served."""

    moments = _GATEWAY | {CALL}


@dataclass(frozen=True, slots=True)
class Latency(Fault):
    """The moment, and what follows on this connection, is `seconds` late; then the fault `then` strikes."""

    moments = _GATEWAY | {CALL}
    seconds: float
    then: Fault | None = None

    def __post_init__(self) -> None:
        _check_seconds("seconds", self.seconds)

    def fits(self, moment: str) -> bool:
        """True if `then` can strike this moment, too."""
        return moment in self.moments and (self.then is None or self.then.fits(moment))


# On connections


@dataclass(frozen=True, slots=True)
class Close(Fault):
    """The platform closes with `code`. The session ends if the platform's table says that it cannot be resumed."""

    moments = _GATEWAY
    code: int
    reason: str = ""

    def __post_init__(self) -> None:
        _check_code(self.code)


@dataclass(frozen=True, slots=True)
class Op7(Fault):
    """The platform requests a reconnect and leaves this connection open. IDENTIFY and RESUME are not answered then."""

    moments = _GATEWAY - {"connected"}


@dataclass(frozen=True, slots=True)
class Op9(Fault):
    """The session is invalid or not created; with `close` a close code follows, else the connection stays open."""

    moments = _GATEWAY - {"connected"}
    resumable: bool = False
    close: int | None = None

    def __post_init__(self) -> None:
        if self.close is not None:
            _check_code(self.close)


@dataclass(frozen=True, slots=True)
class StopAcks(Fault):
    """Heartbeats of this connection are no longer acknowledged."""

    moments = _GATEWAY


@dataclass(frozen=True, slots=True)
class HalfOpen(Fault):
    """The other end is gone without a close: nothing is sent or read any more, the socket stays open."""

    moments = _GATEWAY


@dataclass(frozen=True, slots=True)
class Raw(Fault):
    """Any text is sent as a frame, in addition to what is due."""

    moments = _GATEWAY
    data: str


@dataclass(frozen=True, slots=True)
class NoHello(Fault):
    """The platform sends nothing on this connection until the bot sends something."""

    moments = frozenset({"connected"})


@dataclass(frozen=True, slots=True)
class SwallowIdentify(Fault):
    """This IDENTIFY is never answered."""

    moments = frozenset({"IDENTIFY"})


@dataclass(frozen=True, slots=True)
class SwallowResume(Fault):
    """This RESUME is never answered."""

    moments = frozenset({"RESUME"})


@dataclass(frozen=True, slots=True)
class Duplicate(Fault):
    """The event is sent twice, with the same seq."""

    moments = frozenset({"DISPATCH"})


@dataclass(frozen=True, slots=True)
class Reorder(Fault):
    """The event and those that are due in the next moments, `window` at most, are sent in reverse order.

    Raises: ValueError for a window below 2.
    """

    moments = frozenset({"DISPATCH"})
    window: int = 2

    def __post_init__(self) -> None:
        if self.window < 2:
            raise ValueError(f"window={self.window}: two events at least change places")


# On calls


@dataclass(frozen=True, slots=True)
class Http(Fault):
    """The call is answered with `status`, and not served.

    `body`: JSON, or text as it is (then HTML); without one it is the platform's. `retry_after` in seconds.
    """

    moments = frozenset({CALL})
    status: int
    retry_after: float | None = None
    body: object = None
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        _check_status(self.status)
        if self.retry_after is not None:
            _check_seconds("retry_after", self.retry_after)


@dataclass(frozen=True, slots=True)
class HtmlBody(Fault):
    """A proxy in front of the platform answers with `status` and an HTML page."""

    moments = frozenset({CALL})
    status: int

    def __post_init__(self) -> None:
        _check_status(self.status)


@dataclass(frozen=True, slots=True)
class Hang(Fault):
    """The call is neither served nor answered until the bot gives up."""

    moments = frozenset({CALL})


@dataclass(frozen=True, slots=True)
class TruncateBody(Fault):
    """The call is served; its answer is cut in the middle, and the connection closed."""

    moments = frozenset({CALL})


@dataclass(frozen=True, slots=True)
class SentButNoResponse(Fault):
    """The call is served; the connection ends before the answer."""

    moments = frozenset({CALL})


@dataclass(frozen=True, slots=True)
class TokenExpired(Fault):
    """All access tokens are revoked just before the request is checked."""

    moments = _OPENINGS | {CALL}


FAULTS: tuple[type[Fault], ...] = (
    *(Drop, Latency, Close, Op7, Op9, StopAcks, HalfOpen, Raw, NoHello, SwallowIdentify, SwallowResume),
    *(Duplicate, Reorder, Http, HtmlBody, Hang, TruncateBody, SentButNoResponse, TokenExpired),
)


def _check_code(code: int) -> None:
    if not any(code in codes for codes in _SENDABLE_CODES):
        raise ValueError(f"{code} is not a close code that can be sent: use 1000 to 1003, 1007 to 1014 or 3000 to 4999")


def _check_status(status: int) -> None:
    if not 200 <= status <= 599:
        raise ValueError(f"{status} is not an HTTP status of an answer: use 200 to 599")


def _check_seconds(name: str, seconds: float) -> None:
    if not 0 <= seconds <= LONGEST:
        raise ValueError(f"{name}={seconds} must be seconds, 0 to {LONGEST:g}")
