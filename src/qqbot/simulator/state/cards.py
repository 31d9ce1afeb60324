"""Cards that users send (ARK messages of users).

Responsible for the check of a card and for the defaults that the platform adds. Cards exist in groups and C2C only.

Source: autogen/event/c2c_message_create.
"""

from .. import wire
from ..wire import JsonObject, is_object, text_of
from ..wire.arguments import optional_text
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

_SCENES = ("group", "c2c")
_MEMBERS = ("prompt", "ark_type", "ark_name", "fields")


def checked(card: object, scene: Scene) -> JsonObject:
    """Return a card in wire form; a missing name or prompt gets the default of QQ.

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
    if kind not in NAMES:
        raise ValueError(f"ark_type of a card must be one of {', '.join(NAMES)}")
    if not is_object(fields) or not fields:
        raise ValueError("fields of a card must be an object with what it shows: title, desc, jump_url, preview, ...")
    name, prompt = optional_text(card, "ark_name"), optional_text(card, "prompt")
    title = text_of(fields, "title") or text_of(fields, "nickname")
    return {
        "prompt": f"[分享]{title}" if prompt is None else prompt,
        "ark_type": kind,
        "ark_name": NAMES[kind] if name is None else name,
        "fields": fields,
    }


def summary(card: JsonObject) -> str:
    """Return the `content` that the platform gives a message with this card."""
    return f"[卡片消息] {text_of(card, 'ark_name')}\n摘要: {text_of(card, 'prompt')}"
