"""Times functions side by side. Owns how it is measured, not what."""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Timing:
    """What one call costs. `microseconds`: median of all rounds. `ratio`: median of its ratios to the floor, the
    first of the functions, each within one round.
    """

    name: str
    microseconds: float
    ratio: float


def compare(functions: Mapping[str, Callable[[], object]], *, rounds: int, calls: int) -> list[Timing]:
    """Time `functions` in turn, `rounds` times, `calls` calls of each at a time; the first is the floor.

    A round takes all functions within milliseconds, so that what slows the machine down slows all of them down.
    """
    samples: dict[str, list[float]] = {name: [] for name in functions}
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds + 1):
            for name, function in functions.items():
                sample = _time(function, calls)
                if number:  # the first round warms up
                    samples[name].append(sample)
            gc.collect()
    finally:
        if was_enabled:
            gc.enable()
    floor = next(iter(samples.values()))
    return [
        Timing(name, median(own), median(mine / base for mine, base in zip(own, floor, strict=True)))
        for name, own in samples.items()
    ]


def _time(function: Callable[[], object], calls: int) -> float:
    """Return the microseconds of processor time that one of `calls` calls takes."""
    started = time.process_time_ns()
    for _ in range(calls):
        function()
    return (time.process_time_ns() - started) / calls / 1000
