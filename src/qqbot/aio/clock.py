"""`steady`: the clock of leases, locks and heartbeats, which only goes forward and counts suspended time.

Responsible for the choice between the clocks of the system: a lease that others may take over after some seconds must
not seem young because this machine was suspended, which `time.monotonic` does not count on Linux. Collaborators: none.
It does not tell the time of day.
"""

import contextlib
import time
from collections.abc import Callable
from functools import partial

Clock = Callable[[], float]
"""Returns seconds that only go forward."""


def _choose() -> Clock:
    if hasattr(time, "CLOCK_BOOTTIME"):
        boot_time = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
        with contextlib.suppress(OSError):  # some sandboxes and old kernels know its name only
            boot_time()
            return boot_time
    return time.monotonic


steady: Clock = _choose()
"""Return the seconds since some moment; only differences have a meaning, and only on this machine."""
