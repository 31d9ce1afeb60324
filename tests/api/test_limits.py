"""Pauses per route and target."""

from hypothesis import given
from hypothesis import strategies as st

from qqbot.api.limits import CAPACITY, LONGEST, Limits

GROUP, OTHER = ("send_group_message", "G1"), ("send_group_message", "G2")


def test_only_the_paused_target_waits() -> None:
    limits = Limits()
    limits.pause(GROUP, 3.0, now=10.0)
    assert limits.wait(GROUP, 11.0) == 2.0
    assert limits.wait(OTHER, 11.0) == 0.0
    assert limits.wait(GROUP, 13.0) == 0.0


def test_a_pause_is_never_cut_short() -> None:
    limits = Limits()
    limits.pause(GROUP, 10.0, now=0.0)
    limits.pause(GROUP, 1.0, now=1.0)
    assert limits.wait(GROUP, 1.0) == 9.0


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1000)), max_size=50))
def test_a_wait_ends(pauses: list[tuple[float, float]]) -> None:
    limits = Limits()
    for seconds, now in pauses:
        limits.pause(GROUP, seconds, now)
    assert limits.wait(GROUP, 2000.0) == 0.0


def test_ended_pauses_are_forgotten() -> None:
    limits = Limits()
    for number in range(CAPACITY * 3):
        limits.pause(("r", str(number)), 1.0, now=float(number))
    assert len(limits._until) <= CAPACITY


def test_a_pause_of_a_year_does_not_end_a_route() -> None:
    limits = Limits()
    limits.pause(GROUP, 365 * 86_400.0, now=0.0)
    assert limits.wait(GROUP, 0.0) == LONGEST
    assert limits.wait(GROUP, LONGEST) == 0.0


def test_pauses_that_have_not_ended_are_bounded_too() -> None:
    limits = Limits()
    for number in range(CAPACITY * 3):
        limits.pause(("r", str(number)), 100.0 + number / CAPACITY, now=0.0)
    assert len(limits._until) <= CAPACITY
    assert limits.wait(("r", str(CAPACITY * 3 - 1)), 0.0) > 0, "the latest are kept"
