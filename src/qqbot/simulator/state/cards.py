"""Cards that users send (ARK messages of users), and cards of the bot (`msg_type` 8).

Responsible for the check of a card, for the defaults that the platform adds, and for one form of both kinds. Cards
exist in groups and C2C only.

Source: autogen/event/c2c_message_create.
"""

from .. import wire
from ..wire import JsonObject, is_object, object_of, text_of
from ..wire.arguments import optional_text
from ..wire.refusal import Refusal
from .world import Scene

NAMES = {
    "tuwen": "图文H5",
    "feed": "图文卡片",
    "miniapp": "小程序",
    "map": "位置卡片",
    "contact_card": "好友名片",
    "video_share": "视频分享",
    "music_together": "一起听歌",
    "picture": "图片",
}
"""`ark_name` that the platform gives each `ark_type`."""

_FIELDS = {"title": "title", "desc": "description", "preview": "pic_url", "jump_url": "url"}
"""Fields of a card of a user, and what a card of the bot calls them."""

_SCENES = ("group", "c2c")
_MEMBERS = ("prompt", "ark_type", "ark_name", "fields")


def checked(card: object, scene: Scene, *, any_type: bool = False) -> JsonObject:
    """Return a card in wire form; a missing name or prompt gets the default of QQ.

    `any_type`: a card of the bot, whose type may be one that users do not send.
    Raises: ValueError for a malformed card, and for a scene without cards.
    """
    if scene not in _SCENES:
        raise ValueError(f"there are no cards in {scene}: users send them in group and c2c only")
    if not is_object(card):
        raise ValueError('a card is an object: {"ark_type": "tuwen", "fields": {"title": ..., "jump_url": ...}}')
    card = wire.parse_object(wire.check(card))
    if unknown := [name for name in card if name not in _MEMBERS]:
        raise ValueError(f"a card has no {unknown[0]}, only {', '.join(_MEMBERS)}: put what it shows into fields")
    kind, fields = text_of(card, "ark_type"), card.get("fields")
    if kind not in NAMES and not any_type:
        raise ValueError(f"ark_type of a card must be one of {', '.join(NAMES)}")
    if not is_object(fields) or not fields:
        raise ValueError("fields of a card must be an object with what it shows: title, desc, jump_url, preview, ...")
    name, prompt = optional_text(card, "ark_name"), optional_text(card, "prompt")
    title = text_of(fields, "title") or text_of(fields, "nickname")
    return {
        "prompt": f"[分享]{title}" if prompt is None else prompt,
        "ark_type": kind,
        "ark_name": NAMES.get(kind, kind) if name is None else name,
        "fields": fields,
    }


def summary(card: JsonObject) -> str:
    """Return the `content` that the platform gives a message with this card."""
    return f"[卡片消息] {text_of(card, 'ark_name')}\n摘要: {text_of(card, 'prompt')}"


def from_bot(card: JsonObject) -> JsonObject:
    """Return a card of the bot (`msg_type` 8) in the form of the cards of users.

    Raises: Refusal 22006 if it has no type or no title.
    """
    kind, content = text_of(card, "type"), object_of(card, "content")
    if not kind or not text_of(content, "title"):
        raise Refusal(22006, "a card needs a type, and a content with a title")
    fields: JsonObject = {field: text_of(content, name) for field, name in _FIELDS.items()}
    title = text_of(fields, "title")
    return {"prompt": f"[分享]{title}", "ark_type": kind, "ark_name": NAMES.get(kind, kind), "fields": fields}


def as_sent(card: JsonObject) -> JsonObject:
    """Return a card of the bot in the form of its send."""
    fields = object_of(card, "fields")
    content: JsonObject = {name: text_of(fields, field) for field, name in _FIELDS.items()}
    return {"type": text_of(card, "ark_type"), "content": content}
