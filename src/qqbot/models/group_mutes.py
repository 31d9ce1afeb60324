"""Who may not write in a QQ group: the rules for everybody, and single members. Guilds' are in `mute`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, Self

from ..errors import ConfigError
from .base import UNSET, Aware, Body, Id, Model, UnsetType
from .batches import check_ids, rfc3339

MOST_MEMBERS = 20
"""Members of one call."""


class MuteScheduleRule(Model, frozen=True, kw_only=True):
    """Everybody is mute once, from a moment to another."""

    task_id: str = ""
    start_at: Aware | None = None
    end_at: Aware | None = None
    enabled: bool = False


class MuteRecurringRule(Model, frozen=True, kw_only=True):
    """Everybody is mute on some weekdays (1 Monday to 7 Sunday), from and to a time "HH:mm" in Beijing.

    An `end_time` before `start_time` is one of the next day.
    """

    task_id: str = ""
    weekdays: tuple[int, ...] = ()
    start_time: str = ""
    end_time: str = ""
    enabled: bool = False


class GlobalMuteRule(Model, frozen=True, kw_only=True):
    """When everybody is mute; `mode`: "none", "always" or "schedule"."""

    mode: str = ""
    schedule_rules: tuple[MuteScheduleRule, ...] = ()
    recurring_rules: tuple[MuteRecurringRule, ...] = ()


class MemberMuteState(Model, frozen=True, kw_only=True):
    """A member who may not write, and until when."""

    member_openid: Id
    mute_expire_at: Aware | None = None
    username: str = ""
    union_openid: str = ""


class GroupMuteSetting(Model, frozen=True, kw_only=True):
    """Who may not write in a group.  Source: autogen/api/v2_groups_group_openid_restrict_chat_setting.get"""

    global_rule: GlobalMuteRule = GlobalMuteRule()
    members: tuple[MemberMuteState, ...] = ()


class SetMemberMuteState(Body, frozen=True, kw_only=True):
    """Mutes a member until a moment (RFC 3339, at most 30 days ahead), moves that moment, or ends the mute.

    Raises: ConfigError for an empty id, and for "add" or "update" without a moment.
    Source: autogen/api/v2_groups_group_openid_restrict_chat_setting.post
    """

    op: Literal["add", "update", "del"]
    member_openid: str
    mute_expire_at: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        check_ids("member_openid", (self.member_openid,), 1)
        if self.op != "del" and not self.mute_expire_at:
            raise ConfigError(f"mute_expire_at is missing: {self.op!r} needs the moment at which the mute ends")

    @classmethod
    def until(cls, member_openid: str, moment: datetime, op: Literal["add", "update"] = "add") -> Self:
        """Return what mutes a member until `moment`, or moves the end of a mute there."""
        return cls(op=op, member_openid=member_openid, mute_expire_at=rfc3339(moment))

    @classmethod
    def ended(cls, member_openid: str) -> Self:
        """Return what ends the mute of a member at once."""
        return cls(op="del", member_openid=member_openid, mute_expire_at="")


class GroupMuteBody(Body, frozen=True, kw_only=True):
    """Changes the mutes of 1 to 20 members.

    Raises: ConfigError for more, or none.
    Source: autogen/api/v2_groups_group_openid_restrict_chat_setting.post
    """

    members: tuple[SetMemberMuteState, ...]

    def __post_init__(self) -> None:
        check_ids("members", [state.member_openid for state in self.members], MOST_MEMBERS)


def mute_states(member_openids: Iterable[str], until: datetime) -> list[SetMemberMuteState]:
    """Return what mutes each member until a moment."""
    return [SetMemberMuteState.until(member_openid, until) for member_openid in member_openids]
