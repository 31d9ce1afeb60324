"""QQ groups as the API describes them, and their members. See `groups` for the events."""

from .base import Aware, Id, Model


class GroupInfo(Model, frozen=True, kw_only=True):
    """A group. `group_finger_memo` is its introduction.  Source: autogen/api/v2_groups_group_openid_info.get"""

    group_openid: Id
    group_name: str = ""
    group_finger_memo: str = ""
    group_class_text: str = ""
    group_tags: tuple[str, ...] = ()
    group_member_num: int = 0


class GroupBotState(Model, frozen=True, kw_only=True):
    """The bot as a member of a group.

    `recv_msg_setting`: "all", "only_mention" or "mention_and_context"; `member_role`: "member", "owner", "admin".

    Source: autogen/api/v2_groups_group_openid_bot_state.get
    """

    member_openid: Id
    joined_at: Aware | None = None
    allow_proactive_msg: bool = False
    recv_msg_setting: str = ""
    member_role: str = ""


class GroupMember(Model, frozen=True, kw_only=True):
    """One member of a group.  Source: autogen/api/v2_groups_group_openid_members_member_openid.get"""

    member_openid: Id
    username: str = ""
    member_role: str = ""
    bot: bool = False
    joined_at: Aware | None = None
    union_openid: str = ""


class GroupMembersPage(Model, frozen=True, kw_only=True):
    """At most 30 members; `next_cursor` asks for the next page, '' ends the list.

    Source: autogen/api/v2_groups_group_openid_members.get
    """

    members: tuple[GroupMember, ...]
    next_cursor: str = ""
