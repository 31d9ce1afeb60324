"""The arithmetic of permits and budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqbot.sessions.permits import Budget, IdentifyPacer

WINDOW = 5.0


@given(
    concurrency=st.integers(1, 5),
    requests=st.lists(st.tuples(st.floats(0, 8), st.floats(0, 1)), max_size=60),
)
def test_no_window_holds_more_sends_than_allowed(concurrency: int, requests: list[tuple[float, float]]) -> None:
    """Each request comes some time after the last, and is sent early or late in its permit's life."""
    pacer = IdentifyPacer(concurrency, window=WINDOW)
    now, sends = 0.0, list[float]()
    for gap, lateness in requests:
        now = max(now + gap, pacer.ready_at(now + gap))
        until = pacer.take(now)
        assert until == now + pacer.life
        sends.append(now + lateness * pacer.life)
    sends.sort()
    for first, last in zip(sends, sends[concurrency:], strict=False):
        assert last - first >= WINDOW - 1e-9


@given(concurrency=st.integers(1, 5), more=st.integers(1, 5))
def test_a_changed_concurrency_forgets_nothing(concurrency: int, more: int) -> None:
    pacer = IdentifyPacer(concurrency, window=WINDOW)
    for _ in range(concurrency):
        pacer.take(0)
    pacer.resize(more)
    if more <= concurrency:
        assert pacer.ready_at(1) > WINDOW
    else:
        assert pacer.ready_at(1) <= 1


def test_a_permit_is_not_given_early() -> None:
    pacer = IdentifyPacer(1, window=WINDOW)
    pacer.take(10)
    with pytest.raises(ValueError, match="later"):
        pacer.take(15)
    assert pacer.ready_at(11) == 15.5
    pacer.take(15.5)


def test_the_first_permits_come_at_once_and_idle_time_is_not_saved_up() -> None:
    pacer = IdentifyPacer(2, window=WINDOW)
    assert pacer.ready_at(100) <= 100
    for _ in range(2):
        pacer.take(100)
    assert pacer.ready_at(100) == 105.5


@pytest.mark.parametrize("concurrency", [0, -1])
def test_a_concurrency_of_nothing_counts_as_one(concurrency: int) -> None:
    pacer = IdentifyPacer(concurrency, window=WINDOW)
    pacer.take(0)
    assert pacer.ready_at(0) == 5.5


def test_the_budget_covers_what_is_left() -> None:
    budget = Budget(1000, 2, 60, now=10)
    assert budget.covers(2) and not budget.covers(3)
    budget.spend()
    assert budget.covers(1) and not budget.covers(2)
    assert budget.renewed_in(30) == 40 and budget.renewed_in(100) == 0


def test_more_shards_than_sessions_a_day_need_the_whole_allowance() -> None:
    assert Budget(10, 10, 60, now=0).covers(16)
    assert not Budget(10, 9, 60, now=0).covers(16)
