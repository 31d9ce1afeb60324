"""Endpoints of channel schedules; times are milliseconds as text."""

from ...platform import Platform
from ...wire import JsonObject, identity, object_of, text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall, number_of
from ..lookups import find_channel
from .access import administered_channel, guild_of

_MAX_DURATION = 7 * 86_400_000
_FIELDS = ("name", "description", "start_timestamp", "end_timestamp", "jump_channel_id", "remind_type")


def list_schedules(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/schedule/get_schedules."""
    since = number_of(call.query.get("since", "")) or _now(platform)
    schedules = platform.guild_states.channel(find_channel(platform, call)).schedules.values()
    return [each for each in schedules if int(text_of(each, "end_timestamp")) > since]


def get_schedule(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/schedule/get_schedule."""
    return _find(platform.guild_states.channel(find_channel(platform, call)).schedules, call)


def _find(schedules: dict[str, JsonObject], call: EndpointCall) -> JsonObject:
    if (found := schedules.get(call.params["schedule_id"])) is None:
        raise Refusal(302011, "the schedule does not exist or was deleted")
    return found


def create_schedule(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/schedule/post_schedule."""
    channel = administered_channel(platform, call)
    state = platform.guild_states.guild(guild_of(platform, channel))
    fields = _checked(platform, call)
    if not state.schedules_made.take():
        raise Refusal(302012, "10 schedules a day are the limit")
    creator: JsonObject = {
        "user": {"id": platform.world.bot_id, "username": "bot", "bot": True},
        "nick": "",
        "joined_at": "",
    }
    schedule_id = identity.snowflake("schedule", identity.trace_id())
    made: JsonObject = {"id": schedule_id, **fields, "creator": creator}
    platform.guild_states.channel(channel).schedules[schedule_id] = made
    return made


def modify_schedule(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/schedule/patch_schedule."""
    schedules = platform.guild_states.channel(administered_channel(platform, call)).schedules
    old = _find(schedules, call)
    schedules[call.params["schedule_id"]] = new = old | _checked(platform, call)
    return new


def delete_schedule(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/schedule/delete_schedule."""
    schedules = platform.guild_states.channel(administered_channel(platform, call)).schedules
    _find(schedules, call)
    del schedules[call.params["schedule_id"]]
    return None


def _checked(platform: Platform, call: EndpointCall) -> JsonObject:
    """Return the fields of the schedule in a body.  Raises: Refusal 302000, or a code about the times."""
    asked = object_of(call.body, "schedule")
    start, end = (number_of(text_of(asked, name)) for name in ("start_timestamp", "end_timestamp"))
    jump = text_of(asked, "jump_channel_id")
    if not text_of(asked, "name") or not start or not end:
        raise Refusal(302000, "name, start_timestamp or end_timestamp is missing or not valid")
    if end <= start:
        raise Refusal(302016, "the schedule ends before it starts")
    if end - start > _MAX_DURATION:
        raise Refusal(302014, "the schedule is longer than 7 days")
    if start < _now(platform):
        raise Refusal(302015, "the schedule starts in the past")
    if jump not in ("", "0") and platform.world.find("channel", jump) is None:
        raise Refusal(302024, "the channel to jump to does not exist")
    fields: JsonObject = {name: text_of(asked, name) for name in _FIELDS}
    return fields | {"remind_type": fields["remind_type"] or "0"}


def _now(platform: Platform) -> int:
    return int(platform.clock.date().timestamp() * 1000)
