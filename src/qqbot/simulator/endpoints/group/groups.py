"""Endpoints of groups and their members."""

from ...platform import Platform
from ...state.world import Person
from ...wire import JsonObject, is_integer
from ...wire.refusal import Refusal
from ..call import EndpointCall, page_of
from ..lookups import find_group

_PAGE = 30  # members; both the default and the limit of the GET form


def get_group_info(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_group_openid_info.get."""
    group = find_group(platform, call)
    return {
        "group_openid": group.id,
        "group_name": group.name,
        "group_finger_memo": "",
        "group_class_text": "",
        "group_tags": [],
        "group_member_num": len(group.people) + 1,
    }


def get_group_bot_state(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_group_openid_bot_state.get."""
    group = find_group(platform, call)
    return {
        "member_openid": platform.world.bot_openid(group),
        "joined_at": platform.clock.timestamp(),
        "allow_proactive_msg": True,
        "recv_msg_setting": "all" if group.all_messages else "only_mention",
        "member_role": group.bot_role,
    }


def list_group_members(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_group_openid_members.get."""
    people = list(find_group(platform, call).people.values())
    page, cursor = page_of(call, people, _PAGE, _PAGE)
    return {"members": [_member(person) for person in page], "next_cursor": cursor}


def list_group_members_legacy(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/group/manage."""
    people = list(find_group(platform, call).people.values())
    start, limit = call.body.get("start_index"), call.body.get("limit")
    first = start if is_integer(start) else 0
    last = first + (limit if is_integer(limit) else 500)
    joined = int(platform.clock.date().timestamp())
    page: JsonObject = {
        "members": [{"member_openid": person.id, "join_timestamp": joined} for person in people[first:last]]
    }
    return page | ({"next_index": last} if last < len(people) else {})


def get_group_member(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_group_openid_members_member_openid.get."""
    person = find_group(platform, call).person(call.params["member_openid"])
    if person is None:
        raise Refusal(10001, "account unknown")
    return _member(person)


def _member(person: Person) -> JsonObject:
    return {
        "member_openid": person.id,
        "username": person.name,
        "member_role": person.role,
        "bot": False,
        "joined_at": person.joined_at,
        "union_openid": "",
    }
