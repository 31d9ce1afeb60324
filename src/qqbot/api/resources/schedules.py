"""Schedules of channels."""

from datetime import datetime

from msgspec import UNSET, UnsetType

from ...models.schedules import RemindType, Schedule, milliseconds, schedule_body
from .. import routes
from .base import Resource


class Schedules(Resource):
    """Schedules of channels. To make or change any, the bot has to be an administrator."""

    async def of_channel(
        self, channel_id: str, *, since: datetime | None = None, timeout: float | None = None
    ) -> list[Schedule]:
        """Return the schedules that end after `since`, without it those of today.

        Raises: PermissionMissing, NotFound; ConfigError when `since` has no time zone.
        Source: server-inter/channel/content/schedule/get_schedules
        """
        query = {"since": None if since is None else milliseconds(since)}
        return await self._call(routes.LIST_SCHEDULES, channel_id, query=query, timeout=timeout)

    async def get(self, channel_id: str, schedule_id: str, *, timeout: float | None = None) -> Schedule:
        """Return one schedule.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/schedule/get_schedule
        """
        return await self._call(routes.GET_SCHEDULE, channel_id, schedule_id, timeout=timeout)

    async def create(
        self,
        channel_id: str,
        name: str,
        start: datetime,
        end: datetime,
        *,
        description: str | UnsetType = UNSET,
        jump_channel_id: str | UnsetType = UNSET,
        remind: RemindType | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> Schedule:
        """Make a schedule of at most 7 days; `jump_channel_id` opens when it starts.

        The platform allows 10 a day to each administrator, 100 to a guild.

        Raises: PermissionMissing, QuotaExceeded, ContentRejected; ConfigError for an empty name, a time without a
        zone, or an end that does not fit the start.
        Source: server-inter/channel/content/schedule/post_schedule
        """
        body = schedule_body(name, start, end, description=description, jump_channel_id=jump_channel_id, remind=remind)
        return await self._call(routes.CREATE_SCHEDULE, channel_id, body=body, timeout=timeout)

    async def modify(
        self,
        channel_id: str,
        schedule_id: str,
        name: str,
        start: datetime,
        end: datetime,
        *,
        description: str | UnsetType = UNSET,
        jump_channel_id: str | UnsetType = UNSET,
        remind: RemindType | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> Schedule:
        """Replace a schedule; see `create`.

        Raises: as `create`, and NotFound.
        Source: server-inter/channel/content/schedule/patch_schedule
        """
        body = schedule_body(name, start, end, description=description, jump_channel_id=jump_channel_id, remind=remind)
        return await self._call(routes.MODIFY_SCHEDULE, channel_id, schedule_id, body=body, timeout=timeout)

    async def delete(self, channel_id: str, schedule_id: str, *, timeout: float | None = None) -> None:
        """Delete a schedule.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/schedule/delete_schedule
        """
        await self._call(routes.DELETE_SCHEDULE, channel_id, schedule_id, timeout=timeout)
