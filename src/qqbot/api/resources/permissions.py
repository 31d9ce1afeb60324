"""Permissions of members and roles in a channel."""

from ...models.permissions import ChannelPermissions, Permissions, permissions_body
from ..route import Route, nothing
from .base import Resource

GET_CHANNEL_PERMISSIONS = Route(
    "get_channel_permissions", "GET", "/channels/{channel_id}/members/{user_id}/permissions", ChannelPermissions
)
MODIFY_CHANNEL_PERMISSIONS = Route(
    "modify_channel_permissions", "PUT", "/channels/{channel_id}/members/{user_id}/permissions", nothing
)
GET_CHANNEL_ROLE_PERMISSIONS = Route(
    "get_channel_role_permissions", "GET", "/channels/{channel_id}/roles/{role_id}/permissions", ChannelPermissions
)
MODIFY_CHANNEL_ROLE_PERMISSIONS = Route(
    "modify_channel_role_permissions", "PUT", "/channels/{channel_id}/roles/{role_id}/permissions", nothing
)


class ChannelRights(Resource):
    """Permissions in channels. The bot must manage the channel to change them."""

    async def of_member(self, channel_id: str, user_id: str, *, timeout: float | None = None) -> ChannelPermissions:
        """Return the permissions of a member in a channel.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/role-group/channel_permissions/get_channel_permissions
        """
        return await self._call(GET_CHANNEL_PERMISSIONS, channel_id, user_id, timeout=timeout)

    async def modify_member(
        self,
        channel_id: str,
        user_id: str,
        *,
        add: Permissions | None = None,
        remove: Permissions | None = None,
        timeout: float | None = None,
    ) -> None:
        """Add and remove permissions of a member; one in both is removed.

        Raises: PermissionMissing, NotFound; ConfigError if neither is given, or for MANAGE.
        Source: server-inter/channel/role-group/channel_permissions/put_channel_permissions
        """
        body = permissions_body(add, remove)
        await self._call(MODIFY_CHANNEL_PERMISSIONS, channel_id, user_id, body=body, timeout=timeout)

    async def of_role(self, channel_id: str, role_id: str, *, timeout: float | None = None) -> ChannelPermissions:
        """Return the permissions of a role in a channel.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/role-group/channel_permissions/get_channel_roles_permissions
        """
        return await self._call(GET_CHANNEL_ROLE_PERMISSIONS, channel_id, role_id, timeout=timeout)

    async def modify_role(
        self,
        channel_id: str,
        role_id: str,
        *,
        add: Permissions | None = None,
        remove: Permissions | None = None,
        timeout: float | None = None,
    ) -> None:
        """Add and remove permissions of a role; one in both is removed.

        Raises: PermissionMissing, NotFound; ConfigError if neither is given, or for MANAGE.
        Source: server-inter/channel/role-group/channel_permissions/put_channel_roles_permissions
        """
        body = permissions_body(add, remove)
        await self._call(MODIFY_CHANNEL_ROLE_PERMISSIONS, channel_id, role_id, body=body, timeout=timeout)
