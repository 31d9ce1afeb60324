"""Formatted text as forums have it: paragraphs of text, pictures, videos and links.

Owns its forms on the wire and the one form that they become; threads and posts are in `forums`.
"""

from typing import Self

from ..errors import DecodeError
from .base import Model, OpenIntEnum
from .codec import decoder


class ElemType(OpenIntEnum):
    """What an `Elem` is."""

    TEXT = 1
    IMAGE = 2
    VIDEO = 3
    URL = 4


class TextProps(Model, frozen=True, kw_only=True, omit_defaults=True):
    """How a piece of text looks."""

    font_bold: bool = False
    italic: bool = False
    underline: bool = False


class TextElem(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of text."""

    text: str = ""
    props: TextProps | None = None


class PlatImage(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A picture that the platform keeps. `width` and `height` are in pixels."""

    url: str = ""
    width: int = 0
    height: int = 0
    image_id: str = ""


class ImageElem(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A picture: the platform's, or for sending one at `third_url`. `width_percent` (0 to 1) scales it."""

    plat_image: PlatImage | None = None
    third_url: str = ""
    width_percent: float = 0.0


class PlatVideo(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A video that the platform keeps. `duration` is in seconds, `width` and `height` in pixels."""

    url: str = ""
    width: int = 0
    height: int = 0
    video_id: str = ""
    duration: int = 0
    cover: PlatImage | None = None


class VideoElem(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A video: the platform's, or for sending one at `third_url`."""

    plat_video: PlatVideo | None = None
    third_url: str = ""


class URLElem(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A link, and the words that are shown for it."""

    url: str = ""
    desc: str = ""


class Elem(Model, frozen=True, kw_only=True, omit_defaults=True):
    """One piece of a paragraph; the field named by `type` holds it. Samples without `type` exist.

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
        """What can be read of it: the text, or what a link shows; '' for pictures and videos."""
        if self.text is not None:
            return self.text.text
        return (self.url.desc or self.url.url) if self.url is not None else ""


class ParagraphProps(Model, frozen=True, kw_only=True, omit_defaults=True):
    """How a paragraph looks. `alignment`: 0 left, 1 centre, 2 right."""

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
        """Return plain `text`, each of its lines a paragraph; '' has none."""
        lines = text.split("\n") if text else []
        return cls(paragraphs=tuple(Paragraph(elems=(Elem.of_text(line),)) for line in lines))

    @property
    def text(self) -> str:
        """The words alone, a line for each paragraph."""
        return "\n".join("".join(elem.words for elem in paragraph.elems) for paragraph in self.paragraphs)


class RichType(OpenIntEnum):
    """What a `RichObject` is."""

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
        """The mention as people read it."""
        if self.user_info is not None:
            return f"@{self.user_info.nick or self.user_info.id}"
        if self.role_info is not None:
            return f"@{self.role_info.name or self.role_info.role_id}"
        return f"@{self.guild_info.guild_name or self.guild_info.guild_id}" if self.guild_info is not None else ""


class URLInfo(Model, frozen=True, kw_only=True):
    """A link, and the words that are shown for it."""

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
        """Return the same in the newer form, which has words for mentions, faces and channels, not their ids."""
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
"""The forms on the wire: plain text or JSON in a string, the object itself, or an array of the older form."""

_rich_text = decoder(RichText)
_rich_objects = decoder(tuple[RichObject, ...])


def read_rich_text(source: RichSource) -> RichText:
    """Return whichever form the platform sent as `RichText`. A string that is no such JSON is plain text."""
    if isinstance(source, RichText):
        return source
    if isinstance(source, tuple):
        return RichText(paragraphs=(Paragraph(elems=tuple(one.to_elem() for one in source)),) if source else ())
    return _from_json(source.strip()) or RichText.of(source)


def _from_json(source: str) -> RichText | None:
    try:
        if source.startswith("{"):
            return _rich_text(source.encode())
        if source.startswith("[") and (found := _rich_objects(source.encode())):
            return read_rich_text(found)
    except (DecodeError, UnicodeEncodeError):
        pass  # somebody wrote a brace
    return None
