"""Reply windows of pushed messages and events.

Responsible for the age and the number of replies of each message and event, and for duplicate `msg_seq` numbers.
Collaborators: `platform` records each pushed event here, `endpoints.sending` counts each reply.

Source: server-inter/message/overview.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..wire import JsonObject, is_integer, is_object, text_of
from ..wire.refusal import Refusal
from .bounded import Bounded
from .clock import Clock
from .world import Conversation, Scene

WINDOWS: dict[Scene, float] = {"group": 300.0, "c2c": 3600.0, "channel": 300.0, "dms": 300.0}
"""Seconds during which a message can be replied to."""

REPLIES: dict[Scene, int | None] = {"group": 5, "c2c": 4, "channel": None, "dms": None}
"""Replies that one message allows; None: no limit."""

EVENTS: dict[Scene, tuple[str, ...]] = {
    "group": ("INTERACTION_CREATE", "GROUP_ADD_ROBOT", "GROUP_MSG_RECEIVE"),
    "c2c": ("INTERACTION_CREATE", "C2C_MSG_RECEIVE", "FRIEND_ADD"),
    "channel": ("GUILD_MEMBER_", "MESSAGE_REACTION_", "FORUM_THREAD_", "FORUM_POST_", "FORUM_REPLY_"),
    "dms": (),
}
"""Prefixes of the event types that can be replied to by event id."""

_SCENES_OF_MESSAGES: dict[str, tuple[Scene, str]] = {
    "GROUP_AT_MESSAGE_CREATE": ("group", "group_openid"),
    "GROUP_MESSAGE_CREATE": ("group", "group_openid"),
    "C2C_MESSAGE_CREATE": ("c2c", "user_openid"),
    "AT_MESSAGE_CREATE": ("channel", "channel_id"),
    "MESSAGE_CREATE": ("channel", "channel_id"),
    "DIRECT_MESSAGE_CREATE": ("dms", "guild_id"),
}

_MAX_TARGETS = 20000
_MAX_SEQS = 1000  # that are kept for one message or event


def message_place(kind: str, body: object) -> tuple[Scene, str, str] | None:
    """Return scene, conversation id and message id of an event that is a message; None for any other event."""
    place = _SCENES_OF_MESSAGES.get(kind)
    if place is None or not is_object(body):
        return None
    scene, name = place
    author = body.get("author")
    conversation = text_of(body, name) or text_of(author if is_object(author) else {}, name)
    message_id = text_of(body, "id")
    return (scene, conversation, message_id) if conversation and message_id else None


@dataclass(slots=True)
class _ReplyTarget:
    """A message or an event that can be replied to.

    `at`: business time of the push. `place`: (scene, conversation id) of a message, None for an event.
    `seqs`: msg_seq numbers in use, None if there are none.
    """

    kind: str
    at: float
    place: tuple[Scene, str] | None = None
    replies: int = 0
    seqs: Bounded[int, None] | None = None  # made with the first reply: most messages get none


@dataclass(frozen=True, slots=True)
class _Codes:
    """Error codes of one family of endpoints."""

    unknown_message: int
    old_message: int
    unknown_event: int
    wrong_event: int
    old_event: int


_V2 = _Codes(40034024, 40034005, 40034025, 40034027, 40034026)
_GUILD = _Codes(304026, 304027, 304026, 304028, 304027)


class ReplyWindows:
    """Messages and events of one bot. `counted(message id, replies)` is called after each reply to a message."""

    def __init__(self, clock: Clock, counted: Callable[[str, int], None]) -> None:
        self._clock = clock
        self._counted = counted
        self._messages: Bounded[str, _ReplyTarget] = Bounded(_MAX_TARGETS)
        self._events: Bounded[str, _ReplyTarget] = Bounded(_MAX_TARGETS)

    def observe(self, kind: str, event_id: str, body: object) -> tuple[Scene, str] | None:
        """Record a pushed event; return scene and conversation id if it is a message."""
        now = self._clock.now()
        self._events[event_id] = _ReplyTarget(kind, now)
        if (place := message_place(kind, body)) is None:
            return None
        scene, conversation_id, message_id = place
        self._messages[message_id] = _ReplyTarget(kind, now, (scene, conversation_id))
        return scene, conversation_id

    def use(self, conversation: Conversation, body: JsonObject) -> None:
        """Count a reply.

        Raises: Refusal if the message or event cannot be replied to here, now, or with this msg_seq.
        """
        message_id, event_id = text_of(body, "msg_id"), text_of(body, "event_id")
        codes = _V2 if conversation.scene in ("group", "c2c") else _GUILD
        if message_id and event_id:
            raise Refusal(codes.unknown_event, "msg_id and event_id exclude each other")
        if message_id:
            target = self._message(conversation, message_id, codes)
        elif event_id:
            target = self._event(conversation, event_id, codes)
        else:
            return
        self._count(conversation, target, body.get("msg_seq", 1), counted=bool(message_id))
        if message_id:
            self._counted(message_id, target.replies)

    def _message(self, conversation: Conversation, message_id: str, codes: _Codes) -> _ReplyTarget:
        target = self._messages.get(message_id)
        if target is None or target.place != (conversation.scene, conversation.id):
            raise Refusal(codes.unknown_message, "msg_id is unknown, or of another conversation")
        if self._clock.now() - target.at > WINDOWS[conversation.scene]:
            raise Refusal(codes.old_message, "msg_id has expired")
        return target

    def _event(self, conversation: Conversation, event_id: str, codes: _Codes) -> _ReplyTarget:
        target = self._events.get(event_id)
        if target is None:
            raise Refusal(codes.unknown_event, "event_id is unknown")
        if not target.kind.startswith(EVENTS[conversation.scene] or ("-",)):
            raise Refusal(codes.wrong_event, f"a {target.kind} cannot be replied to here")
        if self._clock.now() - target.at > WINDOWS[conversation.scene]:
            raise Refusal(codes.old_event, "event_id has expired")
        return target

    def _count(self, conversation: Conversation, target: _ReplyTarget, seq: object, *, counted: bool) -> None:
        limit = REPLIES[conversation.scene]
        if conversation.scene in ("group", "c2c"):
            number = seq if is_integer(seq) else 1
            if target.seqs is None:
                target.seqs = Bounded(_MAX_SEQS)
            if number in target.seqs:
                raise Refusal(40054005, "the message was dropped as a duplicate: check msg_seq")
            if counted and limit is not None and target.replies >= limit:
                raise Refusal(40034128, f"more than {limit} replies to one message")
            target.seqs[number] = None
        target.replies += 1
