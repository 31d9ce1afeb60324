"""Business time of the platform: reply windows, token lifetimes, quotas, media lifetimes.

Responsible for a clock that follows the monotonic clock and that a test can move forward. Liveness of sockets and
pacing of identifies use real time, not this clock.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone

_BEIJING = timezone(timedelta(hours=8))

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
LONGEST_STEP = 3650 * DAY  # seconds; a date far beyond this cannot be represented


class Clock:
    """Clock in seconds that follows real time and jumps forward with `advance`."""

    def __init__(self) -> None:
        # Seconds that `advance` has added to real time.
        self._ahead = 0.0
        self._started = time.monotonic()
        self._started_at = datetime.now(UTC)
        self._listeners: list[Callable[[], None]] = []
        self._waits: list[Callable[[float], Awaitable[None]]] = []

    def now(self) -> float:
        """Return the time in seconds; only differences are meaningful."""
        return time.monotonic() + self._ahead

    async def advance(
        self, *, seconds: float = 0.0, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0
    ) -> None:
        """Move forward, then let the other tasks of the loop run once.

        Raises: ValueError for a negative time or one longer than 10 years.
        """
        step = seconds + MINUTE * minutes + HOUR * hours + DAY * days
        if not 0 <= step <= LONGEST_STEP:
            raise ValueError("the clock only goes forward, and 10 years at most")
        self._ahead += step
        for listener in self._listeners:
            listener()
        await asyncio.sleep(0)
        for wait in self._waits:
            await wait(step)

    def on_advance(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each step forward."""
        self._listeners.append(listener)

    def await_on_advance(self, wait: Callable[[float], Awaitable[None]]) -> None:
        """Await `wait` with the seconds of each step forward, before `advance` returns."""
        self._waits.append(wait)

    def document(self) -> dict[str, object]:
        """Return the time as the page reads it: now, and the seconds by which it was moved forward."""
        return {"now": self.now(), "ahead": self._ahead, "time": self.timestamp()}

    def date(self) -> datetime:
        """Return the date and time that the platform writes into messages, in +08:00."""
        return (self._started_at + timedelta(seconds=self.now() - self._started)).astimezone(_BEIJING)

    def timestamp(self) -> str:
        """Return `date()` as RFC 3339 text, whole seconds."""
        return self.date().isoformat(timespec="seconds")
