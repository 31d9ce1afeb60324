"""When an IDENTIFY may be sent: the rate (max_concurrency in any window) and the daily budget.

Owns the arithmetic only; pure: `now` is seconds of a clock that only goes forward. Waiting is the manager's.
"""

from collections import deque

WINDOW_SECONDS = 5.0
PERMIT_SECONDS = 0.5


class IdentifyPacer:
    """Spaces permits so that no window of `window` seconds holds more than `concurrency` IDENTIFYs.

    A permit taken at t is good until t + `life` seconds, so permits that far apart in number are at least
    `window` + `life` seconds apart in time.  Source: openapi/wss/shard_url_get
    """

    def __init__(self, concurrency: int, *, window: float = WINDOW_SECONDS, life: float = PERMIT_SECONDS) -> None:
        self.life = life
        self._spacing = window + life
        self._taken: deque[float] = deque(maxlen=max(concurrency, 1))

    def ready_at(self, now: float) -> float:
        """Return when the next permit may be taken; `now` or earlier: at once."""
        return self._taken[0] + self._spacing if len(self._taken) == self._taken.maxlen else now

    def take(self, now: float) -> float:
        """Take a permit; return until when it may be used.  Raises: ValueError before `ready_at`."""
        if now < self.ready_at(now):
            raise ValueError(f"the next permit is due {self.ready_at(now) - now:.3f} s later")
        self._taken.append(now)
        return now + self.life

    def resize(self, concurrency: int) -> None:
        """Go on with another `concurrency`; what was taken still counts."""
        self._taken = deque(self._taken, maxlen=max(concurrency, 1))


class Budget:
    """How many sessions may still be created until the platform renews the allowance."""

    def __init__(self, total: int, remaining: int, reset_after: float, now: float) -> None:
        """Note what the platform said at `now`; `reset_after` in seconds."""
        self.remaining = remaining
        self._total = max(total, 1)
        self._reset_at = now + max(reset_after, 0.0)

    def covers(self, needed: int) -> bool:
        """Whether `needed` sessions (at most the whole allowance) may be created."""
        return self.remaining >= min(needed, self._total)

    def renewed_in(self, now: float) -> float:
        """Return in how many seconds the platform renews the allowance."""
        return max(self._reset_at - now, 0.0)

    def spend(self) -> None:
        """Count one session."""
        self.remaining -= 1
