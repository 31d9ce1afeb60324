"""Endpoints of the bot account: gateway URL, /users/@me, guild list, private chats, share link."""

from urllib.parse import quote

from ...platform import Platform
from ...state.world import GuildRecord
from ...wire import JsonObject, text_of
from ...wire.refusal import Refusal, TooManyCalls
from ..call import EndpointCall, limit_of, number_of


def get_gateway(platform: Platform, _: EndpointCall) -> object:
    """Source: autogen/api/gateway.get."""
    _count_gateway_call(platform)
    return {"url": platform.gateway_url}


def get_gateway_bot(platform: Platform, _: EndpointCall) -> object:
    """Source: openapi/wss/shard_url_get."""
    _count_gateway_call(platform)
    return {
        "url": platform.gateway_url,
        "shards": platform.shards,
        "session_start_limit": platform.budget.document(),
    }


def _count_gateway_call(platform: Platform) -> None:
    if wait := platform.gateway_calls.take():
        platform.journal.violation("too many calls for the gateway URL")
        raise TooManyCalls("too many requests", wait)


def get_me(platform: Platform, _: EndpointCall) -> object:
    """Source: autogen/api/users_me.get."""
    bot_id = platform.world.bot_id
    return {
        "id": bot_id,
        "username": platform.bot_user()["username"],
        "avatar": "",
        "bot": True,
        "union_openid": "",
        "union_user_account": "",
        "share_url": f"https://qun.qq.com/qunpro/robot/share?robot_appid={platform.settings.app_id}",
        "welcome_msg": "",
    }


def list_my_guilds(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/users_me_guilds.get; `before` wins over `after`."""
    guilds = sorted(platform.world.guilds.values(), key=lambda guild: int(guild.id))
    if before := number_of(call.query.get("before", "")):
        guilds = [guild for guild in reversed(guilds) if int(guild.id) < before]
    elif after := number_of(call.query.get("after", "")):
        guilds = [guild for guild in guilds if int(guild.id) > after]
    return [guild_document(guild) for guild in guilds[: limit_of(call, 100, 100)]]


def guild_document(guild: GuildRecord) -> JsonObject:
    """Return a guild in wire form."""
    members = {name for channel in guild.channels.values() for name in channel.people}
    return {
        "id": guild.id,
        "name": guild.name,
        "icon": "",
        "owner_id": "",
        "owner": False,
        "member_count": len(members) + 1,
        "max_members": 300,
        "description": "",
        "joined_at": guild.joined_at,
    }


def create_dms(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/message/dms/post_dms."""
    guild = platform.world.find_guild(text_of(call.body, "source_guild_id"))
    if guild is None:
        raise Refusal(10004, "guild unknown")
    name = platform.world.find_recipient(text_of(call.body, "recipient_id"))
    if name is None:
        raise Refusal(304034, "not a member of the private chat")
    chat = platform.world.dms(name, guild.name)
    created = str(int(platform.clock.date().timestamp()))
    return {"guild_id": chat.guild_id, "channel_id": chat.channel_id, "create_time": created}


def generate_url_link(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_generate_url_link.post."""
    data = text_of(call.body, "callback_data")
    if len(data) > 32:
        raise Refusal(10001, "callback_data is longer than 32 characters")
    url = "https://qun.qq.com/qunpro/robot/qunshare?robot_appid="
    return {"data": {"url": f"{url}{platform.settings.app_id}&callback_data={quote(data)}"}}
