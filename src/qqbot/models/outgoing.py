"""What a bot sends: text, markdown with or without buttons, media.

Owns the values a user writes, their rules, and the pure functions that turn them into wire bodies.
A mix that the platform refuses cannot be written, or fails when it is made.
"""

from enum import IntEnum
from typing import Self, TypeVar
from urllib.parse import unquote, urlsplit

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import force_setattr

from ..errors import ConfigError
from .base import Body
from .keyboards import Keyboard, MessageKeyboard
from .media import FileType, MediaInfo
from .messages import MessageReference
from .targets import ReplyTo

T = TypeVar("T")


class _Written(Struct, frozen=True):
    content: str

    def __post_init__(self) -> None:
        if not self.content.strip():
            raise ConfigError(f"{type(self).__name__} is empty: a message needs content")


class Text(_Written, frozen=True, kw_only=True):
    """Plain text.

    `quote` shows another message above it: a guild message id, or in groups and C2C a REFIDX_... index.

    Raises: ConfigError when `content` is empty.
    Source: server-inter/message/type/text
    """

    quote: str | None = None


class Markdown(_Written, frozen=True, kw_only=True):
    """Markdown, with buttons below when there is a `keyboard`.

    `quote` shows another message above it: a guild message id, or in groups and C2C a REFIDX_... index.

    Raises: ConfigError when `content` is empty.
    Source: server-inter/message/type/markdown
    """

    keyboard: Keyboard | None = None
    quote: str | None = None


class Media(Struct, frozen=True, kw_only=True):
    """A picture, video, voice message or file that the platform fetches from `url`, with `text` beside it.

    Made by `image`, `video`, `voice` and `file`; guild channels and guild private chats take images only.

    Raises: ConfigError when `url` is no http or https address.
    Source: server-inter/message/rich-media
    """

    type: FileType
    url: str
    text: str = ""
    name: str | None = None
    quote: str | None = None

    def __post_init__(self) -> None:
        if not _is_web_address(self.url):
            raise ConfigError(f"media needs an http:// or https:// address, not {self.url!r}")
        if self.type is FileType.FILE and not self.name:
            force_setattr(self, "name", _file_name(self.url))

    @classmethod
    def image(cls, url: str, text: str = "", *, quote: str | None = None) -> Self:
        """Return a picture (png, jpg)."""
        return cls(type=FileType.IMAGE, url=url, text=text, quote=quote)

    @classmethod
    def video(cls, url: str, text: str = "", *, quote: str | None = None) -> Self:
        """Return a video (mp4)."""
        return cls(type=FileType.VIDEO, url=url, text=text, quote=quote)

    @classmethod
    def voice(cls, url: str, text: str = "", *, quote: str | None = None) -> Self:
        """Return a voice message (silk)."""
        return cls(type=FileType.VOICE, url=url, text=text, quote=quote)

    @classmethod
    def file(cls, url: str, text: str = "", *, name: str | None = None, quote: str | None = None) -> Self:
        """Return a file; `name`, with its extension, defaults to the last part of the address."""
        return cls(type=FileType.FILE, url=url, text=text, name=name, quote=quote)


Outgoing = Text | Markdown | Media
"""A message that can be sent."""

Message = str | Outgoing
"""What every sending method takes; a str is `Text`."""


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2]) or "file"


class MessageType(IntEnum):
    """The `msg_type` of groups and C2C."""

    TEXT = 0
    MARKDOWN = 2
    MEDIA = 7


class MessageMarkdown(Body, frozen=True, kw_only=True):
    """Markdown on the wire."""

    content: str | UnsetType = UNSET


class V2MessageBody(Body, frozen=True, kw_only=True):
    """A message to a group or in C2C, on the wire.

    Source: autogen/api/v2_groups_group_openid_messages.post
    """

    msg_type: MessageType
    content: str | UnsetType = UNSET
    markdown: MessageMarkdown | UnsetType = UNSET
    keyboard: MessageKeyboard | UnsetType = UNSET
    media: MediaInfo | UnsetType = UNSET
    message_reference: MessageReference | UnsetType = UNSET
    msg_id: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET
    msg_seq: int | UnsetType = UNSET


class GuildMessageBody(Body, frozen=True, kw_only=True):
    """A message to a guild channel or a guild private chat, on the wire.

    Source: server-inter/channel/message/send
    """

    content: str | UnsetType = UNSET
    image: str | UnsetType = UNSET
    markdown: MessageMarkdown | UnsetType = UNSET
    keyboard: MessageKeyboard | UnsetType = UNSET
    message_reference: MessageReference | UnsetType = UNSET
    msg_id: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET


def as_outgoing(message: object) -> Outgoing:
    """Return `message` as a value, a str as `Text`.  Raises: ConfigError when it is empty or no message."""
    if isinstance(message, Text | Markdown | Media):
        return message
    if isinstance(message, str):
        return Text(message)
    raise ConfigError(f"a message is a str, Text, Markdown or Media, not {type(message).__name__}")


def v2_body(message: Message, reply_to: ReplyTo | None = None, media: MediaInfo | None = None) -> V2MessageBody:
    """Return the wire body for a group or C2C; `media` is the upload of a `Media`.

    Raises: ConfigError when `message` is empty, or is a `Media` without its upload.
    """
    message = as_outgoing(message)
    if isinstance(message, Media) and media is None:
        raise ConfigError("a Media message needs the MediaInfo of its upload")
    return V2MessageBody(
        msg_type=_message_type(message),
        content=_v2_content(message),
        markdown=_markdown(message),
        keyboard=_keyboard(message),
        media=media if isinstance(message, Media) and media else UNSET,
        message_reference=_reference(message),
        msg_id=_given(reply_to.msg_id if reply_to else None),
        event_id=_given(reply_to.event_id if reply_to else None),
        msg_seq=_given(reply_to.msg_seq if reply_to else None),
    )


def guild_body(message: Message, reply_to: ReplyTo | None = None) -> GuildMessageBody:
    """Return the wire body for a guild channel or a guild private chat.

    Raises: ConfigError when `message` is empty, or is media other than an image.
    """
    message = as_outgoing(message)
    if isinstance(message, Media) and message.type is not FileType.IMAGE:
        raise ConfigError(f"guild messages can carry images only, not a {message.type.name.lower()}")
    return GuildMessageBody(
        content=_guild_content(message),
        image=message.url if isinstance(message, Media) else UNSET,
        markdown=_markdown(message),
        keyboard=_keyboard(message),
        message_reference=_reference(message),
        msg_id=_given(reply_to.msg_id if reply_to else None),
        event_id=_given(reply_to.event_id if reply_to else None),
    )


def _given(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value


def _message_type(message: Outgoing) -> MessageType:
    match message:
        case Text():
            return MessageType.TEXT
        case Markdown():
            return MessageType.MARKDOWN
        case Media():
            return MessageType.MEDIA


def _v2_content(message: Outgoing) -> str | UnsetType:
    match message:
        case Text():
            return message.content
        case Markdown():
            return UNSET
        case Media():
            return message.text or " "  # without any content the service of 2025 refused media


def _guild_content(message: Outgoing) -> str | UnsetType:
    match message:
        case Text():
            return message.content
        case Markdown():
            return UNSET
        case Media():
            return message.text or UNSET


def _markdown(message: Outgoing) -> MessageMarkdown | UnsetType:
    return MessageMarkdown(content=message.content) if isinstance(message, Markdown) else UNSET


def _keyboard(message: Outgoing) -> MessageKeyboard | UnsetType:
    return message.keyboard.wire if isinstance(message, Markdown) and message.keyboard else UNSET


def _reference(message: Outgoing) -> MessageReference | UnsetType:
    return UNSET if message.quote is None else MessageReference(message_id=message.quote)
