"""The bot's menu in C2C conversations."""

from ...models.menus import Menu, MenuBody, MenuResult
from ..route import Route
from .base import Resource, new_version

GET_MENU = Route("get_menu", "GET", "/v2/menu", MenuResult)
UPDATE_MENU = Route("update_menu", "PUT", "/v2/menu", new_version)


class Menus(Resource):
    """The menu that users see in C2C."""

    async def get(self, *, timeout: float | None = None) -> MenuResult:
        """Return the menu and its version; the menu is None if it was never set.

        Raises: PermissionMissing.
        Source: autogen/api/v2_menu.get
        """
        return await self._call(GET_MENU, timeout=timeout)

    async def update(self, menu: Menu, *, timeout: float | None = None) -> int:
        """Replace the whole menu; return its new version.

        Raises: ContentRejected, PermissionMissing; ConfigError for more than 10 items, a name wider than 10 (a
        Chinese character counts 2), a link that is not https, or an item that lacks a field of its type.
        Source: autogen/api/v2_menu.put
        """
        return await self._call(UPDATE_MENU, body=MenuBody(menu=menu), timeout=timeout)
