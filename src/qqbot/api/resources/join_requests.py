"""Requests to join QQ groups."""

from collections.abc import AsyncIterator

from msgspec import UNSET, UnsetType

from ...models.join_requests import JoinDecisionBody, JoinRequest, JoinRequestPage
from ..route import Route, nothing
from .base import Resource, check_range
from .cursors import pages

LIST_GROUP_JOIN_REQUESTS = Route(
    "list_group_join_requests", "GET", "/v2/groups/{group_openid}/join_request_list", JoinRequestPage
)
HANDLE_GROUP_JOIN_REQUEST = Route(
    "handle_group_join_request", "POST", "/v2/groups/{group_openid}/approval_join_request/{member_openid}", nothing
)


MOST_REQUESTS = 50
"""Requests of one page."""


class JoinRequests(Resource):
    """Requests to join a group. The bot must be an administrator of it."""

    async def list(
        self, group_openid: str, *, cursor: str = "", limit: int | None = None, timeout: float | None = None
    ) -> JoinRequestPage:
        """Return one page: at most `limit` requests (1 to 50, by default 20); the first or the one at `cursor`.

        Raises: PermissionMissing if the bot is not an administrator, NotFound; ConfigError for a `limit` out of range.
        Source: autogen/api/v2_groups_group_openid_join_request_list.get
        """
        if limit is not None:
            check_range("limit", limit, 1, MOST_REQUESTS)
        query = {"cursor": cursor or None, "limit": limit}
        return await self._call(LIST_GROUP_JOIN_REQUESTS, group_openid, query=query, timeout=timeout)

    async def iter(self, group_openid: str, *, timeout: float | None = None) -> AsyncIterator[JoinRequest]:
        """Yield every open request; `timeout` (seconds) is for each page.

        Raises: as `list`.
        """
        async for page in pages(
            lambda cursor: self.list(group_openid, cursor=cursor, limit=MOST_REQUESTS, timeout=timeout)
        ):
            for request in page.list:
                yield request

    async def approve(
        self, group_openid: str, member_openid: str, join_request_id: str, *, timeout: float | None = None
    ) -> None:
        """Approve a request; both ids are in the event and in the list.

        Raises: PermissionMissing if the bot is not an administrator, NotFound; ConfigError for an empty id.
        Source: autogen/api/v2_groups_group_openid_approval_join_request_member_openid.post
        """
        body = JoinDecisionBody(op="approve", join_request_id=join_request_id)
        await self._handle(group_openid, member_openid, body, timeout)

    async def decline(
        self,
        group_openid: str,
        member_openid: str,
        join_request_id: str,
        *,
        reason: str | UnsetType = UNSET,
        add_to_blacklist: bool | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> None:
        """Decline a request; the user sees `reason`, and with `add_to_blacklist` cannot ask again.

        Raises: PermissionMissing if the bot is not an administrator, NotFound; ConfigError for an empty id.
        Source: autogen/api/v2_groups_group_openid_approval_join_request_member_openid.post
        """
        body = JoinDecisionBody(
            op="decline",
            join_request_id=join_request_id,
            reject_reason=reason,
            add_to_member_blacklist=add_to_blacklist,
        )
        await self._handle(group_openid, member_openid, body, timeout)

    async def _handle(
        self, group_openid: str, member_openid: str, body: JoinDecisionBody, timeout: float | None
    ) -> None:
        await self._call(HANDLE_GROUP_JOIN_REQUEST, group_openid, member_openid, body=body, timeout=timeout)
