"""Endpoints of announcements in guilds and channels."""

from ...platform import Platform
from ...state.guild import ChannelState, GuildState
from ...state.world import GuildRecord
from ...wire import JsonObject, objects_of, text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall
from .access import administered_channel, administered_guild

ALL = "all"
_MAX_CHANNELS = 3


def create_guild_announces(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/announces/post_guild_announces; a new one replaces the previous one."""
    guild = administered_guild(platform, call)
    recommended = objects_of(call.body, "recommend_channels")
    if message_id := text_of(call.body, "message_id"):
        channel_id = text_of(call.body, "channel_id")
        _check_message(platform, message_id, channel_id)
    elif recommended:
        channel_id = ""
        _check_channels(guild, recommended)
    else:
        raise Refusal(501001, "neither a message nor recommended channels")
    kind = call.body.get("announces_type", 0)
    document = _document(guild.id, channel_id, message_id) | {"announces_type": kind}
    platform.guild_states.guild(guild).announces = document | {"recommend_channels": recommended}
    return platform.guild_states.guild(guild).announces


def _check_channels(guild: GuildRecord, recommended: list[JsonObject]) -> None:
    if len(recommended) > _MAX_CHANNELS:
        raise Refusal(501016, "too many recommended channels")
    known = {channel.id for channel in guild.channels.values()}
    if any(text_of(each, "channel_id") not in known for each in recommended):
        raise Refusal(501018, "a recommended channel is not in the guild")


def _check_message(platform: Platform, message_id: str, channel_id: str) -> None:
    message = platform.world.message(message_id)
    if message is None:
        raise Refusal(501008, "the message does not exist")
    if message.conversation.id != channel_id:
        raise Refusal(501010, "the message is not in this channel")


def _document(guild_id: str, channel_id: str, message_id: str) -> JsonObject:
    return {"guild_id": guild_id, "channel_id": channel_id, "message_id": message_id}


def delete_guild_announces(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/announces/delete_guild_announces."""
    _end(platform.guild_states.guild(administered_guild(platform, call)), call)
    return None


def create_channel_announces(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/announces/post_channel_announces."""
    channel = administered_channel(platform, call)
    message_id = text_of(call.body, "message_id")
    _check_message(platform, message_id, channel.id)
    platform.guild_states.channel(channel).announces = _document(channel.guild_id, channel.id, message_id)
    return platform.guild_states.channel(channel).announces


def delete_channel_announces(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/announces/delete_channel_announces."""
    _end(platform.guild_states.channel(administered_channel(platform, call)), call)
    return None


def _end(state: GuildState | ChannelState, call: EndpointCall) -> None:
    message_id = call.params["message_id"]
    if message_id != ALL and (state.announces is None or state.announces["message_id"] != message_id):
        raise Refusal(501005, "this message is not announced")
    state.announces = None
