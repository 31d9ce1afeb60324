"""When an IDENTIFY may be sent: the rate (max_concurrency in any window) and the daily budget.

Responsible for the arithmetic only. It is pure: `now` is in seconds of a clock that only goes forward. It does not
wait: the managers do.
"""

from collections import deque

WINDOW_SECONDS = 5.0
PERMIT_SECONDS = 0.5


class IdentifyPacer:
    """Spaces permits so that no window of `window` seconds has more than `concurrency` IDENTIFYs.

    A permit taken at t can be used until t + `life` seconds. Therefore a permit and the one `concurrency` places later
    are at least `window` + `life` seconds apart.  Source: openapi/wss/shard_url_get
    """

    def __init__(self, concurrency: int, *, window: float = WINDOW_SECONDS, life: float = PERMIT_SECONDS) -> None:
        self.life = life
        self._spacing = window + life
        self._taken: deque[float] = deque(maxlen=max(concurrency, 1))  # when; only the last of them constrain

    def ready_at(self, now: float) -> float:
        """Return when the next permit may be taken; `now` or earlier means at once."""
        return self._taken[0] + self._spacing if len(self._taken) == self._taken.maxlen else now

    def take(self, now: float) -> float:
        """Take a permit; return the moment until which it may be used.  Raises: ValueError before `ready_at`."""
        if now < self.ready_at(now):
            raise ValueError(f"the next permit is due {self.ready_at(now) - now:.3f} s later")
        self._taken.append(now)
        return now + self.life

    def resize(self, concurrency: int) -> None:
        """Continue with another `concurrency`; permits taken before still count."""
        self._taken = deque(self._taken, maxlen=max(concurrency, 1))


class Budget:
    """The number of sessions that may still be created until the platform renews the allowance."""

    def __init__(self, total: int, remaining: int, reset_after: float, now: float) -> None:
        """Start from the answer of the platform at `now`; `reset_after` in seconds."""
        self.remaining = remaining
        self._total = max(total, 1)  # an allowance of 0 must not count as enough for every need
        self._reset_at = now + max(reset_after, 0.0)

    def covers(self, needed: int) -> bool:
        """True if `needed` sessions (at most the whole allowance) may be created."""
        return self.remaining >= min(needed, self._total)

    def renewed_in(self, now: float) -> float:
        """Return the seconds until the platform renews the allowance."""
        return max(self._reset_at - now, 0.0)

    def spend(self) -> None:
        """Count one session."""
        self.remaining -= 1
