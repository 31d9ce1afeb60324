"""`Backoff`: how long to wait before the next attempt, growing with the failures in a row.

Responsible for the formula; pure. Collaborators: none; chance is an argument, so that tests and the gateway's protocol
stay deterministic. It does not count failures and does not sleep.
"""

from typing import NamedTuple

MOST_DOUBLINGS = 30  # 2 ** 31 seconds exceed every cap, and the power of a float must not overflow


class Backoff(NamedTuple):
    """Doubles `first` seconds with each failure up to `cap` seconds, spread over `low` to `high` times that."""

    first: float
    cap: float
    low: float = 0.5
    high: float = 1.0

    def delay(self, failures: int, chance: float) -> float:
        """Return the seconds to wait after `failures` earlier ones; `chance` is evenly spread from 0 to 1."""
        grown = min(self.first * 2.0 ** min(failures, MOST_DOUBLINGS), self.cap)
        return grown * (self.low + (self.high - self.low) * chance)
