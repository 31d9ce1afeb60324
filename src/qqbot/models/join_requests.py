"""Requests to join a QQ group, and the decisions on them. See `groups` for the event."""

from typing import Literal

from ..errors import ConfigError
from .base import UNSET, Aware, Body, Id, Model, UnsetType, require
from .groups import VerifyInfo


class JoinRequest(Model, frozen=True, kw_only=True):
    """A request to join. `apply_source`: "self_apply" or "invited" (by the member `invited_by`).

    Source: autogen/api/v2_groups_group_openid_join_request_list.get
    """

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


class JoinRequestPage(Model, frozen=True, kw_only=True):
    """Open requests; `next_cursor` asks for the next page, '' ends the list.

    Source: autogen/api/v2_groups_group_openid_join_request_list.get
    """

    list: tuple[JoinRequest, ...]
    next_cursor: str = ""


class JoinDecisionBody(Body, frozen=True, kw_only=True):
    """Approves or declines a request; only a decline has a reason, or stops the user from asking again.

    Raises: ConfigError for an empty id, or for an approval with a reason.
    Source: autogen/api/v2_groups_group_openid_approval_join_request_member_openid.post
    """

    op: Literal["approve", "decline"]
    join_request_id: str | UnsetType = UNSET
    reject_reason: str | UnsetType = UNSET
    add_to_member_blacklist: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        require(join_request_id=self.join_request_id)
        refusing = self.reject_reason is not UNSET or self.add_to_member_blacklist is not UNSET
        if self.op == "approve" and refusing:
            raise ConfigError("reject_reason and add_to_member_blacklist go with 'decline' only")
