"""Formatted text of forums: paragraphs of text, pictures, videos and links.

Responsible for its forms on the wire, and for turning all of them into `RichText`. See `forums` for threads and posts.
"""

from typing import Self

from ..errors import DecodeError
from .base import Finite, Model, OpenIntEnum
from .codec import decoder


class ElemType(OpenIntEnum):
    """The kind of an `Elem`."""

    TEXT = 1
    IMAGE = 2
    VIDEO = 3
    URL = 4


class TextProps(Model, frozen=True, kw_only=True, omit_defaults=True):
    """The style of a piece of text."""

    font_bold: bool = False
    italic: bool = False
    underline: bool = False


class TextElem(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of text."""

    text: str = ""
    props: TextProps | None = None


class PlatImage(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A picture that the platform stores. `width` and `height` are in pixels."""

    url: str = ""
    width: int = 0
    height: int = 0
    image_id: str = ""


class ImageElem(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A picture: stored by the platform, or to send, at `third_url`. `width_percent` (0 to 1) scales it."""

    plat_image: PlatImage | None = None
    third_url: str = ""
    width_percent: Finite = 0.0


class PlatVideo(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A video that the platform stores. `duration` is in seconds, `width` and `height` in pixels."""

    url: str = ""
    width: int = 0
    height: int = 0
    video_id: str = ""
    duration: int = 0
    cover: PlatImage | None = None


class VideoElem(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A video: stored by the platform, or to send, at `third_url`."""

    plat_video: PlatVideo | None = None
    third_url: str = ""


class URLElem(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A link, and its text."""

    url: str = ""
    desc: str = ""


class Elem(Model, frozen=True, kw_only=True, omit_defaults=True):
    """One piece of a paragraph, in the field that `type` names. Samples without `type` exist.

    Source: server-inter/channel/content/forum/model
    """

    type: ElemType | None = None
    text: TextElem | None = None
    image: ImageElem | None = None
    video: VideoElem | None = None
    url: URLElem | None = None

    @classmethod
    def of_text(cls, text: str, *, bold: bool = False, italic: bool = False, underline: bool = False) -> Self:
        """Return a piece of text."""
        looks = TextProps(font_bold=bold, italic=italic, underline=underline)
        return cls(type=ElemType.TEXT, text=TextElem(text=text, props=None if looks == TextProps() else looks))

    @classmethod
    def of_image(cls, url: str, *, width_percent: float = 0.0) -> Self:
        """Return a picture that the platform fetches from `url`; `width_percent` (0 to 1) scales it."""
        return cls(type=ElemType.IMAGE, image=ImageElem(third_url=url, width_percent=width_percent))

    @classmethod
    def of_video(cls, url: str) -> Self:
        """Return a video that the platform fetches from `url`."""
        return cls(type=ElemType.VIDEO, video=VideoElem(third_url=url))

    @classmethod
    def of_url(cls, url: str, desc: str = "") -> Self:
        """Return a link shown as `desc`."""
        return cls(type=ElemType.URL, url=URLElem(url=url, desc=desc))

    @property
    def words(self) -> str:
        """The readable text: the text itself, or the text of a link; '' for pictures and videos."""
        if self.text is not None:
            return self.text.text
        return (self.url.desc or self.url.url) if self.url is not None else ""


class ParagraphProps(Model, frozen=True, kw_only=True, omit_defaults=True):
    """The style of a paragraph. `alignment`: 0 left, 1 centre, 2 right."""

    alignment: int = 0


class Paragraph(Model, frozen=True, kw_only=True, omit_defaults=True):
    """One paragraph."""

    elems: tuple[Elem, ...] = ()
    props: ParagraphProps | None = None


class RichText(Model, frozen=True, kw_only=True):
    """Formatted text.  Source: server-inter/channel/content/forum/model"""

    paragraphs: tuple[Paragraph, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Return plain `text` with a paragraph for each line; '' has none."""
        lines = text.split("\n") if text else []
        return cls(paragraphs=tuple(Paragraph(elems=(Elem.of_text(line),)) for line in lines))

    @property
    def text(self) -> str:
        """The text without formatting, a line for each paragraph."""
        return "\n".join("".join(elem.words for elem in paragraph.elems) for paragraph in self.paragraphs)


class RichType(OpenIntEnum):
    """The kind of a `RichObject`."""

    TEXT = 1
    AT = 2
    URL = 3
    EMOJI = 4
    CHANNEL = 5
    VIDEO = 10
    IMAGE = 11


class TextInfo(Model, frozen=True, kw_only=True):
    """A piece of text."""

    text: str = ""


class AtUserInfo(Model, frozen=True, kw_only=True):
    """The user that is mentioned."""

    id: str = ""
    nick: str = ""


class AtRoleInfo(Model, frozen=True, kw_only=True):
    """The role that is mentioned."""

    role_id: str = ""
    name: str = ""
    color: int = 0


class AtGuildInfo(Model, frozen=True, kw_only=True):
    """The guild whose members are all mentioned."""

    guild_id: str = ""
    guild_name: str = ""


class AtInfo(Model, frozen=True, kw_only=True):
    """A mention. `type`: 1 a user, 2 a role, 3 the guild."""

    type: int = 0
    user_info: AtUserInfo | None = None
    role_info: AtRoleInfo | None = None
    guild_info: AtGuildInfo | None = None

    @property
    def words(self) -> str:
        """The readable text of the mention."""
        if self.user_info is not None:
            return f"@{self.user_info.nick or self.user_info.id}"
        if self.role_info is not None:
            return f"@{self.role_info.name or self.role_info.role_id}"
        return f"@{self.guild_info.guild_name or self.guild_info.guild_id}" if self.guild_info is not None else ""


class URLInfo(Model, frozen=True, kw_only=True):
    """A link, and its text."""

    url: str = ""
    display_text: str = ""


class EmojiInfo(Model, frozen=True, kw_only=True):
    """A face."""

    id: str = ""
    type: str = ""
    name: str = ""
    url: str = ""


class ChannelInfo(Model, frozen=True, kw_only=True):
    """A link to a channel."""

    channel_id: str = ""
    channel_name: str = ""


class RichObject(Model, frozen=True, kw_only=True):
    """One piece of text in the older form of the forum events.

    Source: server-inter/channel/content/forum/model
    """

    type: RichType
    text_info: TextInfo | None = None
    at_info: AtInfo | None = None
    url_info: URLInfo | None = None
    emoji_info: EmojiInfo | None = None
    channel_info: ChannelInfo | None = None

    def to_elem(self) -> Elem:
        """Return it in the newer form, which has the text of mentions, faces and channels, but not their ids."""
        if self.url_info is not None:
            return Elem.of_url(self.url_info.url, self.url_info.display_text)
        if self.type in (RichType.VIDEO, RichType.IMAGE):
            return Elem(type=ElemType.VIDEO if self.type is RichType.VIDEO else ElemType.IMAGE)
        return Elem.of_text(self._words())

    def _words(self) -> str:
        if self.text_info is not None:
            return self.text_info.text
        if self.at_info is not None:
            return self.at_info.words
        if self.emoji_info is not None:
            return self.emoji_info.name
        return f"#{self.channel_info.channel_name}" if self.channel_info is not None else ""


RichSource = str | RichText | tuple[RichObject, ...]
"""The forms on the wire: a string of plain text or JSON, the object itself, or an array in the older form."""

_rich_text = decoder(RichText)
_rich_objects = decoder(tuple[RichObject, ...])


def read_rich_text(source: RichSource) -> RichText:
    """Return any form on the wire as `RichText`. A string that is not such JSON is plain text."""
    if isinstance(source, RichText):
        return source
    if isinstance(source, tuple):
        return RichText(paragraphs=(Paragraph(elems=tuple(one.to_elem() for one in source)),) if source else ())
    return _from_json(source.strip()) or RichText.of(source)


def _from_json(source: str) -> RichText | None:
    try:
        if source.startswith("{") and source != "{}":
            return _rich_text(source.encode())
        if source.startswith("[") and (found := _rich_objects(source.encode())):
            return read_rich_text(found)
    except (DecodeError, UnicodeEncodeError):
        pass  # plain text that begins with a brace
    return None
