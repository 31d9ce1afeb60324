"""The body that removes a member of a guild. See `users` for the members."""

from msgspec import UNSET, UnsetType

from ..errors import ConfigError
from .base import Body

HISTORY_DAYS = (0, 3, 7, 15, 30, -1)
"""The days of a removed member's messages that can be deleted too; 0 none, -1 all."""


class DeleteMemberBody(Body, frozen=True, kw_only=True):
    """Removes a member, on request forever and with the messages of some days.

    Raises: ConfigError if the days are not one of `HISTORY_DAYS`.
    Source: server-inter/channel/role/member/delete_member
    """

    add_blacklist: bool | UnsetType = UNSET
    delete_history_msg_days: int | UnsetType = UNSET

    def __post_init__(self) -> None:
        days = self.delete_history_msg_days
        if days is not UNSET and days not in HISTORY_DAYS:
            allowed = ", ".join(map(str, HISTORY_DAYS))
            raise ConfigError(f"delete_history_msg_days must be one of {allowed} (0 none, -1 all), not {days}")
