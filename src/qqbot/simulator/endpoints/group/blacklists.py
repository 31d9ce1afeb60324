"""Endpoints that remove members of groups, and endpoints of the blacklist."""

from ...platform import Platform
from ...wire import JsonObject
from ..call import EndpointCall, page_of
from ..lookups import find_group
from .access import adds, ids_of

_MAX_IDS = 20


def batch_remove_group_members(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_group_openid_batch_remove_members.post."""
    group = find_group(platform, call)
    state = platform.group_states.group(group.id)
    failed: list[str] = []
    for openid in ids_of(call, "member_openids", _MAX_IDS):
        if (person := group.person(openid)) is None:
            failed.append(openid)
            continue
        platform.world.remove_member(group, person)
        state.muted.pop(openid, None)
        if call.body.get("add_to_member_blacklist"):
            state.banned[openid] = _banned(platform, openid, person.name)
    blacklisting = call.body.get("add_to_member_blacklist") is True
    return {"remove_members_result": "success", "add_to_member_blacklist_fail_openids": failed if blacklisting else []}


def list_group_blacklist(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_group_openid_member_blacklist.get."""
    banned = platform.group_states.group(find_group(platform, call).id).banned
    users, cursor = page_of(call, list(banned.values()), 20, 100)
    return {"users": users, "next_cursor": cursor}


def modify_group_blacklist(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_group_openid_member_blacklist.post."""
    group = find_group(platform, call)
    banned = platform.group_states.group(group.id).banned
    adding = adds(call)
    failed: list[str] = []
    for openid in ids_of(call, "member_openids", _MAX_IDS):
        if adding and group.person(openid) is None:
            banned[openid] = _banned(platform, openid, "")
        elif adding or banned.pop(openid, None) is None:
            failed.append(openid)
    return {"fail_openids": failed}


def _banned(platform: Platform, openid: str, name: str) -> JsonObject:
    now = platform.clock.timestamp()
    return {"union_openid": "", "member_openid": openid, "username": name, "banned_at": now, "bot": False}
