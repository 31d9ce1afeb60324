"""The interfaces that guilds allow the bot to use."""

from ...models.api_permissions import APIPermission, APIPermissionDemand, APIPermissionDemandIdentify, DemandBody
from ...models.base import Model
from ...models.codec import decoder
from ..route import Route
from .base import Resource


class _ApiPermissions(Model, frozen=True, kw_only=True):
    apis: tuple[APIPermission, ...] = ()


_api_permissions = decoder(_ApiPermissions)


def _granted(data: bytes) -> list[APIPermission]:
    return list(_api_permissions(data).apis)


LIST_API_PERMISSIONS = Route("list_api_permissions", "GET", "/guilds/{guild_id}/api_permission", _granted)
DEMAND_API_PERMISSION = Route(
    "demand_api_permission", "POST", "/guilds/{guild_id}/api_permission/demand", APIPermissionDemand
)


class ApiPermissions(Resource):
    """Interfaces that guilds grant."""

    async def of_guild(self, guild_id: str, *, timeout: float | None = None) -> list[APIPermission]:
        """Return the interfaces, each with its grant by the guild.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/api_permissions/get_guild_api_permission
        """
        return await self._call(LIST_API_PERMISSIONS, guild_id, timeout=timeout)

    async def demand(
        self,
        guild_id: str,
        channel_id: str,
        api: APIPermissionDemandIdentify,
        desc: str,
        *,
        timeout: float | None = None,
    ) -> APIPermissionDemand:
        """Send a link to a channel with which an administrator grants an interface; `desc` is the reason. 3 a day.

        Raises: PermissionMissing, NotFound, QuotaExceeded, ApiError if it is already granted; ConfigError for an
        empty field.
        Source: server-inter/channel/api_permissions/post_api_permission_demand
        """
        body = DemandBody(channel_id=channel_id, api_identify=api, desc=desc)
        return await self._call(DEMAND_API_PERMISSION, guild_id, body=body, timeout=timeout)
