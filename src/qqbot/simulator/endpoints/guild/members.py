"""Endpoints of guild members."""

from ...platform import Platform
from ...state.guild import people_of
from ...state.world import GuildRecord, Person
from ...wire.refusal import Refusal
from ..call import EndpointCall, limit_of, number_of
from .access import administered_guild, find_guild, find_member
from .roles import check_role

_PAGE = 400
_HISTORY_DAYS = (0, 3, 7, 15, 30, -1)


def list_guild_members(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role/member/get_members."""
    guild = find_guild(platform, call)
    after = number_of(call.query.get("after", "0"))
    people = [person for person in people_of(guild).values() if int(person.id) > after]
    return [platform.guild_states.member_document(guild, person) for person in people[: limit_of(call, 1, _PAGE)]]


def list_guild_role_members(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role/member/get_role_members."""
    guild = find_guild(platform, call)
    role_id = check_role(platform, guild, call.params["role_id"])
    people = [person for person in people_of(guild).values() if _has(platform, guild, person, role_id)]
    start = number_of(call.query.get("start_index", "0"))
    end = start + limit_of(call, 1, _PAGE)
    return {
        "data": [platform.guild_states.member_document(guild, person) for person in people[start:end]],
        "next": str(end) if end < len(people) else "0",
    }


def _has(platform: Platform, guild: GuildRecord, person: Person, role_id: str) -> bool:
    return role_id == "1" or role_id in platform.guild_states.roles_of(guild, person)


def get_guild_member(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role/member/get_member."""
    guild = find_guild(platform, call)
    return platform.guild_states.member_document(guild, find_member(guild, call.params["user_id"]))


def delete_guild_member(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/role/member/delete_member; fires GUILD_MEMBER_REMOVE."""
    guild = administered_guild(platform, call)
    person = find_member(guild, call.params["user_id"])
    if person.role != "member":
        raise Refusal(11282, "administrators cannot be removed")
    if call.body.get("delete_history_msg_days", 0) not in _HISTORY_DAYS:
        raise Refusal(50001, "delete_history_msg_days is not valid")
    member = platform.guild_states.member_document(guild, person)
    state = platform.guild_states.guild(guild)
    for channel in guild.channels.values():
        platform.world.remove_member(channel, person)
    for members in state.members.values():
        members.discard(person.id)
    op_user: dict[str, object] = {"guild_id": guild.id, "op_user_id": platform.world.bot_id}
    platform.push("GUILD_MEMBER_REMOVE", member | op_user)
    return None
