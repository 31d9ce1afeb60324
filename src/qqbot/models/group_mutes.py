"""Mutes in a QQ group: the rules for all members, and single members. See `mute` for guilds."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, Self

from ..errors import ConfigError
from .base import UNSET, Aware, Body, Id, Model, UnsetType
from .batches import check_ids, rfc3339

MOST_MEMBERS = 20
"""Members of one call."""


class MuteScheduleRule(Model, frozen=True, kw_only=True):
    """A mute of all members, once, from `start_at` to `end_at`."""

    task_id: str = ""
    start_at: Aware | None = None
    end_at: Aware | None = None
    enabled: bool = False


class MuteRecurringRule(Model, frozen=True, kw_only=True):
    """A mute of all members on weekdays (1 Monday to 7 Sunday), between two times "HH:mm" in Beijing.

    An `end_time` before `start_time` is on the next day.
    """

    task_id: str = ""
    weekdays: tuple[int, ...] = ()
    start_time: str = ""
    end_time: str = ""
    enabled: bool = False


class GlobalMuteRule(Model, frozen=True, kw_only=True):
    """The rules that mute all members; `mode`: "none", "always" or "schedule"."""

    mode: str = ""
    schedule_rules: tuple[MuteScheduleRule, ...] = ()
    recurring_rules: tuple[MuteRecurringRule, ...] = ()


class MemberMuteState(Model, frozen=True, kw_only=True):
    """A muted member, and the end of the mute."""

    member_openid: Id
    mute_expire_at: Aware | None = None
    username: str = ""
    union_openid: str = ""


class GroupMuteSetting(Model, frozen=True, kw_only=True):
    """The mutes of a group.  Source: autogen/api/v2_groups_group_openid_restrict_chat_setting.get"""

    global_rule: GlobalMuteRule = GlobalMuteRule()
    members: tuple[MemberMuteState, ...] = ()


class SetMemberMuteState(Body, frozen=True, kw_only=True):
    """Mutes a member until a time (RFC 3339, at most 30 days ahead), changes that time, or ends the mute.

    Raises: ConfigError for an empty id, or for "add" or "update" without a time.
    Source: autogen/api/v2_groups_group_openid_restrict_chat_setting.post
    """

    op: Literal["add", "update", "del"]
    member_openid: str
    mute_expire_at: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        check_ids("member_openid", (self.member_openid,), 1)
        if self.op != "del" and not self.mute_expire_at:
            raise ConfigError(f"mute_expire_at is missing: {self.op!r} needs the time at which the mute ends")

    @classmethod
    def until(cls, member_openid: str, moment: datetime, op: Literal["add", "update"] = "add") -> Self:
        """Return the change that mutes a member until `moment`, or moves the end of a mute to it."""
        return cls(op=op, member_openid=member_openid, mute_expire_at=rfc3339(moment))

    @classmethod
    def ended(cls, member_openid: str) -> Self:
        """Return the change that ends the mute of a member at once."""
        return cls(op="del", member_openid=member_openid, mute_expire_at="")


class GroupMuteBody(Body, frozen=True, kw_only=True):
    """Changes the mutes of 1 to 20 members.

    Raises: ConfigError for no members, or more.
    Source: autogen/api/v2_groups_group_openid_restrict_chat_setting.post
    """

    members: tuple[SetMemberMuteState, ...]

    def __post_init__(self) -> None:
        check_ids("members", [state.member_openid for state in self.members], MOST_MEMBERS)


def mute_states(member_openids: Iterable[str], until: datetime) -> list[SetMemberMuteState]:
    """Return the changes that mute each member until a time."""
    return [SetMemberMuteState.until(member_openid, until) for member_openid in member_openids]
