"""An event on its way from the intake process to a logic process, and the process that sends it.

Responsible for the values. Collaborators: sinks and sources in `qqbot.ingest` move them.
"""

from msgspec import MsgspecError, Raw, Struct

from .codec import strict
from .gateway import ShardKey

__all__ = ["Envelope", "Fence", "key_of"]


class Envelope(Struct, frozen=True, kw_only=True):
    """One event as it arrived, to be handled elsewhere: `await bot.handle(envelope)`.

    `id` is the envelope's id on the wire, the same for every delivery of the event; `type` its wire name; `key` the
    ordering key (guild, else group, else user, else the event itself); `ts` the time of its arrival in milliseconds of
    the Unix clock; `raw` the unchanged frame. `shard`, `session` and `seq` are its origin.
    """

    id: str
    type: str
    shard: int
    session: str
    seq: int
    key: str
    ts: int
    raw: bytes


class Fence(Struct, frozen=True):
    """The publisher: a shard, and the fencing token of its owner. A later owner has a larger token."""

    shard: ShardKey
    token: int


class _Author(Struct):
    user_openid: str = ""
    id: str = ""


class _Place(Struct):
    """The fields of a payload that decide where an event belongs."""

    id: str = ""
    guild_id: str = ""
    group_openid: str = ""
    openid: str = ""
    user_openid: str = ""
    author: _Author | None = None


_place = strict(_Place)
_GUILD_EVENTS = ("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE")


def key_of(name: str, data: Raw, event_id: str) -> str:
    """Return the ordering key of an event: its guild, else its group, else its user, else its id."""
    try:
        place = _place(data)
    except (MsgspecError, ValueError, RecursionError):  # the worker reports an unusable payload
        return event_id
    guild = place.id if name in _GUILD_EVENTS else place.guild_id
    author = place.author or _Author()
    user = place.user_openid or place.openid or author.user_openid or author.id
    return guild or place.group_openid or user or event_id
