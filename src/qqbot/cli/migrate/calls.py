"""Calls of `BotAPI` as calls of this package's resources.

Responsible for the target, the order and the form of arguments. Collaborators: `tables` (which call is which),
`messages` (what is sent), `rewriting` (the function around the call).
"""

from collections.abc import Callable
from typing import Protocol

import libcst as cst

from . import fields
from .messages import Parts, Surroundings, UnknownPart, media, message
from .syntax import arguments, call, entries, expression, is_none, items, listing, literal, named_argument
from .tables import CALLS, SENDS, UPLOADS, CallRow, SendRow

UNREADABLE = "* and ** hide the arguments of this call: write them out, then use api.{target}. 请展开参数后改写"


class CallPlace(Surroundings, Protocol):
    """The function that a call is made in."""

    def api_text(self, node: cst.BaseExpression) -> str:
        """Return how botpy's `api` is written here."""
        ...

    def answers(self, given: Parts, row: SendRow) -> str | None:
        """Return the name of the context that the message answers, in its own conversation; else None."""
        ...

    def is_botpy(self, node: cst.BaseExpression) -> bool:
        """True for a name of botpy."""
        ...


def rewritten(method: str, node: cst.Call, place: CallPlace) -> cst.BaseExpression | None:
    """Return the call of `api.method(...)` as it is written here; None if it stays, with a remark."""
    assert isinstance(node.func, cst.Attribute)
    api = place.api_text(node.func.value)
    if method in SENDS:
        return _send(SENDS[method], api, node, place)
    if method in UPLOADS:
        return _upload(method, api, node, place)
    row = CALLS.get(method)
    if row is None:
        place.remark(f"BotAPI.{method} has no counterpart; use api.call(Route(...)). 没有对应接口，请用 api.call")
        return None
    found = arguments(node, row.parameters)
    if found is None:
        place.remark(UNREADABLE.format(target=row.target))
        return None
    return _plain(row, f"{api}.{row.target}", found, place)


def _plain(row: CallRow, function: str, found: Parts, place: CallPlace) -> cst.Call:
    if row.target.startswith("reactions."):
        found = _with_emoji(found, place)
    if "desc" in found and row.target == "users.guilds" and literal(found.pop("desc")) is True and "guild_id" in found:
        found["before"] = found.pop("guild_id")
    given = {
        row.to.get(name, name): _converted(row.how.get(name), value, place)
        for name, value in found.items()
        if not is_none(value)
    }
    given |= {name: cst.parse_expression(value) for name, value in row.fixed.items()}
    positional: list[cst.BaseExpression] = []
    for name in fields.parameters(row.target):
        if name not in given:
            break
        positional.append(given.pop(name))
    return call(function, *positional, **given)


def _with_emoji(found: Parts, place: CallPlace) -> Parts:
    kind, number = found.pop("emoji_type", None), found.pop("emoji_id", None)
    if kind is not None and number is not None:
        name, types = place.need("Emoji", "qqbot.models"), place.need("EmojiType", "qqbot.models")
        found["emoji"] = call(name, id=number, type=call(types, kind))
    return found


def _converted(how: str | None, value: cst.BaseExpression, place: CallPlace) -> cst.BaseExpression:
    if how is None:
        return place.rewrite(value)
    if how in CONVERSIONS:
        return CONVERSIONS[how](value, place)
    if place.is_botpy(value):
        return place.rewrite(value)
    number = literal(value)
    inner = cst.Integer(str(number)) if isinstance(number, str) and number.isdigit() else place.rewrite(value)
    return call(place.need(how, "qqbot.models"), inner)


def _number(value: cst.BaseExpression, place: CallPlace) -> cst.BaseExpression:
    found = literal(value)
    if isinstance(found, str | int) and str(found).isdigit():
        return cst.Integer(str(found))
    return call("int", place.rewrite(value))


def _moment(value: cst.BaseExpression, place: CallPlace, divided: str) -> cst.BaseExpression:
    utc, moment = place.need("UTC", "datetime"), place.need("datetime", "datetime")
    return expression(f"{moment}.fromtimestamp({{number}}{divided}, {utc})", number=_number(value, place))


def _flag(value: cst.BaseExpression, place: CallPlace) -> cst.BaseExpression:
    found = literal(value)
    return cst.Name(str(bool(found))) if isinstance(found, int) else call("bool", place.rewrite(value))


def _model(name: str, value: cst.BaseExpression, place: CallPlace, numbers: str | None = None) -> cst.BaseExpression:
    """Return a model in place of a dict; the value as it is if no dict is found."""
    followed = place.follow(value)
    found = entries(followed) if isinstance(followed, cst.Dict) else None
    if found is None:
        return place.rewrite(followed)
    made = {
        key: call(place.need(numbers, "qqbot.models"), each) if key == "status" and numbers else place.rewrite(each)
        for key, each in found.items()
        if not is_none(each)
    }
    return call(place.need(name, "qqbot.models"), **made)


def _recommended(value: cst.BaseExpression, place: CallPlace) -> cst.BaseExpression:
    found = items(place.follow(value))
    if found is None:
        return place.rewrite(place.follow(value))
    return listing([_model("RecommendChannel", each, place) for each in found])


CONVERSIONS: dict[str, Callable[[cst.BaseExpression, CallPlace], cst.BaseExpression]] = {
    "number": _number,
    "seconds_text": lambda value, place: _moment(value, place, ""),
    "milliseconds": lambda value, place: _moment(value, place, " / 1000"),
    "flag": _flag,
    "audio": lambda value, place: _model("AudioControl", value, place, "AudioStatus"),
    "identify": lambda value, place: _model("APIPermissionDemandIdentify", value, place),
    "recommended": _recommended,
}


def _send(row: SendRow, api: str, node: cst.Call, place: CallPlace) -> cst.BaseExpression | None:
    found = arguments(node, (row.place, *row.parameters))
    if found is None or row.place not in found:
        place.remark(UNREADABLE.format(target=row.target))
        return None
    context = place.answers(found, row)
    where = found.pop(row.place)
    reference = {name: found.pop(name) for name in ("msg_id", "event_id") if name in found}
    found.pop("msg_seq", None)
    said = message(found, place)
    if context is not None:
        return call(f"{context}.reply", said)
    answered = {name: place.rewrite(value) for name, value in reference.items() if not is_none(value)}
    options = {"reply_to": call(place.need("ReplyTo"), **answered)} if len(answered) == 1 else {}
    return call(f"{api}.{row.target}", place.rewrite(where), said, **options)


def _upload(method: str, api: str, node: cst.Call, place: CallPlace) -> cst.BaseExpression | None:
    resource, openid = UPLOADS[method]
    found = arguments(node, (openid, "file_type", "url", "srv_send_msg"))
    before = place.followed_so_far()
    try:
        made = media(method, node, place)
    except UnknownPart:
        place.follow_only(before)
        place.remark(f"upload with api.{resource}.upload_media(openid, Media.image(url)). 请改用 upload_media")
        return None
    assert found is not None
    sends = literal(found["srv_send_msg"]) is True if "srv_send_msg" in found else False
    return call(f"{api}.{resource}.{'send_message' if sends else 'upload_media'}", place.rewrite(found[openid]), made)


def modified(node: cst.Call, place: CallPlace) -> cst.BaseExpression | None:
    """Return a call of `patch_guild_message` as it is written here."""
    assert isinstance(node.func, cst.Attribute)
    found = arguments(node, ("channel_id", "patch_msg_id", "msg_id", "event_id", "markdown", "keyboard"))
    if found is None or "markdown" not in found or "patch_msg_id" not in found:
        place.remark(UNREADABLE.format(target="channels.modify_message"))
        return None
    said = message({name: found[name] for name in ("markdown", "keyboard") if name in found}, place)
    api = place.api_text(node.func.value)
    where, which = place.rewrite(found["channel_id"]), place.rewrite(found["patch_msg_id"])
    return call(f"{api}.channels.modify_message", where, which, said)


def reply(context: str, node: cst.Call, place: CallPlace) -> cst.BaseExpression | None:
    """Return a call of `message.reply(...)` as it is written here."""
    found = arguments(node, ("content",))
    if found is None:
        place.remark("* and ** hide what is sent: write ctx.reply(message). 请展开参数后改用 ctx.reply(...)")
        return None
    for name in ("msg_id", "event_id", "msg_seq", "channel_id", "guild_id", "group_openid", "openid"):
        found.pop(name, None)
    return call(f"{context}.reply", message(found, place))


def permissions(node: cst.Call, place: CallPlace, bits: dict[str, str]) -> cst.BaseExpression | None:
    """Return botpy's `Permission(view_permission=True)` as flags."""
    found = arguments(node, ())
    if not found or not found.keys() <= bits.keys() or any(literal(each) is not True for each in found.values()):
        return None
    name = place.need("Permissions")
    return cst.parse_expression(" | ".join(f"{name}.{bits[each]}" for each in found))


def constructed(name: str, node: cst.Call, place: CallPlace) -> cst.Call:
    """Return a model of `botpy.types` as the model of this package."""
    arguments_ = [each.with_changes(value=place.rewrite(each.value)) for each in node.args]
    if name == "AudioControl":
        status = place.need("AudioStatus", "qqbot.models")
        arguments_ = [
            named_argument("status", call(status, each.value))
            if each.keyword and each.keyword.value == "status"
            else each
            for each in arguments_
        ]
    return cst.Call(cst.Name(place.need(name, "qqbot.models")), arguments_)
