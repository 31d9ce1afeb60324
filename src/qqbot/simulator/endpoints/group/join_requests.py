"""Endpoints of requests to join groups."""

from ...platform import Platform
from ...wire import text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall, page_of
from ..schema import BAD_BODY
from .access import administered_group


def list_group_join_requests(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_group_openid_join_request_list.get."""
    requests = platform.group_states.group(administered_group(platform, call).id).requests
    page, cursor = page_of(call, list(requests.values()), 20, 50)
    return {"list": page, "next_cursor": cursor}


def handle_group_join_request(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_group_openid_approval_join_request_member_openid.post."""
    group = administered_group(platform, call)
    state = platform.group_states.group(group.id)
    openid, op = call.params["member_openid"], call.body.get("op")
    request = state.requests.get(openid)
    if request is None or text_of(call.body, "join_request_id") not in ("", text_of(request, "join_request_id")):
        raise Refusal(10001, "account unknown: there is no such request")
    if op not in ("approve", "decline"):
        raise Refusal(BAD_BODY, "request body wrong: op must be approve or decline")
    del state.requests[openid]
    name = text_of(request, "username")
    if op == "approve":
        platform.world.add_member(group, openid, name)
    elif call.body.get("add_to_member_blacklist"):
        banned_at = platform.clock.timestamp()
        state.banned[openid] = {"member_openid": openid, "username": name, "banned_at": banned_at, "bot": False}
    return {}
