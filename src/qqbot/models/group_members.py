"""Bodies and answers to remove members of a QQ group and to keep users out. See `members` for the members."""

from typing import Literal

from .base import UNSET, Aware, Body, Id, Model, UnsetType
from .batches import check_ids

MOST_IDS = 20
"""Members of one call."""


class LegacyMember(Model, frozen=True, kw_only=True):
    """A member in the older list.  Source: server-inter/group/manage"""

    member_openid: Id
    join_timestamp: Aware | None = None


class GroupMembersLegacyPage(Model, frozen=True, kw_only=True):
    """At most 500 members; `next_index` is the start of the next page, 0 ends the list.

    Source: server-inter/group/manage
    """

    members: tuple[LegacyMember, ...]
    next_index: int = 0


class GroupMembersLegacyBody(Body, frozen=True, kw_only=True):
    """Requests a page of the older list.  Source: server-inter/group/manage"""

    limit: int | UnsetType = UNSET
    start_index: int | UnsetType = UNSET


class BatchRemoveBody(Body, frozen=True, kw_only=True):
    """Removes 1 to 20 members, on request forever.

    Raises: ConfigError for too many or empty ids.
    Source: autogen/api/v2_groups_group_openid_batch_remove_members.post
    """

    member_openids: tuple[str, ...]
    add_to_member_blacklist: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        check_ids("member_openids", self.member_openids, MOST_IDS)


class BatchRemoveResult(Model, frozen=True, kw_only=True):
    """The result of the removal ("success"), and the members who could not be put on the blacklist.

    Source: autogen/api/v2_groups_group_openid_batch_remove_members.post
    """

    remove_members_result: str = ""
    add_to_member_blacklist_fail_openids: tuple[str, ...] = ()


class BlacklistUser(Model, frozen=True, kw_only=True):
    """A user on the blacklist of a group.  Source: autogen/api/v2_groups_group_openid_member_blacklist.get"""

    member_openid: Id
    username: str = ""
    union_openid: str = ""
    banned_at: Aware | None = None
    bot: bool = False


class GroupBlacklistPage(Model, frozen=True, kw_only=True):
    """Users on the blacklist of a group; `next_cursor` asks for the next page, '' ends the list.

    Source: autogen/api/v2_groups_group_openid_member_blacklist.get
    """

    users: tuple[BlacklistUser, ...]
    next_cursor: str = ""


class BlacklistBody(Body, frozen=True, kw_only=True):
    """Adds 1 to 20 users to the blacklist, or removes them.

    Raises: ConfigError for too many or empty ids.
    Source: autogen/api/v2_groups_group_openid_member_blacklist.post
    """

    op: Literal["add", "del"]
    member_openids: tuple[str, ...]

    def __post_init__(self) -> None:
        check_ids("member_openids", self.member_openids, MOST_IDS)
