"""Who is kept out of QQ groups."""

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
"""People of one page."""


class GroupBlacklist(Resource):
    """The blacklists of groups; needs a right by invitation."""

    async def list(
        self, group_openid: str, *, cursor: str = "", limit: int | None = None, timeout: float | None = None
    ) -> GroupBlacklistPage:
        """Return one page: at most `limit` people (1 to 100, the platform's default is 20), the first or at `cursor`.

        Raises: PermissionMissing without the right to ask, NotFound; ConfigError for a `limit` out of range.
        Source: autogen/api/v2_groups_group_openid_member_blacklist.get
        """
        if limit is not None:
            check_range("limit", limit, 1, MOST_USERS)
        query = {"cursor": cursor or None, "limit": limit}
        return await self._call(LIST_GROUP_BLACKLIST, group_openid, query=query, timeout=timeout)

    async def iter(self, group_openid: str, *, timeout: float | None = None) -> AsyncIterator[BlacklistUser]:
        """Yield everybody whom a group keeps out; `timeout` (seconds) is for each page.

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
        """Keep 1 to 20 people out who are not in the group; return those for whom it failed.

        Raises: PermissionMissing, NotFound; ConfigError for too many or empty ids.
        Source: autogen/api/v2_groups_group_openid_member_blacklist.post
        """
        return await self._modify("add", group_openid, member_openids, timeout)

    async def remove(
        self, group_openid: str, member_openids: Iterable[str], *, timeout: float | None = None
    ) -> tuple[str, ...]:
        """Let 1 to 20 people in again; return those for whom it failed.

        Raises: PermissionMissing, NotFound; ConfigError for too many or empty ids.
        Source: autogen/api/v2_groups_group_openid_member_blacklist.post
        """
        return await self._modify("del", group_openid, member_openids, timeout)

    async def _modify(
        self, op: Literal["add", "del"], group_openid: str, member_openids: Iterable[str], timeout: float | None
    ) -> tuple[str, ...]:
        body = BlacklistBody(op=op, member_openids=tuple(member_openids))
        return await self._call(MODIFY_GROUP_BLACKLIST, group_openid, body=body, timeout=timeout)
