"""`WebhookProtocol`: the rules for webhook calls. Headers, raw body and time in; reply and event out.

Responsible for the wire and for trust; does no I/O. Collaborators: `signature` (keys), `handler` (calls it, and passes
the event on). It runs no handlers and remembers no events. Verification cannot be switched off.

Source: dev-prepare/event-emit/webhook
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256

import msgspec
from msgspec import Raw, Struct

from ..config import Secret, hidden
from ..errors import ConfigError
from ..models.base import Id
from ..models.codec import encode, strict
from ..models.frames import Frame, Op, decode_frame
from .signature import Key

APP_ID = "x-bot-appid"
SIGNATURE = "x-signature-ed25519"
TIMESTAMP = "x-signature-timestamp"
WINDOW = 300.0
"""The usual and the longest window, in seconds.

A call that was signed by a clock ahead of ours is accepted for up to twice as long, and its id is remembered as long.
"""

MOST_DIGITS = 18  # of a declared length; Python refuses to read numbers of some thousand digits

_DIGITS = re.compile("[0-9]+")
_UNIX_SECONDS = re.compile("[0-9]{1,12}")
_PLAIN_TOKEN = re.compile("[A-Za-z0-9_-]{1,64}")


Answer = tuple[int, dict[str, str], bytes]
"""HTTP status, headers and body."""


class WebhookReply(Struct, frozen=True):
    """The answer to a call: an HTTP status and a body of JSON."""

    status: int
    body: bytes

    @property
    def parts(self) -> Answer:
        """Status, headers and body."""
        headers = {"Content-Type": "application/json"}
        return self.status, headers | {"Allow": "POST"} if self.status == 405 else headers, self.body


class Receipt(Struct, frozen=True):
    """The judgement of one call. `reply` answers it; `frame` is the event that it brought, None for anything else.

    `refusal`: why it was refused, '' if it was not; it quotes nothing of the call. `signed_at`: unix seconds of the
    signature that was verified, 0 without one.
    """

    reply: WebhookReply
    frame: Frame | None = None
    refusal: str = ""
    signed_at: int = 0


class _Challenge(Struct):
    """What the console sends to check that the address belongs to the bot.  Source: dev-prepare/event-emit/webhook"""

    plain_token: str
    event_ts: str | int


class _Bare(Struct):
    """An interaction that came without an envelope, as a search may."""

    id: Id
    type: int


_decode_challenge = strict(_Challenge)
_decode_bare = strict(_Bare)
_decode_any = strict(object)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

DONE = WebhookReply(200, encode({"op": Op.HTTP_CALLBACK_ACK, "d": 0}))
"""The event was taken."""

AGAIN = WebhookReply(200, encode({"op": Op.HTTP_CALLBACK_ACK, "d": 1}))
"""The platform has to deliver the event again."""


def _error(status: int, words: str) -> WebhookReply:
    return WebhookReply(status, encode({"error": words}))


def _refuse(status: int, words: str) -> Receipt:
    return Receipt(_error(status, words), refusal=words)


def check_window(window: float) -> None:
    """Check the window: no replay may go unnoticed, and some calls must be accepted.  Raises: ConfigError."""
    if not 0 < window <= WINDOW:
        raise ConfigError(
            f"a webhook's window is more than 0 and at most {WINDOW:g} s: ids of events are remembered for twice that"
        )


def misdirected(method: str, content_type: str) -> WebhookReply | None:
    """Return the answer to a call that the platform cannot have made, by its method and content type; else None.

    A call without a content type counts as JSON.
    """
    if method != "POST":
        return _error(405, "webhook calls are POST")
    kind = content_type.partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        return _error(415, "webhook calls are application/json")
    return None


def unread(headers: Iterable[tuple[str, str]], limit: int) -> WebhookReply | None:
    """Return the answer to a call whose body is not worth reading, by all its headers; else None.

    A body in any encoding is refused before it is inflated: a signature is over the bytes as they came, and the
    platform compresses none. A declared length past `limit` is refused at once.
    """
    for name, value in headers:
        match name.lower():
            case "content-encoding" if value.strip().lower() not in ("", "identity"):
                return _error(415, "webhook calls have no Content-Encoding")
            case "content-length" if _exceeds(value.strip(), limit):
                return too_large(limit)
            case _:
                pass
    return None


def _exceeds(length: str, limit: int) -> bool:
    return _DIGITS.fullmatch(length) is not None and (len(length) > MOST_DIGITS or int(length) > limit)


def too_slow(seconds: float) -> WebhookReply:
    """Return the answer to a body that was not complete within `seconds`."""
    return _error(408, f"the body was not complete within {seconds:g} s")


def overtaken() -> WebhookReply:
    """Return the answer to a body that was given up, because too many were being read."""
    return _error(503, "too many calls are being read: send this one again")


def stale() -> Receipt:
    """Return the judgement of a signed call that may be a repeat of one that is no longer remembered."""
    return _refuse(401, "the call is as old as calls that are forgotten already")


def misaddressed() -> WebhookReply:
    """Return the answer to a call for a bot that is not here: its signature cannot be verified."""
    return _error(401, "no bot here has the AppID of the header X-Bot-Appid")


def too_large(limit: int) -> WebhookReply:
    """Return the answer to a body of more than `limit` bytes."""
    return _error(413, f"the body is larger than {limit} bytes")


def normalized(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers by their lower-case names; if a name comes twice, the first counts."""
    found: dict[str, str] = {}
    for name, value in headers:
        found.setdefault(name.lower(), value)
    return found


class WebhookProtocol:
    """The rules for the calls to the bot `app_id`.

    `secrets`: the AppSecret, then those that are accepted as well while it is being changed. `window`: seconds that a
    timestamp may be off, either way; at most 300.

    Raises: ConfigError without a secret, for a window out of range, or if the extra is missing.
    """

    def __init__(self, app_id: str, secrets: Iterable[str | Secret], *, window: float = WINDOW) -> None:
        self._app_id = app_id
        secrets = [hidden(secret) for secret in secrets]
        self._keys = [Key.of(secret) for secret in secrets]
        self._window = window
        if not self._keys:
            raise ConfigError("a webhook needs the bot's AppSecret")
        check_window(window)

    def receive(self, headers: Mapping[str, str], body: bytes, now: float) -> Receipt:
        """Judge one call. `headers` in any spelling, `body` as it came, `now` in unix seconds."""
        headers = normalized(headers.items())
        if headers.get(APP_ID, self._app_id) != self._app_id:
            return _refuse(401, "the call is for another bot")
        frame = _frame(body)
        if frame is not None and frame.op == Op.CALLBACK_VALIDATION:
            return self._answer_challenge(frame.d)
        if refusal := self._distrust(headers, body, now):
            # A challenge that was changed on the way is not signed either: its form is what is wrong.
            return _refuse(401, refusal if frame is not None or _is_json(body) else "the body is not JSON")
        return self._take(frame or _bare_interaction(body), body, int(headers[TIMESTAMP]))

    @staticmethod
    def _take(frame: Frame | None, body: bytes, signed_at: int) -> Receipt:
        """Judge what the platform has signed."""
        if frame is None:
            return _refuse(400, "the body is no payload: a JSON object with `op`, `t` and `d` is expected")
        if frame.op == Op.HEARTBEAT:
            return Receipt(WebhookReply(200, encode({"op": Op.HEARTBEAT_ACK, "d": frame.d})))
        if frame.op != Op.DISPATCH:
            return Receipt(DONE)
        if not frame.t:
            return _refuse(400, "the event has no type `t`")
        return Receipt(DONE, _identified(frame, body), signed_at=signed_at)

    def _answer_challenge(self, d: Raw) -> Receipt:
        """Sign what the console sent, if it cannot be mistaken for a timestamp and an event.

        An event's body begins with a brace; neither a timestamp nor a token has one.
        """
        try:
            challenge = _decode_challenge(d)
        except _UNREADABLE:
            return _refuse(400, "a challenge needs plain_token and event_ts")
        moment, token = str(challenge.event_ts), challenge.plain_token
        if _UNIX_SECONDS.fullmatch(moment) is None or _PLAIN_TOKEN.fullmatch(token) is None:
            return _refuse(400, "this challenge is not signed: plain_token or event_ts is not of the documented form")
        answer = {"plain_token": token, "signature": self._keys[0].sign(moment, token.encode())}
        return Receipt(WebhookReply(200, encode(answer)))

    def _distrust(self, headers: Mapping[str, str], body: bytes, now: float) -> str:
        """Return why the call cannot be trusted, '' if it can."""
        timestamp, signature = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
        if not timestamp or not signature:
            return "the call is not signed"
        if _UNIX_SECONDS.fullmatch(timestamp) is None:
            return "the signature's timestamp is no number of unix seconds"
        if not any(key.verify(timestamp, body, signature) for key in self._keys):
            return "the signature does not verify"
        if abs(now - int(timestamp)) > self._window:
            return f"the signature's timestamp is more than {self._window:g} s off"
        return ""


def _frame(body: bytes) -> Frame | None:
    try:
        return decode_frame(body)
    except _UNREADABLE:
        return None


def _is_json(body: bytes) -> bool:
    try:
        _decode_any(body)
    except _UNREADABLE:
        return False
    return True


def _bare_interaction(body: bytes) -> Frame | None:
    """Return the event of an interaction that came without an envelope; None for anything else."""
    try:
        found = _decode_bare(body)
    except _UNREADABLE:
        return None
    return Frame(Op.DISPATCH, Raw(body), t="INTERACTION_CREATE", id=f"INTERACTION_CREATE:{found.id}")


def _identified(frame: Frame, body: bytes) -> Frame:
    """Return the event with an id: the digest of its body if it has none, so that a duplicate is found."""
    return frame if frame.id else msgspec.structs.replace(frame, id=f"webhook:{sha256(body).hexdigest()}")
