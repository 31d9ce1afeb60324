"""An event on its way from the intake process to a logic process, and the process that sends it.

Responsible for the values, and for the partition of an event. Collaborators: sinks and sources in `qqbot.ingest`.
"""

import zlib

from msgspec import MsgspecError, Raw, Struct

from ..errors import ConfigError
from .codec import strict
from .gateway import ShardKey

__all__ = ["Envelope", "Fence", "Received", "check_partitions", "key_of", "partition_of"]

PARTITIONS = 16
"""How many partitions the events of a bot have, unless another number is asked for."""

MOST_PARTITIONS = 1024


class Envelope(Struct, frozen=True, kw_only=True):
    """One event as it arrived, to be handled elsewhere: `await bot.handle(envelope)`.

    `id` is the envelope's id on the wire, the same for every delivery of the event; `type` its wire name; `key` the
    ordering key (channel, else guild, else group, else user, else the event itself): a broker keeps the order of events
    with the same key; `ts` the time of its arrival in milliseconds of the Unix clock; `raw` the unchanged frame.
    `shard`, `session` and `seq` are its origin: None, '' and 0 for an event that came by webhook. `app_id`: the bot
    that it is for, '' if that is not known. `headers`: what accompanies it, such as the W3C trace context. `again`: it
    may be stored twice, because an earlier process or an earlier attempt may have stored it too.
    """

    id: str
    type: str
    shard: int | None
    session: str
    seq: int
    key: str
    ts: int
    raw: bytes
    app_id: str = ""
    headers: dict[str, str] = {}
    again: bool = False


class Fence(Struct, frozen=True):
    """The publisher: a shard, and the fencing token of its owner. A later owner has a larger token.

    `shard` None, with the token 0: events that came by webhook, which have no owner.
    """

    shard: ShardKey | None
    token: int


class Received(Struct, eq=False):
    """One envelope from a source. `place`: its position there, for the source alone.

    `deliveries`: how often it was delivered, this time included; more than 1: a worker before may have begun it.
    """

    envelope: Envelope
    place: object
    deliveries: int = 1


class _Author(Struct):
    user_openid: str = ""
    id: str = ""


class _Place(Struct):
    """The fields of a payload that decide where an event belongs."""

    id: str = ""
    guild_id: str = ""
    channel_id: str = ""
    group_openid: str = ""
    openid: str = ""
    user_openid: str = ""
    author: _Author | None = None


_place = strict(_Place)
_GUILD_EVENTS = ("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE")
_CHANNEL_EVENTS = ("CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE")
_PRIVATE = "DIRECT_MESSAGE"  # the guild of such a chat is the chat itself


def key_of(name: str, data: Raw, event_id: str) -> str:
    """Return the ordering key of an event: its channel, else its guild, group or user, else its id."""
    try:
        place = _place(data)
    except (MsgspecError, ValueError, RecursionError):  # the worker reports an unusable payload
        return event_id
    guild = place.id if name in _GUILD_EVENTS else place.guild_id
    channel = place.id if name in _CHANNEL_EVENTS else "" if name.startswith(_PRIVATE) else place.channel_id
    author = place.author or _Author()
    user = place.user_openid or place.openid or author.user_openid or author.id
    return channel or guild or place.group_openid or user or event_id


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of an ordering key; the same in every process and release."""
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % partitions


def check_partitions(partitions: int) -> None:
    """Check a number of partitions.  Raises: ConfigError."""
    if not 1 <= partitions <= MOST_PARTITIONS:
        raise ConfigError(
            f"partitions must be from 1 to {MOST_PARTITIONS}. partitions 应在 1 到 {MOST_PARTITIONS} 之间"
        )
