"""Endpoints of mutes in guilds."""

from ...platform import Platform
from ...state.guild import ALL_MEMBERS, people_of
from ...wire import is_array, is_decimal, text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall, number_of
from .access import administered_guild


def mute_guild(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/speak/patch_guild_mute."""
    _mute(platform, call, [ALL_MEMBERS])
    return None


def mute_guild_members(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/speak/patch_guild_mute_multi_member; answers the ids that were muted.

    Without any id the call is `mute_guild`.
    """
    guild = administered_guild(platform, call)
    asked = call.body.get("user_ids")
    ids = asked if is_array(asked) else []
    people = people_of(guild)
    muted = [user_id for user_id in ids if isinstance(user_id, str) and user_id in people]
    _mute(platform, call, muted)
    return {"user_ids": muted}


def mute_guild_member(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/speak/patch_guild_member_mute."""
    user_id = call.params["user_id"]
    if user_id not in people_of(administered_guild(platform, call)):
        raise Refusal(502003, "not a member of the guild")
    _mute(platform, call, [user_id])
    return None


def _mute(platform: Platform, call: EndpointCall, user_ids: list[str]) -> None:
    guild = administered_guild(platform, call)
    until = _end(platform, call)
    platform.guild_states.guild(guild).muted |= dict.fromkeys(user_ids, until)


def _end(platform: Platform, call: EndpointCall) -> float:
    """Return the end of the mute in Unix seconds; a timestamp takes precedence over a duration.

    A timestamp of "0" is none; a duration of "0" ends the mute.
    """
    stamp, duration = text_of(call.body, "mute_end_timestamp"), text_of(call.body, "mute_seconds")
    for name, text in (("mute_end_timestamp", stamp), ("mute_seconds", duration)):
        if text and not is_decimal(text):
            raise Refusal(502005, f"{name} is not a number")
    if end := number_of(stamp):
        return float(end)
    if not duration and not stamp:
        raise Refusal(502005, "neither mute_end_timestamp nor mute_seconds")
    return platform.clock.date().timestamp() + number_of(duration)
