"""Schedules of channels."""

from datetime import datetime

from msgspec import UNSET, UnsetType

from ...models.codec import decoder
from ...models.schedules import RemindType, Schedule, milliseconds, schedule_body
from ..route import Route, nothing
from .base import Resource

LIST_SCHEDULES = Route("list_schedules", "GET", "/channels/{channel_id}/schedules", decoder(list[Schedule]))
GET_SCHEDULE = Route("get_schedule", "GET", "/channels/{channel_id}/schedules/{schedule_id}", Schedule)
CREATE_SCHEDULE = Route("create_schedule", "POST", "/channels/{channel_id}/schedules", Schedule)
MODIFY_SCHEDULE = Route("modify_schedule", "PATCH", "/channels/{channel_id}/schedules/{schedule_id}", Schedule)
DELETE_SCHEDULE = Route("delete_schedule", "DELETE", "/channels/{channel_id}/schedules/{schedule_id}", nothing)


class Schedules(Resource):
    """Schedules of channels. The bot must be an administrator to create or change them."""

    async def of_channel(
        self, channel_id: str, *, since: datetime | None = None, timeout: float | None = None
    ) -> list[Schedule]:
        """Return the schedules that end after `since`; by default those of today.

        Raises: PermissionMissing, NotFound; ConfigError if `since` has no time zone.
        Source: server-inter/channel/content/schedule/get_schedules
        """
        query = {"since": None if since is None else milliseconds(since)}
        return await self._call(LIST_SCHEDULES, channel_id, query=query, timeout=timeout)

    async def get(self, channel_id: str, schedule_id: str, *, timeout: float | None = None) -> Schedule:
        """Return one schedule.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/schedule/get_schedule
        """
        return await self._call(GET_SCHEDULE, channel_id, schedule_id, timeout=timeout)

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
        """Create a schedule of at most 7 days; `jump_channel_id` opens when it starts.

        The platform allows 10 a day for each administrator, and 100 for a guild.

        Raises: PermissionMissing, QuotaExceeded, ContentRejected; ConfigError for an empty name, a time without a
        zone, or an end that does not fit the start.
        Source: server-inter/channel/content/schedule/post_schedule
        """
        body = schedule_body(name, start, end, description=description, jump_channel_id=jump_channel_id, remind=remind)
        return await self._call(CREATE_SCHEDULE, channel_id, body=body, timeout=timeout)

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
        return await self._call(MODIFY_SCHEDULE, channel_id, schedule_id, body=body, timeout=timeout)

    async def delete(self, channel_id: str, schedule_id: str, *, timeout: float | None = None) -> None:
        """Delete a schedule.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/schedule/delete_schedule
        """
        await self._call(DELETE_SCHEDULE, channel_id, schedule_id, timeout=timeout)
