"""Endpoints of pinned messages in a channel."""

from ...platform import Platform
from ...state.world import Conversation
from ...wire import JsonObject
from ...wire.refusal import Refusal
from ..call import EndpointCall
from ..lookups import find_channel
from .access import administered_channel

ALL = "all"
_MAX_PINS = 20


def list_pins(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/pins/get_pins_message."""
    return _document(platform, find_channel(platform, call))


def _document(platform: Platform, channel: Conversation) -> JsonObject:
    ids = list(platform.guild_states.channel(channel).pins)
    return {"guild_id": channel.guild_id, "channel_id": channel.id, "message_ids": ids}


def add_pin(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/pins/put_pins_message."""
    channel = administered_channel(platform, call)
    message = platform.world.message_in(channel, call.params["message_id"])
    if message is None:
        raise Refusal(501008, "the message does not exist in this channel")
    if message.text is None:
        raise Refusal(501015, "only text messages can be pinned")
    pins = platform.guild_states.channel(channel).pins
    if message.id not in pins:
        if len(pins) >= _MAX_PINS:
            raise Refusal(501013, "a channel has 20 pins at most")
        pins.append(message.id)
    return _document(platform, channel)


def delete_pin(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/pins/delete_pins_message."""
    pins = platform.guild_states.channel(administered_channel(platform, call)).pins
    if (message_id := call.params["message_id"]) == ALL:
        pins.clear()
    elif message_id in pins:
        pins.remove(message_id)
    else:
        raise Refusal(501012, "this message is not pinned")
    return None
