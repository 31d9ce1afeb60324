"""Endpoints of guild roles and their members."""

from collections.abc import Callable

from ...platform import Platform
from ...state.guild import ADMIN, CHANNEL_ADMIN, EVERYONE, OWNER, people_of
from ...state.world import GuildRecord
from ...wire import JsonObject, identity, is_integer, object_of, text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall
from .access import administered_guild, find_guild, find_member

_BUILT_IN = {EVERYONE: "everyone", ADMIN: "admin", OWNER: "owner", CHANNEL_ADMIN: "channel admin"}
_MAX_ROLES = 30
_FIELDS = ("name", "color", "hoist")
_MAX_COLOR = 0xFFFFFFFF


def check_role(platform: Platform, guild: GuildRecord, role_id: str) -> str:
    """Return the id of a role of the guild.  Raises: Refusal 12001."""
    if role_id not in _BUILT_IN and role_id not in platform.guild_states.guild(guild).roles:
        raise Refusal(12001, "no such role")
    return role_id


def list_guild_roles(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role-group/get_guild_roles."""
    guild = find_guild(platform, call)
    ids = (*_BUILT_IN, *platform.guild_states.guild(guild).roles)
    return {
        "guild_id": guild.id,
        "roles": [_document(platform, guild, role_id) for role_id in ids],
        "role_num_limit": str(_MAX_ROLES),
    }


def _document(platform: Platform, guild: GuildRecord, role_id: str) -> JsonObject:
    made = platform.guild_states.guild(guild).roles.get(role_id, {"name": _BUILT_IN.get(role_id, "")})
    people = people_of(guild).values()
    return {
        "id": role_id,
        "color": 4278245297,
        "hoist": 0,
        **made,
        "number": sum(role_id in platform.guild_states.roles_of(guild, person) for person in people),
        "member_limit": 2000,
    }


def create_guild_role(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role-group/post_guild_role."""
    guild = administered_guild(platform, call)
    roles = platform.guild_states.guild(guild).roles
    made = _fields(call)
    if len(roles) + len(_BUILT_IN) >= _MAX_ROLES:
        raise Refusal(50001, "the guild has too many roles")
    role_id = str(int(identity.trace_id()[:8], 16) + 10_000_000)
    roles[role_id] = {"name": "new role", **made}
    return {"role_id": role_id, "role": _document(platform, guild, role_id)}


def modify_guild_role(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role-group/patch_guild_role; missing fields stay unchanged."""
    guild = administered_guild(platform, call)
    role_id = check_role(platform, guild, call.params["role_id"])
    roles = platform.guild_states.guild(guild).roles
    roles[role_id] = roles.get(role_id, {"name": _BUILT_IN.get(role_id, "")}) | _fields(call)
    return {"guild_id": guild.id, "role_id": role_id, "role": _document(platform, guild, role_id)}


def flat(body: JsonObject) -> JsonObject:
    """Return the body of a role in the flat form of its page; `{guild_id, filter, info}` is the other one.

    Source: botgo CreateRole and PatchRole; `filter` marks the fields of `info` that are set, a missing one is zero.
    """
    info, marks = object_of(body, "info"), object_of(body, "filter")
    if not info:
        return body
    marked = [name for name in _FIELDS if str(marks.get(name) or 0) not in ("0", "False")] if marks else list(info)
    return body | {name: info.get(name, "" if name == "name" else 0) for name in marked if name in _FIELDS}


def _fields(call: EndpointCall) -> JsonObject:
    # An empty name is none: the platform has no role without a name.
    fields = {name: call.body[name] for name in _FIELDS if call.body.get(name, "") != ""}
    color = fields.get("color", 0)
    if not fields or not is_integer(color) or not 0 <= color <= _MAX_COLOR:
        raise Refusal(50001, "the role's name, color or hoist is missing or not valid")
    return fields


def delete_guild_role(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role-group/delete_guild_role."""
    guild = administered_guild(platform, call)
    state = platform.guild_states.guild(guild)
    if state.roles.pop(call.params["role_id"], None) is None:
        raise Refusal(12001, "no such role, or one that each guild has")
    state.members.pop(call.params["role_id"], None)
    return None


def add_guild_member_role(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role-group/put_guild_member_role."""
    _change(platform, call, set[str].add)
    return None


def remove_guild_member_role(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role-group/delete_guild_member_role."""
    _change(platform, call, set[str].discard)
    return None


def _change(platform: Platform, call: EndpointCall, change: Callable[[set[str], str], None]) -> None:
    guild = administered_guild(platform, call)
    person = find_member(guild, call.params["user_id"])
    role_id = check_role(platform, guild, call.params["role_id"])
    channel_id = text_of(object_of(call.body, "channel"), "id")
    if role_id == CHANNEL_ADMIN and channel_id not in {channel.id for channel in guild.channels.values()}:
        raise Refusal(10003, "channel unknown: a channel admin needs one")
    if role_id in (EVERYONE, OWNER):
        raise Refusal(11282, "this role cannot be given or taken")
    change(platform.guild_states.guild(guild).members.setdefault(role_id, set()), person.id)
    platform.world.publish_conversations()
