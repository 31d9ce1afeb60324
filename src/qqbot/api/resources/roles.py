"""Roles of guilds, and their members."""

from msgspec import UNSET, UnsetType

from ...models.roles import CreateRoleResult, GuildRoles, ModifyRoleResult, RoleBody, member_role_body
from ..route import Route, nothing
from .base import Resource

LIST_GUILD_ROLES = Route("list_guild_roles", "GET", "/guilds/{guild_id}/roles", GuildRoles)
CREATE_GUILD_ROLE = Route("create_guild_role", "POST", "/guilds/{guild_id}/roles", CreateRoleResult)
MODIFY_GUILD_ROLE = Route("modify_guild_role", "PATCH", "/guilds/{guild_id}/roles/{role_id}", ModifyRoleResult)
DELETE_GUILD_ROLE = Route("delete_guild_role", "DELETE", "/guilds/{guild_id}/roles/{role_id}", nothing)
ADD_GUILD_MEMBER_ROLE = Route(
    "add_guild_member_role", "PUT", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}", nothing
)
REMOVE_GUILD_MEMBER_ROLE = Route(
    "remove_guild_member_role", "DELETE", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}", nothing
)


class Roles(Resource):
    """Roles of guilds. The bot must be an administrator to change them."""

    async def of_guild(self, guild_id: str, *, timeout: float | None = None) -> GuildRoles:
        """Return the roles of a guild, and the maximum number of roles.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/role-group/get_guild_roles
        """
        return await self._call(LIST_GUILD_ROLES, guild_id, timeout=timeout)

    async def create(
        self,
        guild_id: str,
        *,
        name: str | UnsetType = UNSET,
        color: int | UnsetType = UNSET,
        hoist: bool | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> CreateRoleResult:
        """Create a role. `color`: ARGB, such as 0xFFFF0000; `hoist`: list its members separately.

        Raises: PermissionMissing, QuotaExceeded; ConfigError if no value is given, or for a color out of range.
        Source: server-inter/channel/role-group/post_guild_role
        """
        body = _body(name, color, hoist)
        return await self._call(CREATE_GUILD_ROLE, guild_id, body=body, timeout=timeout)

    async def modify(
        self,
        guild_id: str,
        role_id: str,
        *,
        name: str | UnsetType = UNSET,
        color: int | UnsetType = UNSET,
        hoist: bool | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> ModifyRoleResult:
        """Change the given values and leave the others unchanged. `color`: ARGB; `hoist`: list its members separately.

        Raises: PermissionMissing, NotFound; ConfigError if no value is given, or for a color out of range.
        Source: server-inter/channel/role-group/patch_guild_role
        """
        body = _body(name, color, hoist)
        return await self._call(MODIFY_GUILD_ROLE, guild_id, role_id, body=body, timeout=timeout)

    async def delete(self, guild_id: str, role_id: str, *, timeout: float | None = None) -> None:
        """Delete a role.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/role-group/delete_guild_role
        """
        await self._call(DELETE_GUILD_ROLE, guild_id, role_id, timeout=timeout)

    async def add_member(
        self,
        guild_id: str,
        user_id: str,
        role_id: str,
        *,
        channel_id: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Add a role to a member. Only the role of channel admin ("5") needs, and accepts, a channel.

        Raises: PermissionMissing, NotFound; ConfigError if the channel is missing or not accepted.
        Source: server-inter/channel/role-group/put_guild_member_role
        """
        body = member_role_body(role_id, channel_id)
        await self._call(ADD_GUILD_MEMBER_ROLE, guild_id, user_id, role_id, body=body, timeout=timeout)

    async def remove_member(
        self,
        guild_id: str,
        user_id: str,
        role_id: str,
        *,
        channel_id: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Remove a role from a member. Only the role of channel admin ("5") needs, and accepts, a channel.

        Raises: PermissionMissing, NotFound; ConfigError if the channel is missing or not accepted.
        Source: server-inter/channel/role-group/delete_guild_member_role
        """
        body = member_role_body(role_id, channel_id)
        await self._call(REMOVE_GUILD_MEMBER_ROLE, guild_id, user_id, role_id, body=body, timeout=timeout)


def _body(name: str | UnsetType, color: int | UnsetType, hoist: bool | UnsetType) -> RoleBody:
    return RoleBody(name=name, color=color, hoist=UNSET if hoist is UNSET else int(hoist))
