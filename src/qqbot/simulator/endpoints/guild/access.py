"""Look-ups of the guild, channel or member of a call, and the check that the bot may change it."""

from ...platform import Platform
from ...state.guild import people_of
from ...state.world import Conversation, GuildRecord, Person
from ...wire.refusal import Refusal
from ..call import EndpointCall
from ..lookups import find_channel


def find_guild(platform: Platform, call: EndpointCall) -> GuildRecord:
    """Return the guild of a call.  Raises: Refusal 10004."""
    return _guild(platform, call.params["guild_id"])


def guild_of(platform: Platform, channel: Conversation) -> GuildRecord:
    """Return the guild of a channel.  Raises: Refusal 10004."""
    return _guild(platform, channel.guild_id)


def _guild(platform: Platform, guild_id: str) -> GuildRecord:
    found = platform.world.find_guild(guild_id)
    if found is None:
        raise Refusal(10004, "guild unknown")
    return found


def administered_guild(platform: Platform, call: EndpointCall) -> GuildRecord:
    """Return the guild of a call that changes it.  Raises: Refusal 10004, 11282 if the bot is no administrator."""
    guild = find_guild(platform, call)
    _check_admin(guild)
    return guild


def administered_channel(platform: Platform, call: EndpointCall) -> Conversation:
    """Return the channel of a call that changes it.  Raises: Refusal 10003, 11282 if the bot is no administrator."""
    channel = find_channel(platform, call)
    _check_admin(guild_of(platform, channel))
    return channel


def _check_admin(guild: GuildRecord) -> None:
    if not guild.bot_is_admin:
        raise Refusal(11282, "the bot is not an administrator of the guild")


def find_member(guild: GuildRecord, user_id: str) -> Person:
    """Return a member.  Raises: Refusal 10001."""
    if (person := people_of(guild).get(user_id)) is None:
        raise Refusal(10001, "account unknown: not a member of the guild")
    return person
