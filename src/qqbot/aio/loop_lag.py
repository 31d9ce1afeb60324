"""`LoopLag`: how late the event loop is, and a warning when something holds it up.

Owns the measuring; it knows nothing of what runs in the loop.
"""

import asyncio
import logging

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1  # what holds the loop up is measured short by this at the most
WARN_SECONDS = 0.5
WARN_EVERY_SECONDS = 60.0
MEMORY_SECONDS = 30.0


class LoopLag:
    """By how many seconds the running loop is late, for as long as `watch` runs."""

    def __init__(self) -> None:
        self._peak = 0.0
        self._older_peak = 0.0

    @property
    def peak(self) -> float:
        """The largest lag of the last half minute, and up to as much before."""
        return max(self._peak, self._older_peak)

    async def watch(self) -> None:
        """Measure until cancelled."""
        now = asyncio.get_running_loop().time
        forgetting, warning = now() + MEMORY_SECONDS, now()
        while True:
            due = now() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            late = now() - due
            if now() >= forgetting:
                forgetting, self._older_peak, self._peak = now() + MEMORY_SECONDS, self._peak, 0.0
            self._peak = max(self._peak, late)
            if late >= WARN_SECONDS and now() >= warning:
                warning = now() + WARN_EVERY_SECONDS
                _warn(late)


def _warn(late: float) -> None:
    log.warning(
        "the event loop was held up for %.1f s: meanwhile nothing is read and no heartbeat is sent. Unless the machine "
        "itself was paused, a handler blocks: call what blocks by `await asyncio.to_thread(...)`, and sleep by "
        "`await asyncio.sleep(...)`. 事件循环被阻塞：请在处理函数中用 asyncio.to_thread 调用阻塞代码",
        late,
    )
