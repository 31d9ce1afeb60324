"""`Limits`: how long calls have to wait after the platform answered "too fast".

Responsible for the pauses, one for each (route, target). Pure: `now` is an argument, in seconds of a monotonic clock.
It does not sleep; `caller` does.
"""

CAPACITY = 4096  # pauses; far more than one process can run into at once
LONGEST = 300.0  # seconds of one pause; after a longer one the platform can refuse a single call again


class Limits:
    """Pauses that the platform imposed."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}  # when each pause ends; an ended one may still be listed

    def pause(self, key: tuple[str, str], seconds: float, now: float) -> None:
        """Delay all calls of `key` until `seconds` after `now`, at most `LONGEST`; a pause is never shortened.

        Of more than `CAPACITY` pauses those that end first are forgotten.
        """
        if len(self._until) >= CAPACITY and key not in self._until:
            latest = sorted(self._until.items(), key=lambda pause: pause[1])[CAPACITY // 2 :]
            self._until = {k: until for k, until in latest if until > now}
        self._until[key] = max(self._until.get(key, 0.0), now + min(seconds, LONGEST))

    def wait(self, key: tuple[str, str], now: float) -> float:
        """Return how many seconds a call of `key` still has to wait; 0 if it may start now."""
        if not self._until or key not in self._until:
            return 0.0
        left = self._until[key] - now
        if left <= 0:
            del self._until[key]
            return 0.0
        return left
