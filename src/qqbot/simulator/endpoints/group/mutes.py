"""Endpoints of mutes in groups."""

from datetime import datetime, timedelta

from ...platform import Platform
from ...state.group import GroupState
from ...state.world import Conversation
from ...wire import JsonObject, objects_of, text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall
from ..schema import BAD_BODY
from .access import administered_group

_MAX_MEMBERS = 20
_MAX_DURATION = timedelta(days=30)


def get_group_mute_setting(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_group_openid_restrict_chat_setting.get."""
    group = administered_group(platform, call)
    muted, now = platform.group_states.group(group.id).muted, platform.clock.date()
    return {
        "global_rule": {"mode": "none", "schedule_rules": [], "recurring_rules": []},
        "members": [_state(group, openid, end) for openid, end in muted.items() if end > now],
    }


def _state(group: Conversation, openid: str, end: datetime) -> JsonObject:
    person = group.person(openid)
    return {
        "member_openid": openid,
        "mute_expire_at": end.isoformat(timespec="seconds"),
        "username": person.name if person else "",
        "union_openid": "",
    }


def set_group_member_mute(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_group_openid_restrict_chat_setting.post."""
    group = administered_group(platform, call)
    states = objects_of(call.body, "members")
    if not 1 <= len(states) <= _MAX_MEMBERS:
        raise Refusal(BAD_BODY, f"request body wrong: members takes 1 to {_MAX_MEMBERS}")
    for state in states:
        _apply(platform, group, platform.group_states.group(group.id), state)
    return {}


def _apply(platform: Platform, group: Conversation, group_state: GroupState, state: JsonObject) -> None:
    openid = text_of(state, "member_openid")
    person = group.person(openid)
    if person is None:
        raise Refusal(10001, "account unknown")
    if person.role != "member":
        raise Refusal(BAD_BODY, "owner and administrators cannot be muted")
    match state.get("op"):
        case "add" | "update":
            group_state.muted[openid] = _end(platform, text_of(state, "mute_expire_at"))
        case "del":
            group_state.muted.pop(openid, None)
        case _:
            raise Refusal(BAD_BODY, "request body wrong: op must be add, update or del")


def _end(platform: Platform, text: str) -> datetime:
    try:
        end = datetime.fromisoformat(text)
        ahead = end - platform.clock.date()
    except (ValueError, TypeError):
        raise Refusal(BAD_BODY, "request body wrong: mute_expire_at is not an RFC 3339 time") from None
    if not timedelta() < ahead <= _MAX_DURATION:
        raise Refusal(BAD_BODY, "request body wrong: mute_expire_at is past, or more than 30 days ahead")
    return end
