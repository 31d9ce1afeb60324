"""Strategies that approve requests to join QQ groups automatically."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Literal

from msgspec import UNSET, UnsetType

from ...models.batches import rfc3339
from ...models.strategies import (
    JoinApprovalStrategy,
    JoinApprovalStrategyPage,
    StrategyBody,
    StrategyChangeBody,
    StrategyGroupsBody,
    StrategyState,
    WhitelistBody,
    WhitelistState,
    switch,
)
from ..route import Route, nothing
from .base import Resource, check_range
from .cursors import pages

LIST_JOIN_APPROVAL_STRATEGIES = Route(
    "list_join_approval_strategies", "GET", "/v2/groups/join_approval_strategy", JoinApprovalStrategyPage
)
CREATE_JOIN_APPROVAL_STRATEGY = Route(
    "create_join_approval_strategy", "POST", "/v2/groups/join_approval_strategy", JoinApprovalStrategy
)
MODIFY_JOIN_APPROVAL_STRATEGY = Route(
    "modify_join_approval_strategy", "PATCH", "/v2/groups/join_approval_strategy/{strategy_id}", StrategyState
)
DELETE_JOIN_APPROVAL_STRATEGY = Route(
    "delete_join_approval_strategy", "DELETE", "/v2/groups/join_approval_strategy/{strategy_id}", nothing
)
EXECUTE_JOIN_APPROVAL_STRATEGY = Route(
    "execute_join_approval_strategy", "POST", "/v2/groups/join_approval_strategy/{strategy_id}/execute", nothing
)
MODIFY_JOIN_APPROVAL_WHITELIST = Route(
    "modify_join_approval_whitelist",
    "POST",
    "/v2/groups/join_approval_strategy/{strategy_id}/whitelist_users",
    WhitelistState,
)


MOST_STRATEGIES = 50
"""Strategies of one page."""


class JoinStrategies(Resource):
    """Whitelists of users who may join without approval: at most 20 strategies, in groups that the bot administers."""

    async def list(
        self, *, cursor: str = "", limit: int | None = None, timeout: float | None = None
    ) -> JoinApprovalStrategyPage:
        """Return one page: at most `limit` strategies (1 to 50, by default 20); the first page or the one at `cursor`.

        Raises: PermissionMissing; ConfigError for a `limit` out of range.
        Source: autogen/api/v2_groups_join_approval_strategy.get
        """
        if limit is not None:
            check_range("limit", limit, 1, MOST_STRATEGIES)
        query = {"cursor": cursor or None, "limit": limit}
        return await self._call(LIST_JOIN_APPROVAL_STRATEGIES, query=query, timeout=timeout)

    async def iter(self, *, timeout: float | None = None) -> AsyncIterator[JoinApprovalStrategy]:
        """Yield every strategy of the bot; `timeout` (seconds) is for each page.

        Raises: as `list`.
        """
        async for page in pages(lambda cursor: self.list(cursor=cursor, limit=MOST_STRATEGIES, timeout=timeout)):
            for strategy in page.strategies:
                yield strategy

    async def create(
        self,
        *,
        group_openids: Iterable[str] | None = None,
        group_ids: Iterable[int] | None = None,
        enabled: bool | UnsetType = UNSET,
        expire_at: datetime | None = None,
        remark: str | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> JoinApprovalStrategy:
        """Create a strategy for 1 to 100 groups, by openid or by QQ group number; it is enabled at once, for one year.

        The answer has `strategy_id`, `enabled` and `expire_at` only.

        Raises: PermissionMissing, QuotaExceeded; ConfigError if not exactly one kind of group id is given, for too
        many ids, a time without a time zone, or a remark over 255 characters.
        Source: autogen/api/v2_groups_join_approval_strategy.post
        """
        body = StrategyBody(
            group_openids=UNSET if group_openids is None else tuple(group_openids),
            group_ids=UNSET if group_ids is None else tuple(group_ids),
            is_enable=switch(enabled),
            expire_at=UNSET if expire_at is None else rfc3339(expire_at),
            remark=remark,
        )
        return await self._call(CREATE_JOIN_APPROVAL_STRATEGY, body=body, timeout=timeout)

    async def modify(
        self,
        strategy_id: str,
        *,
        enabled: bool | UnsetType = UNSET,
        expire_at: datetime | None = None,
        groups: StrategyGroupsBody | UnsetType = UNSET,
        remark: str | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> StrategyState:
        """Change the given values of a strategy and leave the others unchanged. `groups` adds or removes groups.

        Raises: PermissionMissing, NotFound; ConfigError if no value is given, for a time without a time zone, or a
        remark over 255 characters.
        Source: autogen/api/v2_groups_join_approval_strategy_strategy_id.patch
        """
        body = StrategyChangeBody(
            is_enable=switch(enabled),
            expire_at=UNSET if expire_at is None else rfc3339(expire_at),
            group_action=groups,
            remark=remark,
        )
        return await self._call(MODIFY_JOIN_APPROVAL_STRATEGY, strategy_id, body=body, timeout=timeout)

    async def delete(self, strategy_id: str, *, timeout: float | None = None) -> None:
        """Delete a strategy.

        Raises: PermissionMissing, NotFound.
        Source: autogen/api/v2_groups_join_approval_strategy_strategy_id.delete
        """
        await self._call(DELETE_JOIN_APPROVAL_STRATEGY, strategy_id, timeout=timeout)

    async def execute(self, strategy_id: str, *, timeout: float | None = None) -> None:
        """Apply a strategy to the open requests of all its groups; the platform needs about 10 minutes.

        Raises: PermissionMissing, NotFound.
        Source: autogen/api/v2_groups_join_approval_strategy_strategy_id_execute.post
        """
        await self._call(EXECUTE_JOIN_APPROVAL_STRATEGY, strategy_id, timeout=timeout)

    async def add_users(
        self, strategy_id: str, qq_numbers: Iterable[str], *, timeout: float | None = None
    ) -> WhitelistState:
        """Add 1 to 10000 QQ numbers to a strategy's whitelist, which holds 100000.

        Raises: PermissionMissing, NotFound; ConfigError for too many or invalid numbers.
        Source: autogen/api/v2_groups_join_approval_strategy_strategy_id_whitelist_users.post
        """
        return await self._modify_users("add", strategy_id, qq_numbers, timeout)

    async def remove_users(
        self, strategy_id: str, qq_numbers: Iterable[str], *, timeout: float | None = None
    ) -> WhitelistState:
        """Remove 1 to 10000 QQ numbers from a strategy's whitelist.

        Raises: PermissionMissing, NotFound; ConfigError for too many or invalid numbers.
        Source: autogen/api/v2_groups_join_approval_strategy_strategy_id_whitelist_users.post
        """
        return await self._modify_users("del", strategy_id, qq_numbers, timeout)

    async def _modify_users(
        self, op: Literal["add", "del"], strategy_id: str, qq_numbers: Iterable[str], timeout: float | None
    ) -> WhitelistState:
        body = WhitelistBody(op=op, whitelist_users=tuple(qq_numbers))
        return await self._call(MODIFY_JOIN_APPROVAL_WHITELIST, strategy_id, body=body, timeout=timeout)
