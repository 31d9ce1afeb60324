"""`Throttle`: at most one warning of a kind in so many seconds.

Responsible for the memory of what was let through last. Collaborators: `clock`. It logs nothing itself.
"""

from collections.abc import Hashable

from .clock import Clock, steady

WARN_EVERY_SECONDS = 60.0


class Throttle:
    """Lets the first of a kind through, then at most one in `seconds`."""

    def __init__(self, seconds: float = WARN_EVERY_SECONDS, *, clock: Clock = steady) -> None:
        self._seconds = seconds
        self._clock = clock
        self._passed: dict[Hashable, float] = {}  # when each kind was let through last

    def ready(self, kind: Hashable = None) -> bool:
        """Return True if this `kind` was not let through in the last `seconds`; then it is now. Kinds must be few."""
        now = self._clock()
        last = self._passed.get(kind)
        if last is not None and now - last < self._seconds:
            return False
        self._passed[kind] = now
        return True

    def reset(self) -> None:
        """Forget what was let through: what was wrong has passed, so the next warning is a new one."""
        self._passed.clear()
