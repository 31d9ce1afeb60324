"""What a bot tells about itself, for people and for metrics.

Owns the values; what is measured where is said beside the measuring.
"""

from typing import Literal

from msgspec import Struct

from .gateway import ShardKey

ShardState = Literal["waiting", "connecting", "identifying", "resuming", "live", "draining", "halted"]
"""`waiting`: for the next attempt, a token, a turn or a permit; `draining`: nothing is read, handlers finish."""


class ShardStats(Struct, frozen=True, kw_only=True):
    """One shard of this process, now. Counters start with the process's hold on the shard; times are in seconds.

    `session_age`: since the session began, in whatever process; None: there is none. `received` is the last seq
    received, `watermark` the one below which everything is finished, `lag` what lies between them, `unfinished` how
    many events that are, `ranges` in how many pieces the finished ones above `watermark` lie. `last_event`: how long
    ago the last event came, to a second or so. `round_trip`: from a heartbeat to its answer. `events_per_second`: over
    the last ten seconds. `reconnects`: connections that ended or did not come about, by cause. `last_code`: the close
    code of the last one that ended, None where it had none. `skipped`: frames that were of no use, by kind.
    `repeats`: events that the session had delivered before. `lost_events`: those given up as too large.
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
    often a handler raised. `surprises`: how often which field did not have its documented form. `standing_still`: for
    how many seconds nothing was read, because too many events wait. `loop_lag`: by how many seconds the event loop was
    late at the most, in the last half minute or so.
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
