"""Look-ups of the conversation that a call addresses; guilds and members are in `guild.access`."""

from ..platform import Platform
from ..state.world import Conversation
from ..wire.refusal import Refusal
from .call import EndpointCall

_UNKNOWN_OPENID = 11255


def find_group(platform: Platform, call: EndpointCall) -> Conversation:
    """Return the group of a call.  Raises: Refusal 11255 for an unknown openid, 11293 if the bot has left."""
    group = platform.world.find("group", call.params["group_openid"])
    if group is None:
        raise Refusal(_UNKNOWN_OPENID, "there is no such group for this bot")
    if group.left:
        raise Refusal(11293, "the bot is not in the group")
    return group


def find_user(platform: Platform, call: EndpointCall) -> Conversation:
    """Return the C2C chat of a call.  Raises: Refusal 11255 for an unknown openid, 40054004 if no friend any more."""
    chat = platform.world.find("c2c", call.params["user_openid"])
    if chat is None:
        raise Refusal(_UNKNOWN_OPENID, "there is no such user for this bot")
    if chat.left:
        raise Refusal(40054004, "the user is not a friend")
    return chat


def find_channel(platform: Platform, call: EndpointCall) -> Conversation:
    """Return the channel of a call.  Raises: Refusal 10003."""
    channel = platform.world.find("channel", call.params["channel_id"])
    if channel is None:
        raise Refusal(10003, "channel unknown")
    return channel


def find_dms(platform: Platform, call: EndpointCall) -> Conversation:
    """Return the private chat of a call.  Raises: Refusal 304032."""
    chat = platform.world.find("dms", call.params["guild_id"])
    if chat is None:
        raise Refusal(304032, "the private chat does not exist")
    return chat
