"""`LeaseGate`: nobody acts under a grant that the store may have ended."""

import timeit

from hypothesis import given
from hypothesis import strategies as st

from qqbot.aio.clock import steady
from qqbot.sessions import LeaseGate

LIFE = 12.0
STEP = st.floats(0, 2 * LIFE)


class Hand:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_count_starts_before_the_request() -> None:
    clock = Hand()
    sent_at = clock.now
    clock.now += 3  # the answer took that long
    gate = LeaseGate(LIFE, sent_at, clock=clock)
    assert gate.valid() and gate.left() == LIFE - 3
    clock.now = sent_at + LIFE
    assert not gate.valid() and gate.left() == 0


def test_a_late_answer_revives_nothing() -> None:
    clock = Hand()
    gate = LeaseGate(LIFE, clock.now, clock=clock)
    clock.now += LIFE
    assert not gate.renew(clock.now - 1)
    assert not gate.valid()


def test_answers_out_of_order_do_not_shorten_it() -> None:
    clock = Hand()
    gate = LeaseGate(LIFE, clock.now, clock=clock)
    clock.now += 5
    assert gate.renew(clock.now) and gate.renew(clock.now - 4)
    assert gate.left() == LIFE


def test_what_was_shut_stays_shut() -> None:
    clock = Hand()
    gate = LeaseGate(LIFE, clock.now, clock=clock)
    gate.shut()
    assert not gate.valid() and gate.left() == 0 and not gate.renew(clock.now)


@given(st.lists(st.tuples(STEP, STEP), max_size=20))
def test_it_is_open_only_within_life_of_a_granted_request(renewals: list[tuple[float, float]]) -> None:
    clock = Hand()
    granted = clock.now
    gate = LeaseGate(LIFE, granted, clock=clock)
    over = False
    for pause, flight in renewals:
        clock.now += pause
        sent_at = clock.now
        over |= sent_at >= granted + LIFE
        assert gate.valid() is not over
        clock.now += flight
        over |= clock.now >= granted + LIFE
        assert gate.renew(sent_at) is not over
        if not over:
            granted = sent_at


def test_asking_it_is_cheap() -> None:
    gate = LeaseGate(LIFE, steady())
    assert min(timeit.repeat(gate.valid, number=10_000, repeat=5)) / 10_000 < 5e-6
