"""`PaceObserver`: no window has too many permits, whatever each node sees, and however its clock drifts."""

import random

import pytest

from qqbot.sessions.cluster.pace_observer import PaceObserver
from qqbot.sessions.cluster.timings import DRIFT, Timings

TIMINGS = Timings()


def test_a_line_that_is_new_counts_as_full() -> None:
    pace = PaceObserver(TIMINGS)
    pace.record("1", 40, 100.0)
    assert pace.wait(1, 100.0) == pace.wait(16, 100.0) == pytest.approx(pace.spacing)
    assert pace.wait(1, 100.0 + pace.spacing) == 0.0
    pace.record("2", 40, 200.0)
    assert pace.wait(16, 200.0) == pytest.approx(pace.spacing)
    pace.record("2", 39, 300.0)  # it went back: a part was lost
    assert pace.wait(16, 300.0) == pytest.approx(pace.spacing)


def test_permits_are_as_young_as_they_were_seen() -> None:
    pace = PaceObserver(TIMINGS)
    pace.record("1", 0, 0.0)
    now = pace.spacing
    pace.record("1", 1, now)
    assert pace.wait(1, now) == pytest.approx(pace.spacing) and pace.wait(2, now) == 0.0
    pace.record("1", 2, now + 1)
    assert pace.wait(2, now + 1) == pytest.approx(pace.spacing - 1)
    pace.record("1", 2, now + 5)  # nothing new
    assert pace.wait(2, now + 5) == pytest.approx(pace.spacing - 5)
    assert pace.wait(1, now + 5) == pytest.approx(pace.spacing - 4)


@pytest.mark.parametrize("concurrency", [1, 3, 16])
@pytest.mark.parametrize("seed", range(20))
def test_no_window_has_too_many(concurrency: int, seed: int) -> None:
    """Nodes with clocks of their own look at any time; each uses its permit at any moment of its life."""
    chance = random.Random(seed)
    nodes = [PaceObserver(TIMINGS) for _ in range(4)]
    rates = [chance.uniform(1 - DRIFT, 1 + DRIFT) for _ in nodes]
    count, now, line, used = 0, 0.0, "1", list[float]()
    for _ in range(3000):
        now += chance.expovariate(20)
        if chance.random() < 0.001:
            line, count = line + "1", 0  # the store lost its count
        number = chance.randrange(len(nodes))
        pace, clock = nodes[number], now * rates[number]
        pace.record(line, count, clock)
        if pace.wait(concurrency, clock) == 0.0:
            count += 1
            used.append(now + chance.uniform(0, TIMINGS.permit / rates[number]))
            if chance.random() < 0.5:
                pace.record(line, count, clock)
    used.sort()
    gaps = [later - earlier for earlier, later in zip(used, used[concurrency:], strict=False)]
    assert len(used) > concurrency and min(gaps) >= TIMINGS.window - 1e-9
