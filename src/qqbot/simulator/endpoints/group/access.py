"""Who may change what in groups, and lists in pages: what the endpoints about groups share."""

from collections.abc import Sequence

from ...platform import Platform
from ...state.world import Conversation
from ...wire import JsonObject, is_array
from ...wire.refusal import Refusal
from ..call import EndpointCall, limit_of, number_of
from ..schema import BAD_BODY
from .groups import find_group


def administered_group(platform: Platform, call: EndpointCall) -> Conversation:
    """Return the group of a call.  Raises: Refusal 40034101 for an unknown one, 11282 where the bot is a member."""
    group = find_group(platform, call)
    if group.bot_role not in ("admin", "owner"):
        raise Refusal(11282, "the bot is no administrator of the group")
    return group


def page_of(call: EndpointCall, items: Sequence[JsonObject], default: int, most: int) -> tuple[list[JsonObject], str]:
    """Return the page that a call asks for by `cursor` and `limit`, and the cursor of the next."""
    start = number_of(call.query.get("cursor", ""))
    end = start + limit_of(call, default, most)
    return list(items[start:end]), str(end) if end < len(items) else ""


def ids_of(call: EndpointCall, name: str, most: int) -> list[str]:
    """Return the ids of a body.  Raises: Refusal 12002 for none or too many."""
    value = call.body.get(name)
    ids = [item for item in value if isinstance(item, str) and item] if is_array(value) else []
    if not 1 <= len(ids) <= most:
        raise Refusal(BAD_BODY, f"request body wrong: {name} takes 1 to {most}")
    return ids


def adds(call: EndpointCall) -> bool:
    """Whether the `op` of a call is add and not del.  Raises: Refusal 12002 for any other."""
    if (op := call.body.get("op")) not in ("add", "del"):
        raise Refusal(BAD_BODY, "request body wrong: op must be add or del")
    return op == "add"
