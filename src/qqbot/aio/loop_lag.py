"""`LoopLag`: how late the event loop is, and a warning if something blocks it.

Responsible for measuring and for the warning. Collaborators: `throttle`. It does not know what runs in the loop, and
interrupts nothing.
"""

import asyncio
import logging
import math

from .throttle import WARN_EVERY_SECONDS, Throttle

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1  # a lag is measured short by at most this
WARN_SECONDS = 0.5
MEMORY_SECONDS = 30.0


class LoopLag:
    """By how many seconds the running loop is late, as long as `look` is called again and again."""

    def __init__(self) -> None:
        # Two halves of the memory, so that a peak is forgotten after a while and never at once.
        self._peak = 0.0
        self._older_peak = 0.0
        self._forget_at = math.inf  # by the clock of the loop
        self._warnings = Throttle(WARN_EVERY_SECONDS)

    @property
    def peak(self) -> float:
        """The largest lag in seconds of the last half minute to minute."""
        return max(self._peak, self._older_peak)

    async def look(self) -> None:
        """Measure once, over a tenth of a second."""
        now = asyncio.get_running_loop().time
        due = now() + LOOK_SECONDS
        self._forget_at = min(self._forget_at, due + MEMORY_SECONDS)
        await asyncio.sleep(LOOK_SECONDS)
        late = now() - due
        if now() >= self._forget_at:
            self._forget_at, self._older_peak, self._peak = now() + MEMORY_SECONDS, self._peak, 0.0
        self._peak = max(self._peak, late)
        if late >= WARN_SECONDS and self._warnings.ready():
            _warn(late)


def _warn(late: float) -> None:
    log.warning(
        "the event loop was held up for %.1f s: meanwhile nothing is read and no heartbeat is sent. Unless the machine "
        "itself was paused, a handler blocks: call what blocks by `await asyncio.to_thread(...)`, and sleep by "
        "`await asyncio.sleep(...)`. 事件循环被阻塞：请在处理函数中用 asyncio.to_thread 调用阻塞代码",
        late,
    )
