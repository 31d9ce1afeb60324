"""A chat as a file: JSON lines with conversations, files and messages, which can be saved and opened.

Responsible for the form of these lines. A chat that is opened is history: it is shown, but the bot gets no events.
"""

import base64
import re
from collections.abc import Callable, Iterator
from datetime import datetime

from .. import wire
from ..endpoints.schema import checked_model
from ..platform import Platform
from ..state import attachments, cards
from ..state.files import FILE_LIMIT, LIBRARY
from ..state.media import KINDS
from ..state.world import MAX_CONVERSATIONS, MAX_MEMBERS, MAX_MESSAGES, ROLES, MessageRecord, Scene, scene_of
from ..wire import JsonObject, arguments, is_array, is_decimal, text_of
from ..wire.refusal import Refusal
from ..wire.tables import Tables

VERSION = 1

ARCHIVE_LIMIT = 64 << 20
"""The maximum size of a saved chat, in bytes."""

_LIBRARY_IMAGE = re.compile(re.escape(LIBRARY) + r"[\w-]+")

_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WORD = re.compile(r"[a-z_]{1,32}")
_EMOJI = re.compile(r"[12]:\w{1,20}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_MAX_DIGITS = 20  # of an id
_MAX_LINES = MAX_CONVERSATIONS + 2 * MAX_MESSAGES

_TEXTS = ("text", "markdown", "reply_to", "quote", "button", "notice")
_MODELS = {"keyboard": "MessageKeyboard", "ark": "MessageArk", "embed": "MessageEmbed"}


def save(platform: Platform) -> str:
    """Return the whole chat."""
    return "".join(f"{wire.dump(line)}\n" for line in _lines(platform))


def _lines(platform: Platform) -> Iterator[JsonObject]:
    yield {"line": "chat", "version": VERSION, "app_id": platform.settings.app_id}
    for conversation in platform.world.conversations_document():
        yield {"line": "conversation", **conversation}
    messages = platform.world.messages()
    for address in _addresses(messages):
        if (file := platform.files.find(address)) is not None:
            data = base64.b64encode(file.data).decode()
            yield {"line": "file", "key": file.key, "name": file.name, "type": file.type, "data": data}
    for message in messages:
        yield {"line": "message", **message.document()}


def _addresses(messages: list[MessageRecord]) -> Iterator[str]:
    for message in messages:
        yield from _LIBRARY_IMAGE.findall(message.markdown or "")
        for file in (message.media or {}, *message.attachments):
            if address := text_of(file, "url"):
                yield address


def load(platform: Platform, saved: str) -> int:
    """Show a saved chat; return the number of new messages.

    Raises: ValueError with the number of a line that is wrong; then nothing has changed.
    """
    if len(saved.encode(errors="replace")) > ARCHIVE_LIMIT:
        raise ValueError(f"the file is larger than {ARCHIVE_LIMIT >> 20} MiB: it is not a saved chat")
    lines = [(number, line) for number, line in enumerate(saved.removeprefix("\ufeff").split("\n"), 1) if line.strip()]
    if not lines:
        raise ValueError("the file is empty: it is not a saved chat")
    if len(lines) > _MAX_LINES:
        raise ValueError(f"the file has more than {_MAX_LINES} lines: a saved chat has fewer")
    steps = [_step(platform, number, line) for number, line in lines]
    count = len(platform.world.messages())
    with platform.world.publishing_once():
        for step in steps:
            step()
    return len(platform.world.messages()) - count


def _step(platform: Platform, number: int, line: str) -> Callable[[], None]:
    """Check a line; return the function that restores it."""
    try:
        document = wire.parse_object(line)
        return _READERS.get(text_of(document, "line"), _unknown)(platform, document)
    except Refusal as refusal:
        raise ValueError(f"line {number} of the saved chat: {refusal.message}") from None
    except ValueError as error:
        raise ValueError(f"line {number} of the saved chat: {error}") from None


def _unknown(_: Platform, document: JsonObject) -> Callable[[], None]:
    raise ValueError(f"{str(document.get('line'))[:40]!r} is not a kind of line")


def _check_version(_: Platform, document: JsonObject) -> Callable[[], None]:
    if document.get("version") != VERSION:
        raise ValueError(f"version {str(document.get('version'))[:40]} is not known, only {VERSION}")
    return lambda: None


def _place(document: JsonObject, id_name: str) -> tuple[Scene, str]:
    scene, conversation_id = scene_of(document.get("scene")), text_of(document, id_name)
    if scene is None or not conversation_id:
        raise ValueError(f"scene and {id_name} have to name a conversation")
    return scene, conversation_id


def _conversation(platform: Platform, document: JsonObject) -> Callable[[], None]:
    scene, conversation_id = _place(document, "id")
    name, guild = arguments.optional_text(document, "name") or "", arguments.optional_text(document, "guild") or ""
    members = [_member(each, scene) for each in arguments.objects(document, "members")]
    if len(members) > MAX_MEMBERS:
        raise ValueError(f"a conversation has {MAX_MEMBERS} members at most")
    settings = {name: arguments.optional_flag(document, name) is True for name in ("all_messages", "mention_tag")}

    def restore() -> None:
        where = platform.world.restore(scene, conversation_id, name, guild)
        if scene == "group":
            platform.world.set_delivery(where, **settings)
        for member in members:
            platform.world.restore_person(where, *member)

    return restore


def _member(document: JsonObject, scene: Scene) -> tuple[str, str, str]:
    name, person_id = text_of(document, "name"), text_of(document, "id")
    if not name or not person_id:
        raise ValueError("members need name and id")
    if scene in ("channel", "dms") and not (is_decimal(person_id) and len(person_id) <= _MAX_DIGITS):
        raise ValueError("ids of guild members are numbers")
    return name, person_id, arguments.choice(document, "role", ROLES, default="member")


def _file(platform: Platform, document: JsonObject) -> Callable[[], None]:
    key, name = text_of(document, "key"), arguments.optional_text(document, "name") or ""
    if _KEY.fullmatch(key) is None:
        raise ValueError("a file needs a key of letters, digits, - and _")
    try:
        data = base64.b64decode(text_of(document, "data"), validate=True)
    except ValueError:  # binascii.Error is one; so is a text that is not ASCII
        raise ValueError("the data of a file is not base64") from None
    if len(data) > FILE_LIMIT:
        raise ValueError(f"a file is larger than {FILE_LIMIT >> 20} MiB")
    kind = arguments.optional_text(document, "type") or ""

    def restore() -> None:
        platform.files.store(data, name=name, content_type=kind, key=key)

    return restore


def _message(platform: Platform, document: JsonObject) -> Callable[[], None]:
    place = _place(document, "conversation")
    message_id, sender = text_of(document, "id"), document.get("from")
    if not message_id or sender not in ("user", "bot", "system"):
        raise ValueError("a message needs an id, and is from user, bot or system")
    arguments.texts(document, "author", *_TEXTS)
    for name in ("kind", "notice"):
        if (word := text_of(document, name)) and _WORD.fullmatch(word) is None:
            raise ValueError(f"{name} has to be a word")
    age = (platform.clock.date() - _time(document)).total_seconds()
    parts = _parts(platform.tables, document, place[0])

    def restore() -> None:
        if platform.world.message(message_id) is None:
            where = platform.world.adopt(*place)
            at = platform.clock.now() - max(age, 0.0)
            message = MessageRecord(
                message_id, where, sender, text_of(document, "author"), at, text_of(document, "time")
            )
            for name, value in parts.items():
                setattr(message, name, value)
            platform.world.add(message)

    return restore


def _time(document: JsonObject) -> datetime:
    """Return the time of a message, in the only form that every browser reads."""
    time = text_of(document, "time")
    try:
        return datetime.fromisoformat(time if _TIME.fullmatch(time) else "")
    except ValueError:
        raise ValueError("time has to be a date with its time zone, such as 2026-01-31T08:00:00+08:00") from None


def _parts(tables: Tables, document: JsonObject, scene: Scene) -> JsonObject:
    """Return the other fields of a message, in the form that the simulator itself gives them.  Raises: ValueError."""
    parts: JsonObject = {name: text_of(document, name) or None for name in _TEXTS}
    parts |= {"kind": text_of(document, "kind") or "text"}
    for name, model in _MODELS.items():
        value = document.get(name)
        parts[name] = None if value is None else checked_model(value, model, tables) or None
    if (media := arguments.optional_object(document, "media")) is not None:
        kind = arguments.choice(media, "kind", tuple(KINDS.values()))
        parts["media"] = {"kind": kind, **{name: arguments.optional_text(media, name) for name in ("url", "name")}}
    if document.get("card") is not None:
        parts["card"] = cards.checked(document["card"], scene, any_type=document.get("from") == "bot")
    parts["mention"] = arguments.optional_flag(document, "mention") is True
    parts["attachments"] = attachments.checked(arguments.objects(document, "attachments"))
    parts["role"] = arguments.choice(document, "role", ROLES, default="member")
    parts["remarks"] = [_remark(each) for each in arguments.objects(document, "remarks")]
    parts["reactions"] = _reactions(arguments.optional_object(document, "reactions") or {})
    parts["ack"] = arguments.optional_integer(document, "ack")
    parts["replies"] = arguments.optional_integer(document, "replies") or 0
    return parts


def _remark(document: JsonObject) -> JsonObject:
    arguments.text(document, "kind")
    arguments.texts(document, "event", "handler", "error", "text", "call")
    for name in ("intent", "status", "code"):
        arguments.optional_integer(document, name)
    if (hint := arguments.optional_object(document, "hint")) is not None:
        arguments.texts(hint, "en", "zh")
    return document


def _reactions(document: JsonObject) -> dict[str, list[str]]:
    names = {
        emoji: [each for each in value if isinstance(each, str)] for emoji, value in document.items() if is_array(value)
    }
    if names != document or not all(_EMOJI.fullmatch(emoji) for emoji in names):
        raise ValueError("reactions have the names of people by type:id of an emoji")
    return names


_READERS = {"chat": _check_version, "conversation": _conversation, "file": _file, "message": _message}
