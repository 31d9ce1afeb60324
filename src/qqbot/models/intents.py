"""Intents: the events that a bot requests from the gateway.

Responsible for the bits, and for which event needs which; `events` registers each event here.
"""

from enum import IntFlag
from typing import Self


class Intents(IntFlag):
    """The bits of IDENTIFY.  Source: dev-prepare/interface-framework/event-emit"""

    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_MESSAGES = 1 << 9
    GUILD_MESSAGE_REACTIONS = 1 << 10
    DIRECT_MESSAGE = 1 << 12
    OPEN_FORUM_EVENT = 1 << 18
    AUDIO_OR_LIVE_CHANNEL_MEMBER = 1 << 19
    ENTER_AIO = 1 << 23
    GROUP_MEMBER_EVENT = 1 << 24
    GROUP_AND_C2C_EVENT = 1 << 25
    INTERACTION = 1 << 26
    MESSAGE_AUDIT = 1 << 27
    FORUMS_EVENT = 1 << 28
    AUDIO_ACTION = 1 << 29
    PUBLIC_GUILD_MESSAGES = 1 << 30

    @classmethod
    def of(cls, *events: type | str) -> Self:
        """Return the bits that these event classes, base classes or wire names need.

        A base class needs the bits of its events; bits for private bots only count if it has no others. `Event`,
        `UnknownEvent` and names without a class need none.
        """
        needed = cls(0)
        for event in events:
            of_family = _needed_by_family.get(event, Intents(0))
            needed |= _needed.get(event, Intents(0)) | (of_family & ~PRIVATE_ONLY or of_family)
        return needed


PRIVATE_ONLY = Intents.GUILD_MESSAGES | Intents.FORUMS_EVENT
"""The platform closes the connection of a public bot that requests these."""

_needed: dict[object, Intents] = {}
_needed_by_family: dict[object, Intents] = {}


def enter(intents: Intents, event: type, names: tuple[str, ...], bases: tuple[type, ...]) -> None:
    """Record that `event`, its `names` and its `bases` need `intents`."""
    for key in (event, *names):
        _needed[key] = intents
    for base in bases:
        _needed_by_family[base] = _needed_by_family.get(base, Intents(0)) | intents
