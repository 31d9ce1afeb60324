"""The statistics of a bot and its shards, for people and for metrics.

Responsible for the values; the gateway, the dispatcher and `bot.health` measure them.
"""

from typing import Literal

from msgspec import Struct

from .gateway import ShardKey

ShardState = Literal["waiting", "connecting", "identifying", "resuming", "live", "draining", "halted"]
"""`waiting`: for the next attempt, a token, a turn or a permit; `draining`: reads nothing, handlers finish."""


class ShardStats(Struct, frozen=True, kw_only=True):
    """One shard of this process, now. Counters start when the process begins to own the shard; times are in seconds.

    `session_age`: since the session began, in any process; None if there is no session. `received`: the last seq
    received. `watermark`: the seq up to which all events are finished. `lag`: the difference of the two. `unfinished`:
    the number of unfinished events. `ranges`: the number of finished ranges above `watermark`. `last_event`: since the
    last event, to about a second. `round_trip`: from a heartbeat to its answer. `events_per_second`: over the last ten
    seconds. `reconnects`: connections that ended or failed, by cause. `last_code`: the close code of the last
    connection that ended, None if it had none. `skipped`: unusable frames, by kind. `repeats`: duplicates that the
    session had delivered before. `lost_events`: events that were given up because they are too large.
    """

    shard: ShardKey
    state: ShardState
    session_age: float | None = None
    received: int = 0
    watermark: int = 0
    lag: int = 0
    unfinished: int = 0
    ranges: int = 0
    events: int = 0
    events_per_second: float = 0.0
    last_event: float | None = None
    round_trip: float | None = None
    identifies: int = 0
    resumes: int = 0
    reconnects: dict[str, int] = {}
    last_code: int | None = None
    skipped: dict[str, int] = {}
    repeats: int = 0
    lost_events: int = 0


class BotStats(Struct, frozen=True, kw_only=True):
    """A bot in this process, now.

    `inflight`: handlers that run, at most `max_inflight`; `waiting`: those suspended in `wait_for`; `queued`: events
    that wait for their turn, with frames of `queued_bytes` together; `workers`: tasks that run handlers. `failed`: how
    often a handler raised. `surprises`: how often each field did not have its documented form. `standing_still`:
    seconds since reading stopped because too many events wait. `loop_lag`: the largest delay of the event loop in about
    the last half minute, in seconds. `troubles`: background tasks of the bot that fail or have ended, and why.
    `published`: events that the sink has stored; `publish_failures`: calls of the sink that raised. `lag`: events of
    the sources that this process reads, stored and not finished; `retries`: runs after a failure; `dead_letters`:
    events given up after the last attempt; `expired`: events dropped because of their age.
    """

    shards: tuple[ShardStats, ...] = ()
    inflight: int = 0
    max_inflight: int = 0
    queued: int = 0
    queued_bytes: int = 0
    waiting: int = 0
    workers: int = 0
    failed: int = 0
    surprises: dict[str, int] = {}
    standing_still: float = 0.0
    loop_lag: float = 0.0
    troubles: dict[str, str] = {}
    published: int = 0
    publish_failures: int = 0
    lag: int = 0
    retries: int = 0
    dead_letters: int = 0
    expired: int = 0
