"""Endpoints that read and edit the messages of a channel."""

from ...platform import Platform
from ...state.world import MessageRecord
from ...wire import JsonObject, object_of, text_of
from ...wire.refusal import Refusal
from .. import content
from ..call import EndpointCall, limit_of
from ..lookups import find_channel


def get_channel_message(platform: Platform, call: EndpointCall) -> object:
    """Source: botgo and botpy, whose answer is wrapped in `message`."""
    return {"message": _find(platform, call).guild}


def list_channel_messages(platform: Platform, call: EndpointCall) -> object:
    """Return messages, oldest first; `around`, `before` or `after` selects the page."""
    messages = [each for each in platform.world.messages(find_channel(platform, call)) if each.guild]
    limit = limit_of(call, 20, 20)
    ids = [each.id for each in messages]
    if (before := call.query.get("before")) in ids:
        page = messages[: ids.index(before)][-limit:]
    elif (after := call.query.get("after")) in ids:
        page = messages[ids.index(after) + 1 :][:limit]
    elif (around := call.query.get("around")) in ids:
        first = max(0, ids.index(around) - limit // 2)
        page = messages[first : first + limit]
    else:
        page = messages[-limit:]
    return [each.guild for each in page]


def modify_channel_message(platform: Platform, call: EndpointCall) -> object:
    """Source: botgo PatchMessage; only the bot's own messages with a keyboard."""
    message = _find(platform, call)
    if message.sender != "bot":
        raise Refusal(50051, "only own messages can be changed")
    if message.keyboard is None:
        raise Refusal(50049, "only messages with a keyboard can be changed")
    body = content.without_blanks(call.body)
    content.check_edit(body, platform.registered_domains)
    _change(message, body, platform.clock.timestamp())
    platform.world.changed(message)
    return message.guild


def _change(message: MessageRecord, body: JsonObject, edited: str) -> None:
    message.keyboard = object_of(body, "keyboard")
    if "markdown" in body:
        message.markdown = text_of(object_of(body, "markdown"), "content")
    message.guild = {**(message.guild or {}), "edited_timestamp": edited}


def _find(platform: Platform, call: EndpointCall) -> MessageRecord:
    message = platform.world.message_in(find_channel(platform, call), call.params["message_id"])
    if message is None or message.guild is None:
        raise Refusal(50039, "message look-up failed")
    return message
