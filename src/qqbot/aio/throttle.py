"""`Throttle`: at most one warning of a kind in so many seconds.

Responsible for the memory of what was let through last. Collaborators: `clock`. It logs nothing itself.
"""

from collections.abc import Hashable

from .clock import Clock, steady

WARN_EVERY_SECONDS = 60.0
KINDS = 1024  # remembered; more would only use memory


class Throttle:
    """Lets the first of a kind through, then at most one in `seconds`."""

    def __init__(self, seconds: float = WARN_EVERY_SECONDS, *, clock: Clock = steady) -> None:
        self._seconds = seconds
        self._clock = clock
        self._passed: dict[Hashable, float] = {}  # when each kind was let through last; the oldest first

    def ready(self, kind: Hashable = None) -> bool:
        """Return True if this `kind` was not let through in the last `seconds`; then it is now.

        The last `KINDS` are remembered: a flood of new kinds is let through.
        """
        now = self._clock()
        last = self._passed.get(kind)
        if last is not None and now - last < self._seconds:
            return False
        self._passed.pop(kind, None)
        self._passed[kind] = now
        if len(self._passed) > KINDS:
            del self._passed[next(iter(self._passed))]
        return True

    def reset(self) -> None:
        """Forget what was let through: what was wrong has passed, so the next warning is a new one."""
        self._passed.clear()
