"""Checks that the endpoints of groups share: the bot's role, and lists of ids."""

from ...platform import Platform
from ...state.world import Conversation
from ...wire import is_array
from ...wire.refusal import Refusal
from ..call import EndpointCall
from ..lookups import find_group
from ..schema import BAD_BODY


def administered_group(platform: Platform, call: EndpointCall) -> Conversation:
    """Return the group of a call.  Raises: Refusal, 11282 if the bot is only a member."""
    group = find_group(platform, call)
    if group.bot_role not in ("admin", "owner"):
        raise Refusal(11282, "the bot is no administrator of the group")
    return group


def ids_of(call: EndpointCall, name: str, most: int) -> list[str]:
    """Return the list of ids in a body.  Raises: Refusal 12002 for an empty or too long list."""
    value = call.body.get(name)
    ids = [item for item in value if isinstance(item, str) and item] if is_array(value) else []
    if not 1 <= len(ids) <= most:
        raise Refusal(BAD_BODY, f"request body wrong: {name} takes 1 to {most}")
    return ids


def adds(call: EndpointCall) -> bool:
    """True if `op` of a call is add, False if it is del.  Raises: Refusal 12002 for any other."""
    if (op := call.body.get("op")) not in ("add", "del"):
        raise Refusal(BAD_BODY, "request body wrong: op must be add or del")
    return op == "add"
