"""State of group administration: mutes, blacklists, join requests and join approval strategies.

Responsible for the state only. Collaborators: `world` (groups and their members), `endpoints.group`.
"""

from dataclasses import dataclass, field
from datetime import datetime

from ..wire import JsonObject, is_object, text_of
from .bounded import Bounded
from .world import MAX_MEMBERS

_MAX_GROUPS = 1000
_MAX_REQUESTS = 1000  # of one group

JOIN_REQUEST = "GROUP_JOIN_REQUEST"
_REQUEST_FIELDS = (
    "join_request_id",
    "risk_tips",
    "union_openid",
    "member_openid",
    "username",
    "apply_at",
    "apply_source",
    "invited_by",
    "bot",
    "verify_info",
)


@dataclass(slots=True)
class GroupState:
    """State of one group, each mapping by member_openid: ends of mutes, blacklist entries, and requests to join."""

    muted: dict[str, datetime] = field(default_factory=dict[str, datetime])
    banned: dict[str, JsonObject] = field(default_factory=lambda: Bounded[str, JsonObject](MAX_MEMBERS))
    requests: dict[str, JsonObject] = field(default_factory=lambda: Bounded[str, JsonObject](_MAX_REQUESTS))


@dataclass(slots=True)
class Strategy:
    """A join approval strategy in wire form, and the QQ numbers on its whitelist."""

    document: JsonObject
    whitelist: set[str] = field(default_factory=set[str])


class GroupStates:
    """Groups of one bot by group_openid, and its strategies by id."""

    def __init__(self) -> None:
        self._groups: dict[str, GroupState] = Bounded(_MAX_GROUPS)
        self.strategies: dict[str, Strategy] = {}

    def group(self, group_openid: str) -> GroupState:
        """Return the state of a group; create it on first use."""
        return self._groups.setdefault(group_openid, GroupState())

    def observe(self, kind: str, body: object) -> None:
        """Store the join request that a pushed event reports."""
        if kind == JOIN_REQUEST and is_object(body):
            request: JsonObject = {name: body[name] for name in _REQUEST_FIELDS if name in body}
            self.group(text_of(body, "group_openid")).requests[text_of(body, "member_openid")] = request
