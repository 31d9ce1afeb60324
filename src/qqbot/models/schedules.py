"""Schedules of channels. The wire has milliseconds as text; the models have times with a time zone."""

from datetime import datetime

from msgspec import UNSET, UnsetType

from ..errors import ConfigError
from .base import Aware, Body, Id, Model, OpenIntEnum, require, zoned
from .users import Member

LONGEST = 7 * 86400.0
"""The longest schedule, in seconds."""


class RemindType(OpenIntEnum):
    """The time at which members are reminded.  Source: server-inter/channel/content/schedule/model"""

    NONE = 0
    AT_START = 1
    MINUTES_5 = 2
    MINUTES_15 = 3
    MINUTES_30 = 4
    MINUTES_60 = 5


class Schedule(Model, frozen=True, kw_only=True):
    """A schedule. `jump_channel_id` opens at the start; "0" means no channel.

    Source: server-inter/channel/content/schedule/model
    """

    id: Id
    name: str = ""
    description: str = ""
    start_timestamp: Aware | None = None
    end_timestamp: Aware | None = None
    creator: Member | None = None
    jump_channel_id: str = ""
    remind_type: RemindType = RemindType.NONE


class ScheduleFields(Body, frozen=True, kw_only=True):
    """A schedule on the wire: times in milliseconds of the Unix clock, all numbers as text.

    Raises: ConfigError if `name` is empty.
    """

    name: str
    start_timestamp: str
    end_timestamp: str
    description: str | UnsetType = UNSET
    jump_channel_id: str | UnsetType = UNSET
    remind_type: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        require(name=self.name)


class ScheduleBody(Body, frozen=True, kw_only=True):
    """Creates or replaces a schedule.  Source: server-inter/channel/content/schedule/post_schedule"""

    schedule: ScheduleFields


def schedule_body(
    name: str,
    start: datetime,
    end: datetime,
    *,
    description: str | UnsetType = UNSET,
    jump_channel_id: str | UnsetType = UNSET,
    remind: RemindType | UnsetType = UNSET,
) -> ScheduleBody:
    """Return the body of a schedule from `start` to `end`.

    Raises: ConfigError for an empty name, a time without a zone, an end that is not after the start or more
    than 7 days after it.
    """
    lasts = milliseconds(end) - milliseconds(start)
    if not 0 < lasts <= LONGEST * 1000:
        raise ConfigError(f"a schedule must end after its start and within 7 days, not {lasts / 1000:g} s after it")
    fields = ScheduleFields(
        name=name,
        start_timestamp=str(milliseconds(start)),
        end_timestamp=str(milliseconds(end)),
        description=description,
        jump_channel_id=jump_channel_id,
        remind_type=UNSET if remind is UNSET else str(int(remind)),
    )
    return ScheduleBody(schedule=fields)


def milliseconds(moment: datetime) -> int:
    """Return a time in milliseconds of the Unix clock.  Raises: ConfigError if it has no time zone."""
    return round(zoned(moment).timestamp() * 1000)
