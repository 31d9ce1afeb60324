"""The blacklists of QQ groups."""

from collections.abc import AsyncIterator, Iterable
from typing import Literal

from ...models.base import Model
from ...models.codec import decoder
from ...models.group_members import BlacklistBody, BlacklistUser, GroupBlacklistPage
from ..route import Route
from .base import Resource, check_range
from .cursors import pages


class _FailedOpenids(Model, frozen=True, kw_only=True):
    fail_openids: tuple[str, ...] = ()


_failed_openids = decoder(_FailedOpenids)


def _failures(data: bytes) -> tuple[str, ...]:
    return _failed_openids(data).fail_openids


LIST_GROUP_BLACKLIST = Route(
    "list_group_blacklist", "GET", "/v2/groups/{group_openid}/member_blacklist", GroupBlacklistPage
)
MODIFY_GROUP_BLACKLIST = Route(
    "modify_group_blacklist", "POST", "/v2/groups/{group_openid}/member_blacklist", _failures
)


MOST_USERS = 100
"""Users of one page."""


class GroupBlacklist(Resource):
    """The blacklists of groups. They need a right that is granted by invitation."""

    async def list(
        self, group_openid: str, *, cursor: str = "", limit: int | None = None, timeout: float | None = None
    ) -> GroupBlacklistPage:
        """Return one page: at most `limit` users (1 to 100, by default 20); the first or the one at `cursor`.

        Raises: PermissionMissing without that right, NotFound; ConfigError for a `limit` out of range.
        Source: autogen/api/v2_groups_group_openid_member_blacklist.get
        """
        if limit is not None:
            check_range("limit", limit, 1, MOST_USERS)
        query = {"cursor": cursor or None, "limit": limit}
        return await self._call(LIST_GROUP_BLACKLIST, group_openid, query=query, timeout=timeout)

    async def iter(self, group_openid: str, *, timeout: float | None = None) -> AsyncIterator[BlacklistUser]:
        """Yield every user on the blacklist of a group; `timeout` (seconds) is for each page.

        Raises: as `list`.
        """
        async for page in pages(
            lambda cursor: self.list(group_openid, cursor=cursor, limit=MOST_USERS, timeout=timeout)
        ):
            for user in page.users:
                yield user

    async def add(
        self, group_openid: str, member_openids: Iterable[str], *, timeout: float | None = None
    ) -> tuple[str, ...]:
        """Put 1 to 20 users who are not in the group on its blacklist; return those for whom it failed.

        Raises: PermissionMissing, NotFound; ConfigError for too many or empty ids.
        Source: autogen/api/v2_groups_group_openid_member_blacklist.post
        """
        return await self._modify("add", group_openid, member_openids, timeout)

    async def remove(
        self, group_openid: str, member_openids: Iterable[str], *, timeout: float | None = None
    ) -> tuple[str, ...]:
        """Take 1 to 20 users off the blacklist; return those for whom it failed.

        Raises: PermissionMissing, NotFound; ConfigError for too many or empty ids.
        Source: autogen/api/v2_groups_group_openid_member_blacklist.post
        """
        return await self._modify("del", group_openid, member_openids, timeout)

    async def _modify(
        self, op: Literal["add", "del"], group_openid: str, member_openids: Iterable[str], timeout: float | None
    ) -> tuple[str, ...]:
        body = BlacklistBody(op=op, member_openids=tuple(member_openids))
        return await self._call(MODIFY_GROUP_BLACKLIST, group_openid, body=body, timeout=timeout)
