"""The bot's menu in C2C."""

from ...models.menus import Menu, MenuBody, MenuResult
from ..route import Route
from .base import Resource, new_version

GET_MENU = Route("get_menu", "GET", "/v2/menu", MenuResult)
UPDATE_MENU = Route("update_menu", "PUT", "/v2/menu", new_version)


class Menus(Resource):
    """The menu that users of C2C see."""

    async def get(self, *, timeout: float | None = None) -> MenuResult:
        """Return the menu and its version; the menu is None when none was ever set.

        Raises: PermissionMissing.
        Source: autogen/api/v2_menu.get
        """
        return await self._call(GET_MENU, timeout=timeout)

    async def update(self, menu: Menu, *, timeout: float | None = None) -> int:
        """Replace the whole menu; return its new version.

        Raises: ContentRejected, PermissionMissing; ConfigError for more than 10 items, a name wider than 10 (a
        Chinese character counts 2), a link that is not https, or an item without what its type needs.
        Source: autogen/api/v2_menu.put
        """
        return await self._call(UPDATE_MENU, body=MenuBody(menu=menu), timeout=timeout)
