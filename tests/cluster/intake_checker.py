"""Judge a run of intakes and workers: by the platform's record of replies, and by the logs of the workers.

Responsible for what must not be: lost events, a conversation out of order, an event answered twice. Pure: no clock, no
socket. Collaborators: `intake_program` writes the logs, `intake_run` collects them.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Pushed:
    """One event that the platform has pushed: the place in its conversation, and when, in seconds."""

    conversation: int
    number: int
    at: float

    @property
    def name(self) -> str:
        """What the event and its answer are called."""
        return f"{self.conversation} {self.number}"


@dataclass
class Logs:
    """What the workers wrote: by event id, the moments at which its handlers began and ended, in seconds."""

    begun: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    ended: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def read(self, path: Path) -> None:
        text = path.read_text()
        for line in text[: text.rfind("\n") + 1].splitlines():  # the last line may be incomplete
            kind, at, event_id = line.split()
            (self.begun if kind == "begin" else self.ended)[event_id].append(float(at))


def lost(pushed: Mapping[str, Pushed], logs: Logs) -> list[str]:
    """Return the events that no handler has ended."""
    return [event.name for event_id, event in pushed.items() if not logs.ended.get(event_id)]


def disorder(pushed: Mapping[str, Pushed], logs: Logs) -> list[str]:
    """Return the events that began, for the first time, after a later one of their conversation had begun."""
    firsts = defaultdict[int, list[tuple[float, int]]](list)
    for event_id, times in logs.begun.items():
        if times:
            firsts[pushed[event_id].conversation].append((min(times), pushed[event_id].number))
    found: list[str] = []
    for conversation, begins in firsts.items():
        numbers = [number for _, number in sorted(begins)]
        pairs = itertools.pairwise(numbers)
        found += [f"{conversation}: {after} after {before}" for before, after in pairs if after < before]
    return found


def answered_twice(replies: Iterable[str]) -> list[str]:
    """Return the answers that the platform has accepted more than once."""
    return [name for name, times in Counter(replies).items() if times > 1]


def unanswered(pushed: Mapping[str, Pushed], replies: Iterable[str]) -> list[str]:
    """Return the events whose answer the platform has not accepted."""
    return sorted({event.name for event in pushed.values()} - set(replies))


def repeats(logs: Logs) -> int:
    """Return how many events were begun again, each time counted."""
    return sum(len(times) - 1 for times in logs.begun.values() if times)


def delays(pushed: Mapping[str, Pushed], logs: Logs, since: float, until: float) -> Sequence[float]:
    """Return the seconds from push to first begin of the events pushed between two moments, in ascending order."""
    return sorted(
        min(logs.begun[event_id]) - event.at
        for event_id, event in pushed.items()
        if since <= event.at < until and logs.begun.get(event_id)
    )
