"""What a gateway session is made of: the answer of /gateway/bot, the shard's name, what a RESUME needs.

Owns the values; how they move is in `gateway` and `sessions`.
"""

import re
from typing import Literal

from msgspec import Struct

from ..errors import ConfigError
from .base import Model


class SessionStartLimit(Struct, frozen=True, kw_only=True):
    """How many sessions may still be created.

    `reset_after` is what the wire says in milliseconds; `reset_seconds` the same in seconds;
    `max_concurrency` sessions may be created in any 5 s.  Source: openapi/wss/shard_url_get
    """

    total: int = 1000
    remaining: int = 1000
    reset_after: float = 0
    max_concurrency: int = 1

    @property
    def reset_seconds(self) -> float:
        """Seconds until `remaining` is `total` again."""
        return self.reset_after / 1000


class GatewayUrl(Model, frozen=True, kw_only=True):
    """The address of the gateway."""

    url: str


class GatewayBot(Model, frozen=True, kw_only=True):
    """The address of the gateway, the recommended number of shards, and the session budget."""

    url: str
    shards: int = 1
    session_start_limit: SessionStartLimit = SessionStartLimit()


class ReadyUser(Model, frozen=True, kw_only=True):
    """Who the bot is, as READY says it."""

    id: str
    username: str = ""
    bot: bool = True


class ReadyData(Model, frozen=True, kw_only=True):
    """What READY carries. Its shard is not to be trusted: the platform's own sample shows [0, 0]."""

    session_id: str
    user: ReadyUser
    version: int = 0


class ShardKey(Struct, frozen=True):
    """Names a shard: `index` of `count`, in generation `gen` (each change of the count is a new one)."""

    gen: int
    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def shard_of(guild_id: str | int, count: int) -> int:
    """Return which of `count` shards is told of a guild; no such rule is known for groups and C2C.

    Raises: ConfigError when the id is no decimal number, or `count` not positive.
    Source: openapi/wss/shard_url_get
    """
    if count < 1:
        raise ConfigError(f"a bot has at least 1 shard, not {count}")
    if not re.fullmatch(r"[0-9]+", str(guild_id)):
        raise ConfigError(f"{guild_id!r} is no guild id: those are decimal numbers, such as '18700000000001'")
    return (int(guild_id) >> 22) % count


class ResumeState(Struct, frozen=True, kw_only=True):
    """What the next owner of a shard needs to RESUME its session.

    `seq` is the low watermark (everything up to it is finished), `done` the finished ranges above it (first
    and last seq of each), `since` and `last_event` seconds of the Unix clock, `me` the bot's own user id.
    """

    session_id: str
    seq: int
    done: tuple[tuple[int, int], ...] = ()
    me: str = ""
    name: str = ""
    since: float = 0.0
    last_event: float = 0.0


class ShardExit(Struct, frozen=True):
    """Why a shard ended by itself: its lease was lost, or the platform wants more shards (code 4011)."""

    cause: Literal["lost", "reshard"]
