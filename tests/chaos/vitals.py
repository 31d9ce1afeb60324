"""What a process holds: tasks, file descriptors, memory, objects of the package; and how late its loop runs."""

import asyncio
import gc
import math
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

LAG_TICK = 0.05

SIMULATED = ("qqbot.simulator", "qqbot.testing")
BOUNDED = {"qqbot.api.sequence._Count"}
"""What may grow up to a limit of its own: msg_seq is counted for the last 10 000 messages."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """At one moment. `tasks`: those of bots without their workers, which come and go; `rss` in MiB."""

    tasks: int
    workers: int
    fds: int
    objects: int
    rss: float

    def document(self) -> dict[str, float]:
        """Return it for a summary."""
        return asdict(self)


LIMITS = Vitals(tasks=0, workers=64, fds=64, objects=1000, rss=math.inf)
"""How much more there may be after the last round than after the first: the simulator's memory is in `rss` too."""


class Watch:
    """Measures this process once a round, and tells what has grown."""

    def __init__(self) -> None:
        self.seen: list[Vitals] = []
        self._kinds: list[Counter[str]] = []

    def look(self) -> None:
        """Measure now; every bot has to be at rest."""
        gc.collect()
        own = [name for task in asyncio.all_tasks() if (name := task.get_name()).startswith("qqbot")]
        workers = own.count("qqbot worker")
        kinds = Counter(_own_kinds())
        self.seen.append(Vitals(len(own) - workers, workers, fds(), kinds.total(), rss()))
        self._kinds.append(kinds)

    def growth(self, limits: Vitals = LIMITS) -> list[str]:
        """Return what there is more of than after the first round, by more than `limits` allow."""
        first, last = self.seen[0].document(), self.seen[-1].document()
        words = [
            f"{name} grew from {first[name]:g} to {last[name]:g}"
            for name, limit in limits.document().items()
            if last[name] - first[name] > limit
        ]
        if any(word.startswith("objects") for word in words):
            words.append(f"objects that grew most: {(self._kinds[-1] - self._kinds[0]).most_common(5)}")
        return words


def fds(pid: int | str = "self") -> int:
    """Return how many file descriptors a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def rss(pid: int | str = "self") -> float:
    """Return how much memory a process has, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def _own_kinds() -> Iterator[str]:
    """Return the classes of the living objects of the package's own classes, without the simulator's."""
    for thing in gc.get_objects():
        kind = type(thing)
        module = str(kind.__module__)
        name = f"{module}.{kind.__name__}"
        if module.startswith("qqbot.") and not module.startswith(SIMULATED) and name not in BOUNDED:
            yield name


class Lag:
    """How late the loop runs, in seconds; the worst since the last look."""

    def __init__(self) -> None:
        self._worst = 0.0

    @asynccontextmanager
    async def measured(self) -> AsyncIterator["Lag"]:
        """Measure while the body runs."""
        task = asyncio.create_task(self._measure())
        try:
            yield self
        finally:
            task.cancel()

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_TICK
            await asyncio.sleep(LAG_TICK)
            self._worst = max(self._worst, loop.time() - due)

    def take(self) -> float:
        """Return the worst since the last look."""
        worst, self._worst = self._worst, 0.0
        return worst
