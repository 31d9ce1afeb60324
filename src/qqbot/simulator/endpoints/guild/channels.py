"""Endpoints of channels and of the members in voice channels."""

from ...platform import Platform
from ...state.world import Conversation
from ...wire import JsonObject, is_integer, text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall
from ..lookups import find_channel
from .access import administered_channel, administered_guild, find_guild, guild_of

VOICE, CATEGORY = 2, 4
_AUDIBLE = (VOICE, 10005)
_DEFAULTS: JsonObject = {
    "type": 0,
    "sub_type": 0,
    "position": 2,
    "parent_id": "",
    "private_type": 0,
    "speak_permission": 1,
    "application_id": "",
}


def list_channels(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/guilds_guild_id_channels.get."""
    return [_document(platform, channel) for channel in find_guild(platform, call).channels.values()]


def get_channel(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/channels_channel_id.get."""
    return _document(platform, find_channel(platform, call))


def _document(platform: Platform, channel: Conversation) -> JsonObject:
    return {
        "id": channel.id,
        "guild_id": channel.guild_id,
        "name": channel.name,
        **_DEFAULTS,
        "owner_id": platform.world.bot_id,
        "permissions": "7",
        **platform.guild_states.channel(channel).fields,
    }


def create_channel(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/guilds_guild_id_channels.post; fires CHANNEL_CREATE."""
    guild = administered_guild(platform, call)
    fields = {name: value for name, value in call.body.items() if name in _DEFAULTS}
    position = fields.get("position")
    if not text_of(call.body, "name") or (fields.get("type") == CATEGORY and is_integer(position) and position < 2):
        raise Refusal(50001, "the channel's name or position is not valid")
    channel = platform.world.add_channel(guild, text_of(call.body, "name"))
    platform.guild_states.channel(channel).fields = fields
    return _push(platform, "CHANNEL_CREATE", channel)


def modify_channel(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/channels_channel_id.patch; fires CHANNEL_UPDATE."""
    channel = administered_channel(platform, call)
    channel.name = text_of(call.body, "name") or channel.name
    platform.guild_states.channel(channel).fields |= {
        name: value for name, value in call.body.items() if name in _DEFAULTS
    }
    return _push(platform, "CHANNEL_UPDATE", channel)


def delete_channel(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/channels_channel_id.delete; fires CHANNEL_DELETE."""
    channel = administered_channel(platform, call)
    platform.world.remove_channel(channel)
    return _push(platform, "CHANNEL_DELETE", channel)


def _push(platform: Platform, kind: str, channel: Conversation) -> JsonObject:
    document = _document(platform, channel)
    shown = ("id", "guild_id", "name", "type", "sub_type", "owner_id")
    platform.push(kind, {name: document[name] for name in shown} | {"op_user_id": platform.world.bot_id})
    return document


def list_voice_members(platform: Platform, call: EndpointCall) -> object:
    """Source: botgo ListVoiceChannelMembers."""
    channel = _audible(platform, call, (VOICE,))
    guild = guild_of(platform, channel)
    return [platform.guild_states.member_document(guild, person) for person in channel.people.values()]


def get_channel_online_nums(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role/get_online_nums."""
    return {"online_nums": len(_audible(platform, call, _AUDIBLE).people)}


def _audible(platform: Platform, call: EndpointCall, kinds: tuple[int, ...]) -> Conversation:
    channel = find_channel(platform, call)
    if _document(platform, channel)["type"] not in kinds:
        raise Refusal(50001, "not a voice channel")
    return channel
