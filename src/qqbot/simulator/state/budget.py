"""How often a bot may identify: so many at once, so many a day; and the limits of a day and a minute on other things.

Pacing is real time, everything else business time. Source: openapi/wss/shard_url_get.
"""

import time
from collections import deque

from ..wire import JsonObject
from .clock import DAY, Clock

# Two frames sent 5 s apart can arrive a little closer together.
_ARRIVAL_JITTER = 0.1


class IdentifyBudget:
    """The session_start_limit, enforced.

    `window`: seconds in which at most `max_concurrency` identifies may arrive.
    """

    def __init__(self, clock: Clock, *, total: int, max_concurrency: int, window: float) -> None:
        self._clock = clock
        self._recent: deque[float] = deque()
        self._resets_at = clock.now() + DAY
        self.total = total
        self.remaining = total
        self.max_concurrency = max_concurrency
        self.window = window

    def limit(
        self, total: int | None, remaining: int | None, reset_after: float | None, max_concurrency: int | None
    ) -> None:
        """Set what is given; `reset_after` in seconds."""
        self.total = self.total if total is None else total
        self.remaining = self.remaining if remaining is None else remaining
        self.max_concurrency = max_concurrency or self.max_concurrency
        if reset_after is not None:
            self._resets_at = self._clock.now() + reset_after

    def take(self) -> str | None:
        """Count one identify; return what it violates, or None."""
        self._renew()
        now = time.monotonic()
        while self._recent and now - self._recent[0] > self.window - _ARRIVAL_JITTER:
            self._recent.popleft()
        self._recent.append(now)
        if len(self._recent) > self.max_concurrency:
            return f"{len(self._recent)} identifies within {self.window:g} s, max_concurrency is {self.max_concurrency}"
        if self.remaining <= 0:
            return f"identify beyond the daily budget of {self.total}"
        self.remaining -= 1
        return None

    def document(self) -> JsonObject:
        """Return the session_start_limit of /gateway/bot."""
        self._renew()
        return {
            "total": self.total,
            "remaining": self.remaining,
            "reset_after": max(0, int(1000 * (self._resets_at - self._clock.now()))),
            "max_concurrency": self.max_concurrency,
        }

    def _renew(self) -> None:
        if (now := self._clock.now()) >= self._resets_at:
            self.remaining = self.total
            self._resets_at = now + DAY


class DayLimit:
    """So much a day, in business time; the day begins with its first use. `most` may be changed."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._used = 0
        self._ends = 0.0
        self.most = most

    def take(self, amount: int = 1) -> bool:
        """Use some of it; return whether there was so much left, else nothing is used."""
        now = self._clock.now()
        if now >= self._ends:
            self._used, self._ends = 0, now + DAY
        if self._used + amount > self.most:
            return False
        self._used += amount
        return True


class CallLimit:
    """A bucket of `burst` calls that fills again at `per_minute`, in business time."""

    def __init__(self, clock: Clock, *, per_minute: float, burst: int) -> None:
        self._clock = clock
        self._rate = per_minute / 60
        self._burst = burst
        self._level = float(burst)
        self._then = clock.now()

    def take(self) -> float:
        """Count one call where it is allowed, and return 0; else return the seconds until one is."""
        now = self._clock.now()
        self._level = min(self._burst, self._level + (now - self._then) * self._rate)
        self._then = now
        if self._level < 1:
            return (1 - self._level) / self._rate
        self._level -= 1
        return 0.0
