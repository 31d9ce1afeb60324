"""Changes in QQ groups: the bot or members join and leave, users ask to join.

Responsible for the payloads; the events that carry them are in `events`.
"""

from .base import Aware, Id, Model


class GroupRobotEvent(Model, frozen=True, kw_only=True):
    """The bot was added or removed, or its notifications switched, by the member `op_member_openid`.

    Source: server-inter/group/manage/event
    """

    group_openid: Id
    op_member_openid: str = ""
    timestamp: Aware | None = None


class GroupMemberEvent(Model, frozen=True, kw_only=True):
    """A member joined or left a group.  Source: autogen/event/group_member_add"""

    group_openid: Id
    member_openid: Id
    user_openid: str = ""
    timestamp: Aware | None = None


class ReviewQA(Model, frozen=True, kw_only=True):
    """A question of the group, and the answer."""

    question: str = ""
    answer: str = ""


class VerifyInfo(Model, frozen=True, kw_only=True):
    """The text that a user wrote to join. `method`: "verify_message" or "admin_review_qa"."""

    method: str = ""
    verify_message: str = ""
    review_qa_list: tuple[ReviewQA, ...] = ()


class AutoApproved(Model, frozen=True, kw_only=True):
    """The strategy that approved the request automatically."""

    strategy_id: str = ""


class GroupJoinRequestEvent(Model, frozen=True, kw_only=True):
    """A user asks to join a group that the bot administers. `apply_source`: "self_apply" or "invited".

    Source: autogen/event/group_join_request
    """

    group_openid: Id
    join_request_id: Id
    member_openid: Id
    risk_tips: str = ""
    union_openid: str = ""
    username: str = ""
    apply_at: Aware | None = None
    apply_source: str = ""
    invited_by: str = ""
    bot: bool = False
    verify_info: VerifyInfo = VerifyInfo()
    auto_approved: AutoApproved | None = None
