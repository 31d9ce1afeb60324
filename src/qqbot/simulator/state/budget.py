"""Limits on identifies, on daily volumes and on calls per minute.

Responsible for the counters only. Pacing of identifies runs on real time, everything else on business time.
Collaborators: `gateway.service` counts identifies, the endpoints and `rates` count calls.

Source: openapi/wss/shard_url_get.
"""

import time
from collections import deque

from ..wire import JsonObject
from .clock import DAY, Clock

# Seconds of tolerance: two frames that are sent 5 s apart can arrive slightly closer together.
_ARRIVAL_JITTER = 0.1


class IdentifyBudget:
    """The session_start_limit, enforced.

    `window`: seconds in which at most `max_concurrency` identifies may arrive.
    """

    def __init__(self, clock: Clock, *, total: int, max_concurrency: int, window: float) -> None:
        self._clock = clock
        # Real time at which each identify of the current window arrived.
        self._arrivals: deque[float] = deque()
        # Business time at which `remaining` becomes `total` again.
        self._resets_at = clock.now() + DAY
        self.total = total
        self.remaining = total
        self.max_concurrency = max_concurrency
        self.window = window

    def limit(
        self, total: int | None, remaining: int | None, reset_after: float | None, max_concurrency: int | None
    ) -> None:
        """Replace the values that are not None; `reset_after` in seconds."""
        self.total = self.total if total is None else total
        self.remaining = self.remaining if remaining is None else remaining
        self.max_concurrency = max_concurrency or self.max_concurrency
        if reset_after is not None:
            self._resets_at = self._clock.now() + reset_after

    def take(self) -> str | None:
        """Count one identify; return the rule that it violates, or None."""
        self._renew()
        now = time.monotonic()
        while self._arrivals and now - self._arrivals[0] > self.window - _ARRIVAL_JITTER:
            self._arrivals.popleft()
        self._arrivals.append(now)
        if len(self._arrivals) > self.max_concurrency:
            return (
                f"{len(self._arrivals)} identifies within {self.window:g} s, max_concurrency is {self.max_concurrency}"
            )
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
    """At most `most` units per day, in business time; a day begins with its first use. Tests may change `most`."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._used = 0
        # Business time at which the current day ends and `_used` becomes 0 again.
        self._resets_at = 0.0
        self.most = most

    def take(self, amount: int = 1) -> bool:
        """Use `amount` units and return True; return False and use nothing if fewer are left."""
        now = self._clock.now()
        if now >= self._resets_at:
            self._used, self._resets_at = 0, now + DAY
        if self._used + amount > self.most:
            return False
        self._used += amount
        return True


class CallLimit:
    """Token bucket of `burst` calls that refills at `per_minute`, in business time."""

    def __init__(self, clock: Clock, *, per_minute: float, burst: int) -> None:
        self._clock = clock
        self._rate = per_minute / 60
        self._burst = burst
        # Tokens that were left at `_updated_at`; the refill since then is added on the next call.
        self._level = float(burst)
        self._updated_at = clock.now()

    def take(self) -> float:
        """Count one call and return 0 if it is allowed; otherwise return the seconds until one is."""
        now = self._clock.now()
        self._level = min(self._burst, self._level + (now - self._updated_at) * self._rate)
        self._updated_at = now
        if self._level < 1:
            return (1 - self._level) / self._rate
        self._level -= 1
        return 0.0
