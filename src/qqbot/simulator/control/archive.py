"""A chat as a file: JSON lines with conversations, files and messages, which can be saved and opened.

Responsible for the form of these lines. A chat that is opened is history: it is shown, but the bot gets no events.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from datetime import datetime

from .. import wire
from ..platform import Platform
from ..state import cards
from ..state.files import LIBRARY
from ..state.world import Conversation, MessageRecord, Scene, scene_of
from ..wire import JsonObject, is_array, is_integer, object_of, objects_of, text_of

VERSION = 1

ARCHIVE_LIMIT = 64 << 20
"""The maximum size of a saved chat, in bytes."""

_LIBRARY_IMAGE = re.compile(re.escape(LIBRARY) + r"[\w-]+")

_TEXTS = ("text", "markdown", "reply_to", "quote", "button", "notice")
_OBJECTS = ("keyboard", "media", "ark", "embed", "card")


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
    steps = [_step(platform, number, line) for number, line in enumerate(saved.splitlines(), 1) if line.strip()]
    if not steps:
        raise ValueError("the file is empty: it is not a saved chat")
    count = len(platform.world.messages())
    for step in steps:
        step()
    platform.world.publish_conversations()
    return len(platform.world.messages()) - count


def _step(platform: Platform, number: int, line: str) -> Callable[[], None]:
    """Check a line; return the function that restores it."""
    try:
        document = wire.parse_object(line)
        return _READERS.get(text_of(document, "line"), _unknown)(platform, document)
    except ValueError as error:
        raise ValueError(f"line {number} of the saved chat: {error}") from None


def _unknown(_: Platform, document: JsonObject) -> Callable[[], None]:
    raise ValueError(f"{document.get('line')!r} is not a kind of line")


def _check_version(_: Platform, document: JsonObject) -> Callable[[], None]:
    if document.get("version") != VERSION:
        raise ValueError(f"version {document.get('version')} is not known, only {VERSION}")
    return lambda: None


def _place(document: JsonObject, id_name: str) -> tuple[Scene, str]:
    scene, conversation_id = scene_of(document.get("scene")), text_of(document, id_name)
    if scene is None or not conversation_id:
        raise ValueError(f"scene and {id_name} have to name a conversation")
    return scene, conversation_id


def _conversation(platform: Platform, document: JsonObject) -> Callable[[], None]:
    scene, conversation_id = _place(document, "id")
    name, guild = text_of(document, "name"), text_of(document, "guild")
    members = [
        (text_of(each, "name"), text_of(each, "id"), text_of(each, "role")) for each in objects_of(document, "members")
    ]
    if not all(name and person_id for name, person_id, _ in members):
        raise ValueError("members need name and id")

    settings = {name: document.get(name) is True for name in ("all_messages", "mention_tag")}

    def restore() -> None:
        where = platform.world.restore(scene, conversation_id, name, guild)
        if scene == "group":
            platform.world.set_delivery(where, **settings)
        for member in members:
            platform.world.restore_person(where, *member)

    return restore


def _file(platform: Platform, document: JsonObject) -> Callable[[], None]:
    key, name = text_of(document, "key"), text_of(document, "name")
    if not key:
        raise ValueError("a file needs a key")
    try:
        data = base64.b64decode(text_of(document, "data"), validate=True)
    except binascii.Error:
        raise ValueError("the data of a file is not base64") from None
    kind = text_of(document, "type")

    def restore() -> None:
        platform.files.store(data, name=name, content_type=kind, key=key)

    return restore


def _message(platform: Platform, document: JsonObject) -> Callable[[], None]:
    place = _place(document, "conversation")
    message_id, sender = text_of(document, "id"), document.get("from")
    if not message_id or sender not in ("user", "bot", "system"):
        raise ValueError("a message needs an id, and is from user, bot or system")
    try:
        age = (platform.clock.date() - datetime.fromisoformat(text_of(document, "time"))).total_seconds()
    except (ValueError, TypeError):
        raise ValueError("time has to be a date with its time zone") from None
    if document.get("card") is not None:
        document = {**document, "card": cards.checked(document["card"], place[0], any_type=sender == "bot")}

    def restore() -> None:
        if platform.world.message(message_id) is None:
            where = platform.world.adopt(*place)
            at = platform.clock.now() - max(age, 0.0)
            platform.world.add(_restored(message_id, where, at, document))

    return restore


def _restored(message_id: str, where: Conversation, at: float, document: JsonObject) -> MessageRecord:
    sender = document.get("from")
    message = MessageRecord(
        message_id,
        where,
        "user" if sender == "user" else "bot" if sender == "bot" else "system",
        text_of(document, "author"),
        at,
        text_of(document, "time"),
        text_of(document, "kind") or "text",
    )
    for name in _TEXTS:
        setattr(message, name, text_of(document, name) or None)
    for name in _OBJECTS:
        setattr(message, name, object_of(document, name) or None)
    message.mention = document.get("mention") is True
    message.attachments = objects_of(document, "attachments")
    message.role = text_of(document, "role") or "member"
    message.remarks = objects_of(document, "remarks")
    message.reactions = _names(object_of(document, "reactions"))
    message.ack = ack if is_integer(ack := document.get("ack")) else None
    message.replies = replies if is_integer(replies := document.get("replies")) else 0
    return message


def _names(reactions: JsonObject) -> dict[str, list[str]]:
    return {emoji: [str(name) for name in names] for emoji, names in reactions.items() if is_array(names)}


_READERS = {"chat": _check_version, "conversation": _conversation, "file": _file, "message": _message}
