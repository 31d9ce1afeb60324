"""The text of messages: mentions, escapes, commands, and the platform's tags, read and written.

Responsible for the text inside `content`; `messages` and `outgoing` have the messages that carry it.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from typing import cast
from unicodedata import normalize
from urllib.parse import quote, unquote

from msgspec import Struct

from ..errors import ConfigError, DecodeError
from .codec import encode, parse

SLASHES = ("/", "／")
"""What a command begins with."""

LONGEST_ATTRIBUTE = 100  # characters, before they are percent-encoded

_PERSON = r"<@!?{0}>|<qqbot-at-user\s+id=\"{0}\"\s*/?>"
_MENTION = _PERSON.format(r"[^\s<>\"]+") + r"|<qqbot-at-everyone\s*/?>|@everyone\b"
_LEADING = re.compile(rf"(?:\s|{_MENTION})+")
_ANYWHERE = re.compile(rf" ?(?:{_MENTION}) ?")
_COMMAND = re.compile(r"[/／](\S+)\s*(.*)", re.DOTALL)
_FACE_TAG = r"<faceType=(?P<face>\d{1,9}),faceId=\"(?P<face_id>[^\"]*)\",ext=\"(?P<ext>[^\"]*)\">"
_FACE = re.compile(_FACE_TAG)
_TAG = re.compile(
    r"<@!?(?P<user>[^\s<>\"]+)>"
    r"|<\#(?P<channel>\w+)>"
    r"|<emoji:(?P<emoji>\w+)>"
    r"|(?P<everyone>@everyone)\b"
    r"|<qqbot-(?P<name>at-user|at-everyone|cmd-enter|cmd-input)(?P<attributes>(?:\s+\w+=\"[^\"]*\")*)\s*/?>"
    rf"|{_FACE_TAG}"
)
_ATTRIBUTE = re.compile(r"(\w+)=\"([^\"]*)\"")


def fold(text: str) -> str:
    """Return what is equal for words that users type in different cases and widths."""
    return normalize("NFKC", text).casefold()


def strip_leading_mentions(text: str, user: str | None = None) -> str:
    """Return `text` without outer blanks and without leading mentions; only those of `user` if it is given.

    U+00A0, which the platform puts next to mentions, becomes a space.
    """
    pattern = re.compile(rf"(?:\s|{_PERSON.format(re.escape(user))})+") if user is not None else _LEADING
    text = _spaced(text)
    found = pattern.match(text)
    return text[found.end() if found else 0 :].strip()


def strip_mentions(text: str) -> str:
    """Return `text` without outer blanks and without any mention. U+00A0 becomes a space."""
    return _ANYWHERE.sub(" ", _spaced(text)).strip()


def strip_mentions_of(text: str, users: Iterable[str]) -> str:
    """Return `text` without outer blanks and without any mention of these users. U+00A0 becomes a space."""
    names = "|".join(re.escape(user) for user in users if user)
    text = _spaced(text)
    if names and "<" in text:
        text = re.sub(rf"[ ]?(?:{_PERSON.format(f'(?:{names})')})[ ]?", _gap, text)
    return text.strip()


def _gap(found: re.Match[str]) -> str:
    """Return what a mention leaves: a space between words, nothing at the edge of a line."""
    before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    return "" if before in ("", "\n") or after in ("", "\n") else " "


def faces_as_text(text: str) -> str:
    """Return `text` with the name of each face that a user of a group or C2C sent, "[name]", in place of its tag.

    A face without a name keeps its tag.
    """
    return _FACE.sub(_face_name, text) if "<faceType=" in text else text


def _face_name(found: re.Match[str]) -> str:
    name = _face_text(found["ext"]).strip()
    if not name:
        return found[0]
    return name if name.startswith("[") else f"[{name}]"


def _spaced(text: str) -> str:
    return text.replace("\u00a0", " ")


def unescape(text: str) -> str:
    """Return the content of a guild message as it was typed.  Source: server-inter/message/message_format"""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def escape(text: str) -> str:
    """Return `text` escaped, so that a guild shows it literally instead of reading tags in it.

    Source: server-inter/message/message_format
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def parse_command(text: str) -> tuple[str, str]:
    """Return the name and the rest of "/name rest"; ("", the text) if it does not start with a slash.

    Mentions before the slash and outer blanks are ignored; ／ is a slash too.
    """
    text = strip_leading_mentions(text)
    found = _COMMAND.match(text)
    return (found[1], found[2]) if found else ("", text)


class UserMention(Struct, frozen=True):
    """Mentions a user, in groups and channels; `str` writes it."""

    user_id: str

    def __str__(self) -> str:
        return f'<qqbot-at-user id="{_id(self.user_id)}" />'


class EveryoneMention(Struct, frozen=True):
    """Mentions everyone in a channel, which needs a permission; `str` writes it."""

    def __str__(self) -> str:
        return "<qqbot-at-everyone />"


class ChannelLink(Struct, frozen=True):
    """Links to a channel of the same guild; `str` writes it."""

    channel_id: str

    def __str__(self) -> str:
        return f"<#{_id(self.channel_id)}>"


class EmojiTag(Struct, frozen=True):
    """A system face in a guild, by its number; `str` writes it.  Source: openapi/emoji/model"""

    id: str

    def __str__(self) -> str:
        return f"<emoji:{_id(self.id)}>"


class CommandEnter(Struct, frozen=True):
    """Text in markdown that sends `text` when clicked; C2C only; `str` writes it.

    Raises: ConfigError if `text` is empty or longer than 100 characters.
    """

    text: str

    def __post_init__(self) -> None:
        _check("text", self.text)

    def __str__(self) -> str:
        return f'<qqbot-cmd-enter text="{quote(self.text, safe="")}" />'


class CommandInput(Struct, frozen=True):
    """Text in markdown that fills the input box with `text` when clicked; `str` writes it.

    `show` is the visible text, `text` if empty; with `reference` the message is quoted.

    Raises: ConfigError if `text` is empty, or either is longer than 100 characters.
    """

    text: str
    show: str = ""
    reference: bool = False

    def __post_init__(self) -> None:
        _check("text", self.text)
        _check("show", self.show or self.text)

    def __str__(self) -> str:
        shown = f' show="{quote(self.show, safe="")}"' if self.show else ""
        flag = str(self.reference).lower()
        return f'<qqbot-cmd-input text="{quote(self.text, safe="")}"{shown} reference="{flag}" />'


class Face(Struct, frozen=True):
    """A face that a user of a group or C2C sent; `text` is its name, such as "[smile]"; `str` writes the tag."""

    type: int
    id: str = ""
    text: str = ""

    def __str__(self) -> str:
        ext = b64encode(encode({"text": self.text})).decode()
        return f'<faceType={self.type},faceId="{self.id}",ext="{ext}">'


Tag = UserMention | EveryoneMention | ChannelLink | EmojiTag | CommandEnter | CommandInput | Face
"""The tags that `parse_tags` finds."""


def parse_tags(text: str) -> list[str | Tag]:
    """Split `text` at the platform's tags; `"".join(map(str, ...))` joins it again, in the current forms.

    The text between tags is unchanged: use `unescape` for a guild message. An incomplete tag is text.
    """
    pieces: list[str | Tag] = []
    end = 0
    for found in _TAG.finditer(text):
        tag = _tag(found)
        if tag is None:
            continue
        if found.start() > end:
            pieces.append(text[end : found.start()])
        pieces.append(tag)
        end = found.end()
    return [*pieces, text[end:]] if end < len(text) else pieces


def _tag(found: re.Match[str]) -> Tag | None:
    kind = found.lastgroup or ""
    if kind == "attributes":
        try:
            return _NAMED[found["name"]](dict(_ATTRIBUTE.findall(found["attributes"])))
        except (KeyError, ConfigError):
            return None
    return _SHORT[kind](found)


_SHORT: dict[str, Callable[[re.Match[str]], Tag]] = {
    "user": lambda found: UserMention(found["user"]),
    "channel": lambda found: ChannelLink(found["channel"]),
    "emoji": lambda found: EmojiTag(found["emoji"]),
    "everyone": lambda _: EveryoneMention(),
    "ext": lambda found: Face(int(found["face"]), found["face_id"], _face_text(found["ext"])),
}
_NAMED: dict[str, Callable[[dict[str, str]], Tag]] = {
    "at-user": lambda given: UserMention(_id(given["id"])),
    "at-everyone": lambda _: EveryoneMention(),
    "cmd-enter": lambda given: CommandEnter(unquote(given["text"])),
    "cmd-input": lambda given: CommandInput(
        unquote(given["text"]), unquote(given.get("show", "")), given.get("reference") == "true"
    ),
}


def _face_text(ext: str) -> str:
    try:
        details = parse(b64decode(ext))
    except (DecodeError, ValueError):
        return ""
    text = cast("dict[str, object]", details).get("text") if isinstance(details, dict) else None
    return text if isinstance(text, str) else ""


def _id(value: str) -> str:
    if not re.fullmatch(r"[^\s<>\"]+", value):
        raise ConfigError(f"{value!r} is not an id for a tag; take it from the event or an earlier answer")
    return value


def _check(attribute: str, value: str) -> None:
    if not value:
        raise ConfigError(f"the tag needs a {attribute}, not ''")
    if len(value) > LONGEST_ATTRIBUTE:
        raise ConfigError(f"the {attribute} of the tag has {len(value)} characters; {LONGEST_ATTRIBUTE} are allowed")
