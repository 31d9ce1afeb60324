"""The bot's panels of commands and links."""

from collections.abc import AsyncIterator, Iterable
from typing import Literal

from msgspec import UNSET

from ...models.base import Id, Model
from ...models.codec import decoder
from ...models.panels import Panel, PanelBody, PanelPage, PanelRecord, PanelScope, PanelTargetBody, new_panel_body
from ..route import Route, nothing
from .base import Resource, check_range, new_version
from .cursors import pages


class _PanelId(Model, frozen=True, kw_only=True):
    panel_id: Id


_panel_id = decoder(_PanelId)


def _new_panel(data: bytes) -> str:
    return _panel_id(data).panel_id


LIST_PANELS = Route("list_panels", "GET", "/v2/panels", PanelPage)
CREATE_PANEL = Route("create_panel", "POST", "/v2/panels", _new_panel)
GET_PANEL = Route("get_panel", "GET", "/v2/panels/{panel_id}", PanelRecord)
UPDATE_PANEL = Route("update_panel", "PUT", "/v2/panels/{panel_id}", new_version)
DELETE_PANEL = Route("delete_panel", "DELETE", "/v2/panels/{panel_id}", nothing)
UPDATE_PANEL_TARGET = Route("update_panel_target", "PUT", "/v2/panels/{panel_id}/target", nothing)


MOST_PANELS = 50
"""Panels of one page."""


class Panels(Resource):
    """Panels, at most 20 for each bot. They outlive the process: look for the remark before you create one again."""

    async def list(
        self, scope: PanelScope, *, cursor: str = "", limit: int | None = None, timeout: float | None = None
    ) -> PanelPage:
        """Return a page of a scope: at most `limit` panels (1 to 50, by default 20), the first or the one at `cursor`.

        Raises: PermissionMissing; ConfigError for a `limit` out of range.
        Source: autogen/api/v2_panels.get
        """
        if limit is not None:
            check_range("limit", limit, 1, MOST_PANELS)
        query = {"scope": PanelScope(scope).value, "cursor": cursor or None, "limit": limit}
        return await self._call(LIST_PANELS, query=query, timeout=timeout)

    async def iter(self, scope: PanelScope, *, timeout: float | None = None) -> AsyncIterator[PanelRecord]:
        """Yield every panel of a scope; `timeout` (seconds) is for each page.

        Raises: as `list`.
        """
        async for page in pages(lambda cursor: self.list(scope, cursor=cursor, limit=MOST_PANELS, timeout=timeout)):
            for record in page.records:
                yield record
            if page.is_end:
                return

    async def create(
        self,
        scope: PanelScope,
        panel: Panel,
        *,
        targets: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> str:
        """Create a panel for all, or for `targets` (at most 20 openids of users or groups, by scope); return its id.

        Raises: ContentRejected, QuotaExceeded, PermissionMissing; ConfigError for more than 20 items, a name wider
        than 14 (a Chinese character counts 2), a link that is not https, targets in a scope without targets.
        Source: autogen/api/v2_panels.post
        """
        body = new_panel_body(scope, panel, None if targets is None else tuple(targets))
        return await self._call(CREATE_PANEL, body=body, timeout=timeout)

    async def get(self, panel_id: str, *, timeout: float | None = None) -> PanelRecord:
        """Return one panel with its targets.

        Raises: NotFound, PermissionMissing.
        Source: autogen/api/v2_panels_panel_id.get
        """
        return await self._call(GET_PANEL, panel_id, timeout=timeout)

    async def update(self, panel_id: str, panel: Panel, *, timeout: float | None = None) -> int:
        """Replace the items and the remark of a panel, but not its targets; return its new version.

        Raises: ContentRejected, NotFound, ServerError during another change; ConfigError as `create`.
        Source: autogen/api/v2_panels_panel_id.put
        """
        return await self._call(UPDATE_PANEL, panel_id, body=PanelBody(panel=panel), timeout=timeout)

    async def delete(self, panel_id: str, *, timeout: float | None = None) -> None:
        """Delete a panel.

        Raises: NotFound, PermissionMissing.
        Source: autogen/api/v2_panels_panel_id.delete
        """
        await self._call(DELETE_PANEL, panel_id, timeout=timeout)

    async def add_targets(
        self,
        panel_id: str,
        *,
        users: Iterable[str] | None = None,
        groups: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> None:
        """Show a panel to 1 to 20 more users or groups, by its scope.

        Raises: NotFound, ApiError if the panel is for all; ConfigError if not exactly one of the two is given, or for
        too many or empty ids.
        Source: autogen/api/v2_panels_panel_id_target.put
        """
        await self._update_targets("add", panel_id, users, groups, timeout)

    async def remove_targets(
        self,
        panel_id: str,
        *,
        users: Iterable[str] | None = None,
        groups: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> None:
        """Stop showing a panel to 1 to 20 users or groups.

        Raises: NotFound, ApiError if the panel is for all; ConfigError if not exactly one of the two is given, or for
        too many or empty ids.
        Source: autogen/api/v2_panels_panel_id_target.put
        """
        await self._update_targets("del", panel_id, users, groups, timeout)

    async def _update_targets(
        self,
        op: Literal["add", "del"],
        panel_id: str,
        users: Iterable[str] | None,
        groups: Iterable[str] | None,
        timeout: float | None,
    ) -> None:
        body = PanelTargetBody(
            op=op,
            user_openids=UNSET if users is None else tuple(users),
            group_openids=UNSET if groups is None else tuple(groups),
        )
        await self._call(UPDATE_PANEL_TARGET, panel_id, body=body, timeout=timeout)
