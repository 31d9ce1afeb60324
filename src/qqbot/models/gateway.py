"""The values of a gateway session: the answer of /gateway/bot, the key of a shard, what a RESUME needs.

Responsible for the values; `gateway` and `sessions` use them.
"""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ..errors import ConfigError
from .base import Finite, Model

MAX_SEQ = (1 << 53) - 1
"""The largest seq; above it JSON numbers are not exact."""

MAX_SHARDS = 100_000
"""More are taken for a mistake of what answers: each is a connection."""

DAY = 86_400.0
"""Seconds after which the platform renews the session budget."""


class SessionStartLimit(Struct, frozen=True, kw_only=True):
    """How many sessions can still be created.

    `reset_after` is in milliseconds, as on the wire; `reset_seconds` is in seconds. At most `max_concurrency` sessions
    can be created in any 5 s.  Source: openapi/wss/shard_url_get
    """

    total: Annotated[int, Meta(ge=-MAX_SEQ, le=MAX_SEQ)] = 1000
    remaining: Annotated[int, Meta(ge=-MAX_SEQ, le=MAX_SEQ)] = 1000
    reset_after: Finite = 0
    max_concurrency: Annotated[int, Meta(le=MAX_SHARDS)] = 1

    @property
    def reset_seconds(self) -> float:
        """Seconds until `remaining` is `total` again: a day at most."""
        return min(self.reset_after / 1000, DAY)


class GatewayUrl(Model, frozen=True, kw_only=True):
    """The address of the gateway."""

    url: str


class GatewayBot(Model, frozen=True, kw_only=True):
    """The address of the gateway, the recommended number of shards, and the session budget."""

    url: str
    shards: Annotated[int, Meta(le=MAX_SHARDS)] = 1
    session_start_limit: SessionStartLimit = SessionStartLimit()


class ReadyUser(Model, frozen=True, kw_only=True):
    """The bot's own user, as in READY."""

    id: str
    username: str = ""
    bot: bool = True


class ReadyData(Model, frozen=True, kw_only=True):
    """The payload of READY. It omits the shard, which is unreliable: the platform's own sample shows [0, 0]."""

    session_id: str
    user: ReadyUser
    version: int = 0


class ShardKey(Struct, frozen=True):
    """Identifies a shard: `index` of `count` in generation `gen`; each change of the count is a new generation."""

    gen: int
    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def shard_of(guild_id: str | int, count: int) -> int:
    """Return which of `count` shards gets the events of a guild; no rule is known for groups and C2C.

    Raises: ConfigError if the id is not a decimal number, or `count` not positive.
    Source: openapi/wss/shard_url_get
    """
    if count < 1:
        raise ConfigError(f"a bot has at least 1 shard, not {count}")
    if not re.fullmatch(r"[0-9]+", str(guild_id)):
        raise ConfigError(f"{guild_id!r} is not a guild id: those are decimal numbers, such as '18700000000001'")
    return (int(guild_id) >> 22) % count


class ResumeState(Struct, frozen=True, kw_only=True):
    """What the next owner of a shard needs to RESUME its session.

    `seq` is the low watermark (all events up to it are finished), `done` the finished ranges above it (first and last
    seq of each, ascending), `received` the last seq received. `intents` are those of the IDENTIFY (0: unknown), `me`
    and `name` the bot's own user. `since` (begin of the session) and `last_event` are seconds of the Unix clock (0.0:
    unknown), `heartbeat` the last round trip of a heartbeat in seconds.

    Raises: ValueError for seqs that no session can have: an event that is skipped by mistake would be lost.
    """

    session_id: str
    seq: int
    done: tuple[tuple[int, int], ...] = ()
    received: int = 0
    intents: int = 0
    me: str = ""
    name: str = ""
    since: float = 0.0
    last_event: float = 0.0
    heartbeat: float = 0.0

    def __post_init__(self) -> None:
        if not self.session_id or not 0 <= self.seq <= MAX_SEQ:
            raise ValueError(f"no session has the id {self.session_id!r} and the seq {self.seq}")
        end = self.seq
        for first, last in self.done:
            if not end < first <= last <= MAX_SEQ:
                raise ValueError(f"the finished range {first}-{last} does not lie above {end}")
            end = last


class ShardExit(Struct, frozen=True):
    """The reason why a shard ended by itself: its lease was lost, or the platform wants more shards (code 4011)."""

    cause: Literal["lost", "reshard"]
