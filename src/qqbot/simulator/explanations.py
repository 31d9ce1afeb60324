"""Explanations: why the bot did not answer, at the message that it did not answer.

Responsible for finding the message that an event, a refused call or a raised error belongs to, and for the remark
that the chat shows there. Collaborators: `actions` reports events that were not delivered, `endpoints.rest` the answers
to calls, `simulator` what the bot reports. Does not draw: see the page's `chat/remarks.js`.
"""

import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import ApiError
from . import wire
from .state.bounded import Bounded
from .state.world import Conversation, MessageRecord, Scene, World
from .wire import JsonObject, is_object, text_of

_MAX_EVENTS = 20000
_MAX_REMARKS = 20
"""Remarks that a message keeps, the first ones."""

_MAX_TEXT = 16000  # characters of a traceback: its end says what was raised

_SENDS = re.compile(r"/(?P<kind>v2/groups|v2/users|channels|dms)/(?P<id>[^/]+)/(messages|files|stream_messages)")
_INTERACTION = re.compile(r"/interactions/(?P<id>[^/]+)")
_SCENES: Mapping[str, Scene] = {"v2/groups": "group", "v2/users": "c2c", "channels": "channel", "dms": "dms"}


@dataclass(slots=True, eq=False)
class _Shown:
    """A message and its events whose outcome is still to come: a private bot gets a mention as two events."""

    message_id: str
    pending: set[str]
    wanted: bool = False  # an outcome was another than `unwanted`


class Explanations:
    """The remarks at the messages of one simulator, and which message shows which event."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shown: Bounded[str, _Shown] = Bounded(_MAX_EVENTS)  # by event id and by interaction id

    def show(self, message: MessageRecord, events: Sequence[str], *interactions: str) -> None:
        """Record that a message shows the events and interactions of these ids."""
        shown = _Shown(message.id, set(events))
        for each in (*events, *interactions):
            self._shown[each] = shown

    def message_of(self, event_id: str) -> MessageRecord | None:
        """Return the message that shows an event; None if no chat shows it."""
        shown = self._shown.get(event_id)
        return None if shown is None else self._world.message(shown.message_id)

    def undelivered(self, message: MessageRecord, reason: str, kind: str, intent: int) -> None:
        """Explain that no session received the event.

        `reason`: `offline` (no session), `silent` (a fault) or `intent` (the bit `intent` was not asked for).
        """
        self._remark(message, {"kind": reason, "event": kind, "intent": intent})

    def settled(self, event_id: str, outcome: str) -> None:
        """Explain that no handler took any event of a message."""
        if (shown := self._shown.get(event_id)) is None:
            return
        shown.pending.discard(event_id)
        shown.wanted = shown.wanted or outcome != "unwanted"
        if not shown.pending and not shown.wanted and (message := self.message_of(event_id)) is not None:
            self._remark(message, {"kind": "unwanted"})

    def failed(self, event_id: str, handler: str, error: Exception) -> None:
        """Show what a handler raised: at the message, or as a notice if no chat shows the event."""
        text = _printable("".join(traceback.format_exception(error)).rstrip())[-_MAX_TEXT:]
        message = self.message_of(event_id)
        if message is None:
            last = next((each.conversation for each in reversed(self._world.messages())), None)
            self._world.notice(last or self._world.group("test"), "bot", text=text)
            return
        if isinstance(error, ApiError) and error.hint is not None:
            self._add_hint(message, error)
        summary = _printable("".join(traceback.format_exception_only(error)).strip().partition("\n")[0])
        self._remark(message, {"kind": "failed", "handler": handler, "error": summary, "text": text})

    def _add_hint(self, message: MessageRecord, error: ApiError) -> None:
        """Complete the remark on the refused call: the client knows what to do about the code."""
        for remark in reversed(message.remarks):
            if remark.get("kind") == "refused" and remark.get("code") == error.code and error.hint is not None:
                remark["hint"] = {"en": error.hint.en, "zh": error.hint.zh}
                return

    def answered(self, method: str, path: str, raw: bytes, *, status: int, code: int, answer: str) -> None:
        """Explain that a send, an upload or an acknowledgement was refused."""
        if status < 400 or method == "GET" or (message := self._about(path, raw)) is None:
            return
        document = _object(answer.encode(errors="replace"))
        error = text_of(document, "message") or answer[:200]
        self._remark(
            message,
            {
                "kind": "refused",
                "call": f"{method} {path}",
                "status": status,
                "code": code,
                "error": error,
            },
        )

    def _about(self, path: str, raw: bytes) -> MessageRecord | None:
        """Return the message that a call belongs to: the one it names, else the last one of its conversation."""
        if (found := _INTERACTION.fullmatch(path)) is not None:
            return self.message_of(found["id"])
        if (found := _SENDS.fullmatch(path)) is None:
            return None
        body = _object(raw)
        named = self._world.message(text_of(body, "msg_id")) or self.message_of(text_of(body, "event_id"))
        where = self._world.find(_SCENES[found["kind"]], found["id"])
        return named or (None if where is None else self._last_of_user(where))

    def _last_of_user(self, where: Conversation) -> MessageRecord | None:
        return next((each for each in reversed(self._world.messages(where)) if each.sender == "user"), None)

    def _remark(self, message: MessageRecord, remark: JsonObject) -> None:
        if len(message.remarks) < _MAX_REMARKS:
            message.remarks.append(remark)
            self._world.changed(message)


def _object(raw: bytes) -> JsonObject:
    try:
        document = wire.parse(raw)
    except ValueError:
        return {}
    return document if is_object(document) else {}


def _printable(text: str) -> str:
    """Return the text without lone surrogates, which cannot be sent."""
    return text.encode(errors="backslashreplace").decode()


def describe(remark: JsonObject) -> str:
    """Return a remark as one line of a report."""
    match remark.get("kind"):
        case "unwanted":
            return "no handler took it"
        case "offline":
            return "not delivered: no bot is connected"
        case "silent":
            return "not delivered: the session receives no events"
        case "intent":
            return f"not delivered: the bot did not ask for the intent of {remark.get('event')}"
        case "failed":
            return f"{remark.get('handler')} raised {remark.get('error')}"
        case _:
            return (
                f"{remark.get('call')} was refused: {remark.get('status')}, {remark.get('code')} {remark.get('error')}"
            )
