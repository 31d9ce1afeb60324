"""Endpoints of strategies that approve requests to join groups automatically."""

import secrets
from datetime import timedelta

from ...platform import Platform
from ...state.group import Strategy
from ...wire import JsonObject, is_array, object_of, text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall, page_of
from ..schema import BAD_BODY
from .access import adds, ids_of

_MAX_STRATEGIES = 20
_MAX_GROUPS = 100
_MAX_USERS = 10_000
_MAX_USERS_IN_TOTAL = 100_000


def list_join_approval_strategies(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_join_approval_strategy.get."""
    documents = [strategy.document for strategy in platform.group_states.strategies.values()]
    page, cursor = page_of(call, documents, 20, 50)
    return {"strategies": page, "next_cursor": cursor}


def create_join_approval_strategy(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_join_approval_strategy.post."""
    strategies = platform.group_states.strategies
    if len(strategies) >= _MAX_STRATEGIES:
        raise Refusal(BAD_BODY, f"a bot has {_MAX_STRATEGIES} strategies at most")
    kind, groups = _groups(call.body)
    now = platform.clock.date()
    document: JsonObject = {
        "strategy_id": f"st_{secrets.token_hex(8)}",
        kind: groups,
        "whitelist_user_count": 0,
        "is_enable": "on",
        "expire_at": (now + timedelta(days=365)).isoformat(timespec="seconds"),
        "created_at": now.isoformat(timespec="seconds"),
        "updated_at": now.isoformat(timespec="seconds"),
        "remark": "",
    }
    _change(document, call.body)
    strategies[text_of(document, "strategy_id")] = Strategy(document)
    return {name: document[name] for name in ("strategy_id", "is_enable", "expire_at")}


def modify_join_approval_strategy(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_join_approval_strategy_strategy_id.patch."""
    document = _find(platform, call).document
    if action := object_of(call.body, "group_action"):
        _change_groups(document, action)
    _change(document, call.body)
    document["updated_at"] = platform.clock.timestamp()
    return {name: document[name] for name in ("is_enable", "expire_at")}


def delete_join_approval_strategy(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_join_approval_strategy_strategy_id.delete."""
    _find(platform, call)
    del platform.group_states.strategies[call.params["strategy_id"]]
    return None


def execute_join_approval_strategy(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_join_approval_strategy_strategy_id_execute.post.

    Approves no request: the simulator identifies people by openid, a whitelist by QQ number.
    """
    _find(platform, call)
    return {}


def modify_join_approval_whitelist(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_join_approval_strategy_strategy_id_whitelist_users.post."""
    strategy = _find(platform, call)
    users = set(ids_of(call, "whitelist_users", _MAX_USERS))
    whitelist = strategy.whitelist | users if adds(call) else strategy.whitelist - users
    if len(whitelist) > _MAX_USERS_IN_TOTAL:
        raise Refusal(BAD_BODY, f"a whitelist holds {_MAX_USERS_IN_TOTAL} at most")
    strategy.whitelist = whitelist
    strategy.document |= {"whitelist_user_count": len(whitelist), "updated_at": platform.clock.timestamp()}
    return {name: strategy.document[name] for name in ("strategy_id", "whitelist_user_count", "updated_at")}


def _find(platform: Platform, call: EndpointCall) -> Strategy:
    strategy = platform.group_states.strategies.get(call.params["strategy_id"])
    if strategy is None:
        raise Refusal(404, "no such strategy", status=404)
    return strategy


def _groups(body: JsonObject) -> tuple[str, list[str]]:
    """Return the field with the group ids in a body, and the ids as text.  Raises: Refusal 12002."""
    given = [(kind, ids) for kind in ("group_openids", "group_ids") if is_array(ids := body.get(kind)) and ids]
    if len(given) != 1:
        raise Refusal(BAD_BODY, "request body wrong: exactly one of group_openids and group_ids")
    kind, ids = given[0]
    if not 1 <= len(ids) <= _MAX_GROUPS:
        raise Refusal(BAD_BODY, f"request body wrong: {kind} takes 1 to {_MAX_GROUPS}")
    return kind, [str(each) for each in ids]


def _change_groups(document: JsonObject, action: JsonObject) -> None:
    kind, groups = _groups(action)
    current = document.get(kind)
    if not is_array(current):
        raise Refusal(BAD_BODY, "request body wrong: use the kind of group ids that the strategy was created with")
    rest = [each for each in current if each not in groups]
    document[kind] = [*rest, *groups] if action.get("op") == "add" else rest


def _change(document: JsonObject, body: JsonObject) -> None:
    if (text_of(body, "is_enable") or "on") not in ("on", "off"):
        raise Refusal(BAD_BODY, "request body wrong: is_enable is on or off")
    document |= {name: body[name] for name in ("is_enable", "expire_at") if body.get(name)}
    document |= {name: body[name] for name in ("remark",) if name in body}
