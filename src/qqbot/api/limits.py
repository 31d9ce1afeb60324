"""Waiting out "too fast": who was told to wait, per (route, target), and until when.

Pure: `now` is an argument, in seconds of a monotonic clock. Sleeping is the caller's.
"""

CAPACITY = 4096  # keys with a running pause; far more than one process can earn


class Limits:
    """Pauses that the platform imposed."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}

    def pause(self, key: tuple[str, str], seconds: float, now: float) -> None:
        """Hold back all calls of `key` for `seconds` from `now`; a pause is never cut short."""
        if len(self._until) >= CAPACITY:
            self._until = {k: until for k, until in self._until.items() if until > now}
        self._until[key] = max(self._until.get(key, 0.0), now + seconds)

    def wait(self, key: tuple[str, str], now: float) -> float:
        """Return the seconds that a call of `key` still has to wait, 0 when it may go."""
        if not self._until or key not in self._until:
            return 0.0
        left = self._until[key] - now
        if left <= 0:
            del self._until[key]
            return 0.0
        return left
