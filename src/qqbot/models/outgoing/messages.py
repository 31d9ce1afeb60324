"""Messages that a bot sends: text, markdown with or without buttons, cards, media.

Responsible for the values that users create, and their rules: a combination that the platform refuses cannot be
expressed, or fails on creation. Collaborators: `wire` turns these values into bodies. It uploads and sends nothing.
"""

import os
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypedDict, Unpack
from urllib.parse import unquote, urlsplit

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import force_setattr

from ...errors import ConfigError
from ..base import Body
from ..keyboards import Keyboard
from ..media import FileType

MAX_CALLBACK_DATA = 128  # characters


class ActionButton(Body, frozen=True, kw_only=True):
    """The row of the platform's own buttons below a message: rate, read aloud, again, stop.

    `callback_data` (at most 128 characters) is returned as `button_data` of the interaction.

    Raises: ConfigError if `callback_data` is too long.
    Source: botgo dto/message_create, no page
    """

    template_id: int | UnsetType = UNSET
    callback_data: str | UnsetType = UNSET
    feedback: bool | UnsetType = UNSET
    tts: bool | UnsetType = UNSET
    re_generate: bool | UnsetType = UNSET
    stop_generate: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.callback_data is not UNSET and len(self.callback_data) > MAX_CALLBACK_DATA:
            raise ConfigError(f"ActionButton(callback_data=...) takes at most {MAX_CALLBACK_DATA} characters")


class MessageStream(Body, frozen=True, kw_only=True):
    """One fragment of the older streaming in the send call; use `ctx.stream()` instead.

    `state`: 1 generating, 10 done, 11 and 20 the same for guiding text. `index` counts fragments.

    Source: botgo dto/message_create, no page
    """

    state: int
    index: int
    id: str | UnsetType = UNSET
    reset: bool | UnsetType = UNSET


class Extras(TypedDict, total=False):
    """Options of every message, as keyword arguments; see `Text`."""

    quote: str | None
    ignore_missing_quote: bool | UnsetType
    subscribe_id: str | UnsetType
    prompt_keyboard: Keyboard | None
    action_button: ActionButton | UnsetType
    stream: MessageStream | UnsetType
    feature_id: int | UnsetType
    wakeup: bool | UnsetType
    extra: Mapping[str, object] | None


class _Sent(Struct, frozen=True, kw_only=True):
    """Options of every message. Only groups and C2C have those other than `quote` and `ignore_missing_quote`.

    `quote` shows another message above it: a guild message id, or in groups and C2C a REFIDX_... index;
    `ignore_missing_quote` sends it even if that message is gone. `prompt_keyboard`: suggestions below it. `wakeup`: a
    message to a user who has not written for a long time (C2C, not a reply). `subscribe_id`: the id of a subscription.
    `feature_id` and `stream` are passed on unchanged. `extra` has fields of the body that are newer than this package:
    they are added to it, or replace its own; an object is merged with the object of the same name.
    """

    quote: str | None = None
    ignore_missing_quote: bool | UnsetType = UNSET
    subscribe_id: str | UnsetType = UNSET
    prompt_keyboard: Keyboard | None = None
    action_button: ActionButton | UnsetType = UNSET
    stream: MessageStream | UnsetType = UNSET
    feature_id: int | UnsetType = UNSET
    wakeup: bool | UnsetType = UNSET
    extra: Mapping[str, object] | None = None


class _Written(_Sent, frozen=True):
    """A message with `content` as its positional argument."""

    content: str


class Text(_Written, frozen=True):
    """Plain text; `quote=` and the other options exist for every message.

    Raises: ConfigError if `content` is empty.
    Source: server-inter/message/type/text
    """

    def __post_init__(self) -> None:
        if not self.content.strip():
            raise ConfigError("Text is empty: a message needs content")


class MarkdownStyle(Body, frozen=True, kw_only=True):
    """The style of markdown: `main_font_size` small, middle or large; `layout` hide_avatar_and_center.

    Source: botgo dto/markdown, no page
    """

    main_font_size: str | UnsetType = UNSET
    layout: str | UnsetType = UNSET


class Markdown(_Written, frozen=True, kw_only=True):
    """Markdown, with buttons below if there is a `keyboard`; `Markdown.template` fills in a template instead.

    `force_verify_image_resource`: the send fails if an image cannot be downloaded. `style` and `process_msg`
    are passed on.

    Raises: ConfigError if it is empty, or has both content and a template.
    Source: server-inter/message/type/markdown
    """

    keyboard: Keyboard | None = None
    template_id: int | str | None = None
    params: Mapping[str, Sequence[str]] | None = None
    force_verify_image_resource: bool | UnsetType = UNSET
    style: MarkdownStyle | UnsetType = UNSET
    process_msg: str | UnsetType = UNSET

    @classmethod
    def template(
        cls,
        template_id: int | str,
        params: Mapping[str, str | Sequence[str]] | None = None,
        *,
        keyboard: Keyboard | None = None,
        **options: Unpack[Extras],
    ) -> Self:
        """Return a filled-in template of the console (its id, a str), or an old template (its number).

        Groups and C2C no longer support templates; guilds do.

        Raises: ConfigError if the id is empty, or a value is empty or contains a line break.
        """
        values = {key: (value,) if isinstance(value, str) else tuple(value) for key, value in (params or {}).items()}
        return cls("", keyboard=keyboard, template_id=template_id, params=values, **options)

    def __post_init__(self) -> None:
        if self.template_id is None:
            if not self.content.strip():
                raise ConfigError("Markdown is empty: a message needs content")
            if self.params:
                raise ConfigError("Markdown(params=...) belongs to a template: Markdown.template(id, params)")
            return
        if self.content:
            raise ConfigError("Markdown takes either content or a template, not both")
        if self.template_id == "":
            raise ConfigError("Markdown.template() needs the id that the console shows")
        for key, values in (self.params or {}).items():
            for value in values:
                if not value or "\n" in value or "\r" in value:
                    raise ConfigError(f"the markdown parameter {key!r} must be neither empty nor contain a line break")

    def __hash__(self) -> int:
        return hash((self.content, self.template_id, self.keyboard, self.quote))


class Ark(_Sent, frozen=True):
    """A card from a template: `Ark(23, {"#DESC#": "text", "#LIST#": [{"desc": "line", "link": "https://..."}]})`.

    A value is a text, or lines of named texts. `links`, `thumbnail` and `big_image` create the templates that are open
    to all bots.

    Raises: ConfigError if there are no values.
    Source: server-inter/message/type/ark
    """

    template_id: int
    values: Mapping[str, str | Sequence[Mapping[str, str]]]

    def __post_init__(self) -> None:
        if not self.values:
            raise ConfigError('an Ark needs the values of its template: Ark(24, {"#TITLE#": "..."})')

    @classmethod
    def links(
        cls, desc: str, lines: Sequence[str | tuple[str, str]], *, prompt: str = "", **options: Unpack[Extras]
    ) -> Self:
        """Return template 23: a list of lines, each a text or (text, address).

        Raises: ConfigError if there are no lines.
        """
        if not lines:
            raise ConfigError("Ark.links() needs at least one line")
        items = [{"desc": line} if isinstance(line, str) else {"desc": line[0], "link": line[1]} for line in lines]
        return cls(23, {"#DESC#": desc, "#PROMPT#": prompt, "#LIST#": items}, **options)

    @classmethod
    def thumbnail(
        cls,
        title: str,
        text: str,
        *,
        image: str = "",
        link: str = "",
        desc: str = "",
        subtitle: str = "",
        prompt: str = "",
        **options: Unpack[Extras],
    ) -> Self:
        """Return template 24: a title and a text next to a small picture; `image` and `link` are addresses."""
        values = {
            "#DESC#": desc,
            "#PROMPT#": prompt,
            "#TITLE#": title,
            "#METADESC#": text,
            "#IMG#": image,
            "#LINK#": link,
            "#SUBTITLE#": subtitle,
        }
        return cls(24, {key: value for key, value in values.items() if value}, **options)

    @classmethod
    def big_image(
        cls, title: str, image: str, *, subtitle: str = "", link: str = "", prompt: str = "", **options: Unpack[Extras]
    ) -> Self:
        """Return template 37: a title above a large picture; `image` and `link` are addresses."""
        values = {
            "#PROMPT#": prompt,
            "#METATITLE#": title,
            "#METASUBTITLE#": subtitle,
            "#METACOVER#": image,
            "#METAURL#": link,
        }
        return cls(37, {key: value for key, value in values.items() if value}, **options)

    def __hash__(self) -> int:
        return hash((self.template_id, *self.values))


class Card(_Sent, frozen=True):
    """A card with a picture and a link, in groups and C2C: `Card("News", "https://...", description="...")`.

    `url` opens at a click, `pic_url` is the address of the picture. `type`: "tuwen" is the only known one.

    Raises: ConfigError if there is no title or no address.
    Source: autogen/api/v2_groups_group_openid_messages.post
    """

    title: str
    url: str
    description: str = ""
    pic_url: str = ""
    type: str = "tuwen"

    def __post_init__(self) -> None:
        if not self.title.strip() or not self.url:
            raise ConfigError('a Card needs a title and an address: Card("News", "https://...")')


class Embed(_Sent, frozen=True):
    """A card of lines, in guild channels and guild private chats only.

    `prompt` is the text in the list of chats, `thumbnail` the address of a picture; a field is a text, or
    (name, value).

    Raises: ConfigError if there is nothing to show.
    Source: server-inter/message/type/embed
    """

    title: str
    fields: Sequence[str | tuple[str, str]] = ()
    prompt: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    thumbnail: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        if not self.title.strip() and not self.fields:
            raise ConfigError("an Embed needs a title or fields")
        force_setattr(self, "fields", tuple(self.fields))


Source = str | os.PathLike[str] | bytes | AsyncIterable[bytes]
"""The source of a file: a web address (str), a path (Path), the bytes, or a stream of bytes."""

Progress = Callable[[int, int], object]
"""Called during an upload with the number of bytes sent, and the total."""


class MediaExtras(Extras, total=False):
    """Options of `Media` other than its source and text."""

    name: str | None
    progress: Progress | None
    check: bool


class Media(_Sent, frozen=True, kw_only=True):
    """A picture, video, voice message or file, with a `text`; it is uploaded when it is sent.

    Created by `image`, `video`, `voice` and `file`. `source` is a web address that the platform downloads (a str), a
    `pathlib.Path`, the bytes, or an async iterable of bytes, which can be sent once. A str is never a path, so that
    the text of a user can never name a file of this machine. `progress` is called during the upload. `check=False`
    sends the bytes whatever their kind and size, and leaves it to the platform to refuse them. Guild channels and
    guild private chats accept images only.

    Raises: ConfigError if `source` is empty, or a str that is not an http or https address.
    Source: server-inter/message/rich-media
    """

    type: FileType
    source: Source
    text: str = ""
    name: str | None = None
    progress: Progress | None = None
    check: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.source, str) and not _is_web_address(self.source):
            raise ConfigError(
                f"media needs an http:// or https:// address, not {self.source!r}; "
                "for a file of this machine pass a pathlib.Path"
            )
        if isinstance(self.source, bytes) and not self.source and self.check:
            raise ConfigError("the media is empty: it has 0 bytes")
        if self.type is FileType.FILE and not self.name:
            force_setattr(self, "name", _file_name(self.source))

    @property
    def url(self) -> str | None:
        """The address that the platform downloads; None if the SDK sends the bytes."""
        return self.source if isinstance(self.source, str) else None

    @classmethod
    def image(cls, source: Source, text: str = "", **options: Unpack[MediaExtras]) -> Self:
        """Return a picture (png, jpg, gif, webp, bmp)."""
        return cls(type=FileType.IMAGE, source=source, text=text, **options)

    @classmethod
    def video(cls, source: Source, text: str = "", **options: Unpack[MediaExtras]) -> Self:
        """Return a video (mp4)."""
        return cls(type=FileType.VIDEO, source=source, text=text, **options)

    @classmethod
    def voice(cls, source: Source, text: str = "", **options: Unpack[MediaExtras]) -> Self:
        """Return a voice message (silk, mp3, wav, flac, ogg)."""
        return cls(type=FileType.VOICE, source=source, text=text, **options)

    @classmethod
    def file(cls, source: Source, text: str = "", **options: Unpack[MediaExtras]) -> Self:
        """Return a file; `name`, with its extension, defaults to the last part of the address or path."""
        return cls(type=FileType.FILE, source=source, text=text, **options)

    def __hash__(self) -> int:
        return hash((self.type, self.text, self.name, self.quote))


Outgoing = Text | Markdown | Ark | Card | Embed | Media
"""A message that can be sent."""

Message = str | Outgoing
"""The argument of every sending method; a str is `Text`."""


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _file_name(source: Source) -> str:
    match source:
        case str():
            name = unquote(urlsplit(source).path.rpartition("/")[2])
        case os.PathLike():
            name = Path(source).name
        case _:
            name = ""
    return name or "file"
