"""What crosses the seam between intake and logic: an event on its way to another process, and who sent it.

Owns the values; moving them is a sink's and a source's.
"""

from msgspec import MsgspecError, Raw, Struct

from .codec import strict
from .gateway import ShardKey

__all__ = ["Envelope", "Fence", "key_of"]


class Envelope(Struct, frozen=True, kw_only=True):
    """One event as it arrived, to be handled elsewhere: `await bot.handle(envelope)`.

    `id` is the envelope's id on the wire, the same for every delivery of the event; `type` its wire name; `key` names
    what order is kept in (guild, else group, else user, else the event itself); `ts` when it was received, in
    milliseconds of the Unix clock; `raw` the frame, byte for byte. `shard`, `session` and `seq` say where it came from.
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
    """Who publishes: the shard and its owner's token. A later owner has a larger token."""

    shard: ShardKey
    token: int


class _Author(Struct):
    user_openid: str = ""
    id: str = ""


class _Place(Struct):
    """Where an event belongs, as far as its payload says so."""

    id: str = ""
    guild_id: str = ""
    group_openid: str = ""
    openid: str = ""
    user_openid: str = ""
    author: _Author | None = None


_place = strict(_Place)
_GUILD_EVENTS = ("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE")


def key_of(name: str, data: Raw, event_id: str) -> str:
    """Return what an event's order is kept in: its guild, else its group, else its user, else itself."""
    try:
        place = _place(data)
    except (MsgspecError, ValueError):  # the payload is the worker's to judge
        return event_id
    guild = place.id if name in _GUILD_EVENTS else place.guild_id
    author = place.author or _Author()
    user = place.user_openid or place.openid or author.user_openid or author.id
    return guild or place.group_openid or user or event_id
