"""Endpoints of guilds, their API permissions and their setting guides."""

from ... import payloads
from ...platform import Platform
from ...state.world import Conversation
from ...wire import JsonObject, identity, object_of, text_of
from ...wire.refusal import Refusal
from ..bot.accounts import guild_document
from ..call import EndpointCall
from ..lookups import find_channel, find_dms
from .access import find_guild

_PUSHES = 20  # active messages per channel and day
_GROUPS = ("guilds", "channels")


def get_guild(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/guilds_guild_id.get."""
    return guild_document(find_guild(platform, call))


def get_message_setting(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/speak/setting/message_setting; the flags are booleans, as in its sample."""
    return {
        "disable_create_dm": False,
        "disable_push_msg": False,
        "channel_ids": [channel.id for channel in find_guild(platform, call).channels.values()],
        "channel_push_max_num": _PUSHES,
    }


def list_api_permissions(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/api_permissions/get_guild_api_permission."""
    find_guild(platform, call)
    return {"apis": _interfaces(platform)}


def _interfaces(platform: Platform) -> list[JsonObject]:
    """Return the interfaces of guilds, with the grant that this bot has."""
    return [
        {
            "path": row.path,
            "method": row.method,
            "desc": row.name,
            "auth_status": int(platform.may_call(row)),
        }
        for row in platform.tables.endpoints
        if row.path.split("/")[1] in _GROUPS
    ]


def demand_api_permission(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/api_permissions/post_api_permission_demand."""
    guild = find_guild(platform, call)
    channel = platform.world.find("channel", text_of(call.body, "channel_id"))
    if channel is None or channel.guild_id != guild.id:
        raise Refusal(610008, "the channel is not in the guild")
    wanted = object_of(call.body, "api_identify")
    found = [each for each in _interfaces(platform) if all(each[name] == wanted.get(name) for name in wanted)]
    if not found:
        raise Refusal(610009, "no such interface")
    if found[0]["auth_status"]:
        raise Refusal(610010, "the interface is granted already")
    state = platform.guild_states.guild(guild)
    if not state.demands.take():
        raise Refusal(610013, "too many demands today")
    title, desc = f"grant {wanted['method']} {wanted['path']}", text_of(call.body, "desc")
    _send_guide(platform, channel, f"{title}: {desc}")
    return {"guild_id": guild.id, "channel_id": channel.id, "api_identify": wanted, "title": title, "desc": desc}


def send_channel_setting_guide(platform: Platform, call: EndpointCall) -> object:
    """Source: botgo PostSettingGuide."""
    channel = find_channel(platform, call)
    content = text_of(call.body, "content")
    if not content.startswith("<@"):
        raise Refusal(304051, "the setting guide mentions no user")
    return _send_guide(platform, channel, content)


def send_dms_setting_guide(platform: Platform, call: EndpointCall) -> object:
    """Source: botgo PostDMSettingGuide."""
    chat = find_dms(platform, call)
    guild_id = text_of(object_of(call.body, "setting_guide"), "guild_id")
    if platform.world.find_guild(guild_id) is None:
        raise Refusal(304051, "the setting guide names no guild")
    return _send_guide(platform, chat, f"settings of {guild_id}")


def _send_guide(platform: Platform, conversation: Conversation, text: str) -> JsonObject:
    message = platform.bot_message(conversation, identity.guild_message_id())
    message.text = text
    message.guild = payloads.bot_message(platform.world, message, {})
    platform.take(message, "")
    return message.guild
