"""Endpoints of the permissions of members and roles in a channel."""

from ...platform import Platform
from ...state.world import Conversation
from ...wire import is_decimal, text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall, number_of
from ..lookups import find_channel
from .access import administered_channel, find_member, guild_of
from .roles import check_role

MANAGE = 1 << 1
_DEFAULT = 1 | 1 << 2  # view and speak


def get_channel_permissions(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role-group/channel_permissions/get_channel_permissions."""
    channel = find_channel(platform, call)
    user_id = _member(platform, call, channel)
    return {"channel_id": channel.id, "user_id": user_id, "permissions": _bits(platform, channel, "members", user_id)}


def get_channel_role_permissions(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role-group/channel_permissions/get_channel_roles_permissions."""
    channel = find_channel(platform, call)
    role_id = _role(platform, call, channel)
    return {"channel_id": channel.id, "role_id": role_id, "permissions": _bits(platform, channel, "roles", role_id)}


def _bits(platform: Platform, channel: Conversation, kind: str, holder: str) -> str:
    return str(platform.guild_states.channel(channel).changes.get((kind, holder), _DEFAULT))


def modify_channel_permissions(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role-group/channel_permissions/put_channel_permissions."""
    channel = administered_channel(platform, call)
    _change(platform, call, channel, "members", _member(platform, call, channel))
    return None


def modify_channel_role_permissions(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role-group/channel_permissions/put_channel_roles_permissions."""
    channel = administered_channel(platform, call)
    _change(platform, call, channel, "roles", _role(platform, call, channel))
    return None


def _change(platform: Platform, call: EndpointCall, channel: Conversation, kind: str, holder: str) -> None:
    add, remove = (_number(text_of(call.body, name)) for name in ("add", "remove"))
    if not {"add", "remove"} & call.body.keys() or (add | remove) & MANAGE:
        raise Refusal(301000, "nothing to change, or the right to manage, which cannot be changed")
    changes = platform.guild_states.channel(channel).changes
    changes[kind, holder] = (changes.get((kind, holder), _DEFAULT) | add) & ~remove


def _number(text: str) -> int:
    if text and not is_decimal(text):
        raise Refusal(301000, "add and remove are decimal numbers")
    return number_of(text)


def _member(platform: Platform, call: EndpointCall, channel: Conversation) -> str:
    return find_member(guild_of(platform, channel), call.params["user_id"]).id


def _role(platform: Platform, call: EndpointCall, channel: Conversation) -> str:
    return check_role(platform, guild_of(platform, channel), call.params["role_id"])
