"""State of guilds and channels: roles, permissions, mutes, pins, schedules, threads, reactions.

Responsible for the state only. Collaborators: `world` (conversations and members), `endpoints.guild.access` (whether
the bot may change it).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..wire import JsonObject
from .bounded import Bounded
from .budget import DayLimit
from .clock import Clock
from .world import MAX_GUILDS, Conversation, GuildRecord, Person

_MAX_CHANNELS = 5000
_MAX_THREADS = 1000  # of one channel
_MAX_REACTIONS = 5000  # of one channel

ALL_MEMBERS = ""
"""Key of `GuildState.muted` for a mute of all members except administrators."""

EVERYONE, ADMIN, OWNER, CHANNEL_ADMIN = "1", "2", "4", "5"
DEMANDS = 3
"""Permission demands per guild and day."""

SCHEDULES = 10
"""Schedules that can be created per guild and day."""

_ROLE_OF = {"admin": ADMIN, "owner": OWNER}


def people_of(guild: GuildRecord) -> dict[str, Person]:
    """Return the members of a guild by user id, in ascending order of the ids."""
    people = {person.id: person for channel in guild.channels.values() for person in channel.people.values()}
    return dict(sorted(people.items(), key=lambda item: int(item[0])))


@dataclass(slots=True)
class GuildState:
    """State of one guild.

    `demands`, `schedules_made`: daily limits on permission demands and on new schedules. `roles`: custom roles by id;
    `members`: user ids by role id. `muted`: end of each mute in Unix seconds, by user id or `ALL_MEMBERS`.
    """

    demands: DayLimit
    schedules_made: DayLimit
    roles: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    members: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    muted: dict[str, float] = field(default_factory=dict[str, float])
    announces: JsonObject | None = None


@dataclass(slots=True)
class ChannelState:
    """State of one channel.

    `fields`: channel fields that calls have set, in wire form. `changes`: permission bits by
    ("members" or "roles", id). `reactions`: user ids by (message id, emoji type, emoji id). `audio`: `audio_url` and
    `text` of the last start.
    """

    fields: JsonObject = field(default_factory=dict[str, object])
    changes: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    announces: JsonObject | None = None
    pins: list[str] = field(default_factory=list[str])
    schedules: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    threads: dict[str, JsonObject] = field(default_factory=lambda: Bounded[str, JsonObject](_MAX_THREADS))
    reactions: dict[tuple[str, str, str], list[str]] = field(
        default_factory=lambda: Bounded[tuple[str, str, str], list[str]](_MAX_REACTIONS)
    )
    audio: JsonObject = field(default_factory=dict[str, object])


class GuildStates:
    """State of all guilds and channels; an entry is created on first use."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._guilds: dict[str, GuildState] = Bounded(MAX_GUILDS)
        self._channels: dict[str, ChannelState] = Bounded(_MAX_CHANNELS)

    def guild(self, guild: GuildRecord) -> GuildState:
        """Return the state of a guild."""
        if guild.id not in self._guilds:
            limits = DayLimit(self._clock, DEMANDS), DayLimit(self._clock, SCHEDULES)
            self._guilds[guild.id] = GuildState(*limits)
        return self._guilds[guild.id]

    def channel(self, channel: Conversation) -> ChannelState:
        """Return the state of a channel."""
        return self._channels.setdefault(channel.id, ChannelState())

    def roles_of(self, guild: GuildRecord, person: Person) -> Iterator[str]:
        """Yield the ids of a member's roles."""
        if (built_in := _ROLE_OF.get(person.role)) is not None:
            yield built_in
        yield from (role for role, members in self.guild(guild).members.items() if person.id in members)

    def member_document(self, guild: GuildRecord, person: Person) -> JsonObject:
        """Return a member in wire form."""
        return {
            "user": {"id": person.id, "username": person.name, "avatar": "", "bot": False},
            "nick": person.name,
            "roles": list(self.roles_of(guild, person)) or [EVERYONE],
            "joined_at": person.joined_at,
            "mute": self._is_muted(guild, person),
        }

    def _is_muted(self, guild: GuildRecord, person: Person) -> bool:
        muted = self.guild(guild).muted
        with_all = muted.get(ALL_MEMBERS, 0.0) if person.role == "member" else 0.0
        return max(muted.get(person.id, 0.0), with_all) > self._clock.date().timestamp()
