"""Reactions: emoji on messages, threads, posts and replies.

Responsible for the payload of the events, the kinds of emoji, and the lists of users who reacted.
"""

from typing import Self

from .base import Id, Model, OpenIntEnum, require
from .users import User

_AS_PICTURE = "\ufe0f"  # follows a character that could also be shown as text


class EmojiType(OpenIntEnum):
    """The list that the number of an emoji belongs to.  Source: openapi/emoji/model"""

    SYSTEM = 1
    EMOJI = 2


class Emoji(Model, frozen=True, kw_only=True):
    """An emoji: the number of a system face, or of a character.  Source: openapi/emoji/model"""

    id: Id
    type: EmojiType

    @classmethod
    def of(cls, emoji: str) -> Self:
        """Return a Unicode emoji.  Raises: ConfigError if it is empty."""
        require(emoji=emoji)
        character = emoji.removesuffix(_AS_PICTURE)
        return cls(id=str(ord(character)) if len(character) == 1 else emoji, type=EmojiType.EMOJI)

    @classmethod
    def face(cls, number: int) -> Self:
        """Return a face of the platform."""
        return cls(id=str(number), type=EmojiType.SYSTEM)


class ReactionTargetType(OpenIntEnum):
    """The kind of the target. The page documents numbers, the service sends words."""

    MESSAGE = 0
    THREAD = 1
    POST = 2
    REPLY = 3

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return super()._missing_(value)
        return cls(_TARGET_WORDS[value]) if value in _TARGET_WORDS else None


_TARGET_WORDS = {
    "ReactionTargetType_MSG": 0,
    "ReactionTargetType_FEED": 1,
    "ReactionTargetType_COMMNENT": 2,  # sic
    "ReactionTargetType_COMMENT": 2,
    "ReactionTargetType_REPLY": 3,
}


class ReactionTarget(Model, frozen=True, kw_only=True):
    """The message, thread, post or reply that has the reaction."""

    id: Id
    type: ReactionTargetType = ReactionTargetType.MESSAGE


class MessageReaction(Model, frozen=True, kw_only=True):
    """A user added or removed a reaction.  Source: openapi/reaction/model"""

    user_id: Id
    guild_id: str = ""
    channel_id: Id
    target: ReactionTarget
    emoji: Emoji


class ReactionUsersPage(Model, frozen=True, kw_only=True):
    """Users who reacted to a message; `cookie` asks for the next page until `is_end`.

    Source: server-inter/message/trans/emoji
    """

    users: tuple[User, ...] = ()
    cookie: str = ""
    is_end: bool = False
