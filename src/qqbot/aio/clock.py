"""The clock of leases, locks and heartbeats: it only goes forward, and counts the time in which the machine sleeps.

Owns the choice between the clocks of the system. A lease that others may take over after some seconds must not seem
young because this machine was suspended meanwhile, which `time.monotonic` does not count on Linux.
"""

import time
from collections.abc import Callable
from functools import partial

Clock = Callable[[], float]
"""Seconds that only go forward."""


def _choose() -> Clock:
    if hasattr(time, "CLOCK_BOOTTIME"):
        return partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    return time.monotonic


steady: Clock = _choose()
"""Seconds since some moment; only differences mean anything, and only on this machine."""
