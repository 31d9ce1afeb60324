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
    """Source: server-inter/channel/speak/patch_guild_mute_multi_member; answers the ids that were muted."""
    guild = administered_guild(platform, call)
    asked = call.body.get("user_ids")
    ids = asked if is_array(asked) else []
    if not ids:
        raise Refusal(502004, "user_ids is empty")
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
    """Return the end of the mute in Unix seconds; a timestamp takes precedence over a duration."""
    for name, start in (("mute_end_timestamp", 0.0), ("mute_seconds", platform.clock.date().timestamp())):
        if text := text_of(call.body, name):
            if not is_decimal(text):
                raise Refusal(502005, f"{name} is not a number")
            return start + number_of(text)
    raise Refusal(502005, "neither mute_end_timestamp nor mute_seconds")
