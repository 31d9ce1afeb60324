"""Mutes of guilds and of their members."""

from datetime import datetime

from msgspec import UNSET, UnsetType

from ..errors import ConfigError
from .base import Body, require, zoned


class MuteBody(Body, frozen=True, kw_only=True):
    """Mutes until a time (seconds of the Unix clock) or for some seconds, both as text; "0" ends the mute.

    Source: server-inter/channel/speak/patch_guild_mute
    """

    mute_end_timestamp: str | UnsetType = UNSET
    mute_seconds: str | UnsetType = UNSET
    user_ids: tuple[str, ...] | UnsetType = UNSET


def mute_body(
    seconds: int | None, until: datetime | None, *, user_ids: tuple[str, ...] | UnsetType = UNSET
) -> MuteBody:
    """Return the body that mutes for `seconds` or `until` a time.

    Raises: ConfigError if not exactly one of them is given, in range and with a time zone; for no or empty ids.
    """
    if user_ids is not UNSET and not user_ids:
        raise ConfigError("user_ids is empty: name the members, or mute the whole guild")
    for user_id in user_ids or ():
        require(user_id=user_id)
    if until is not None and seconds is None:
        return MuteBody(mute_end_timestamp=str(int(zoned(until).timestamp())), user_ids=user_ids)
    if seconds is None or until is not None:
        raise ConfigError("mute for `seconds` or `until` a time: give exactly one")
    if seconds < 0:
        raise ConfigError(f"seconds is 0 (which ends the mute) or more, not {seconds}")
    return MuteBody(mute_seconds=str(seconds), user_ids=user_ids)
