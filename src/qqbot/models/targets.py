"""Targets and tickets: where a message goes and what it answers, and both stored for later.

Responsible for the addresses and for the platform's reply windows and limits, as values. Collaborators: `api` sends to
them, and checks the window. It knows no path of the API.
"""

from datetime import datetime
from enum import StrEnum
from typing import Self

from msgspec import Struct

from ..errors import ConfigError, DecodeError
from .codec import decoder, encode


class Scene(StrEnum):
    """The four kinds of conversation."""

    GROUP = "group"
    C2C = "c2c"
    CHANNEL = "channel"
    DMS = "dms"


REPLY_WINDOWS = {Scene.GROUP: 300.0, Scene.C2C: 3600.0, Scene.CHANNEL: 300.0, Scene.DMS: 300.0}
"""Seconds in which a message or an event can be answered.  Source: server-inter/message/overview"""

REPLY_LIMITS = {Scene.GROUP: 5, Scene.C2C: 4}
"""Answers to one message, if they are limited.  Source: server-inter/message/overview"""

TICKET_NUMBERS = 64
"""How many msg_seq a ticket reserves; no window allows nearly so many answers."""


class _Kept(Struct, frozen=True):
    """A value that can be stored as JSON."""

    def to_json(self) -> str:
        """Return it as JSON text, for a file, a database or a queue."""
        return encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return what `to_json` wrote.  Raises: ConfigError for anything else."""
        try:
            return decoder(cls)(text.encode() if isinstance(text, str) else text)
        except DecodeError as error:
            raise ConfigError(f"this JSON is not a {cls.__name__}: {error}") from None


class Target(_Kept, frozen=True):
    """A conversation. `id`: a group_openid, user_openid, channel id, or the guild id of a private chat.

    Raises: ConfigError if `id` is empty.
    """

    scene: Scene
    id: str

    def __post_init__(self) -> None:
        if not self.id:
            raise ConfigError(f"a target in the scene {self.scene.value!r} needs an id, not ''")


class ReplyTo(Struct, frozen=True, omit_defaults=True):
    """What a message answers: a message (`msg_id`) or an event (`event_id`, the id of its envelope).

    `msg_seq` tells the answers to one message apart; the API client numbers them when it is None. `expires_at` is when
    the reply window closes, a moment of the API client's `clock`: later nothing is sent. It is not sent itself; None
    leaves the window to the platform.

    Raises: ConfigError if not exactly one of `msg_id` and `event_id` is given.
    Source: server-inter/message/send-receive/send
    """

    msg_id: str | None = None
    event_id: str | None = None
    msg_seq: int | None = None
    expires_at: float | None = None

    def __post_init__(self) -> None:
        if bool(self.msg_id) == bool(self.event_id):
            raise ConfigError("ReplyTo needs exactly one of msg_id and event_id, and it must not be empty")

    @property
    def reference(self) -> str:
        """The id of the message or the event that is answered."""
        return self.msg_id or self.event_id or ""


class Ticket(_Kept, frozen=True, kw_only=True):
    """The right to answer one message or event later, also from another process: `api.reply(ticket, ...)`.

    `ctx.ticket()` makes it, `to_json` stores it. `first` begins the block of msg_seq that is reserved for this ticket,
    so use it in one process only: each process needs a ticket of its own. `deadline` is when the reply window closes.
    """

    target: Target
    reply_to: ReplyTo
    first: int
    deadline: datetime
