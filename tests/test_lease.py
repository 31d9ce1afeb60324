"""`LeaseDeadline`: no owner acts under a grant that the store may have ended."""

import timeit

from hypothesis import given
from hypothesis import strategies as st

from qqbot.aio.clock import steady
from qqbot.sessions import LeaseDeadline

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
    deadline = LeaseDeadline(LIFE, sent_at, clock=clock)
    assert deadline.valid() and deadline.left() == LIFE - 3
    clock.now = sent_at + LIFE
    assert not deadline.valid() and deadline.left() == 0


def test_a_late_answer_revives_nothing() -> None:
    clock = Hand()
    deadline = LeaseDeadline(LIFE, clock.now, clock=clock)
    clock.now += LIFE
    assert not deadline.renew(clock.now - 1)
    assert not deadline.valid()


def test_answers_out_of_order_do_not_shorten_it() -> None:
    clock = Hand()
    deadline = LeaseDeadline(LIFE, clock.now, clock=clock)
    clock.now += 5
    assert deadline.renew(clock.now) and deadline.renew(clock.now - 4)
    assert deadline.left() == LIFE


def test_what_was_shut_stays_shut() -> None:
    clock = Hand()
    deadline = LeaseDeadline(LIFE, clock.now, clock=clock)
    deadline.shut()
    assert not deadline.valid() and deadline.left() == 0 and not deadline.renew(clock.now)


@given(st.lists(st.tuples(STEP, STEP), max_size=20))
def test_it_is_open_only_within_life_of_a_granted_request(renewals: list[tuple[float, float]]) -> None:
    clock = Hand()
    granted = clock.now
    deadline = LeaseDeadline(LIFE, granted, clock=clock)
    over = False
    for pause, flight in renewals:
        clock.now += pause
        sent_at = clock.now
        over |= sent_at >= granted + LIFE
        assert deadline.valid() is not over
        clock.now += flight
        over |= clock.now >= granted + LIFE
        assert deadline.renew(sent_at) is not over
        if not over:
            granted = sent_at


def test_asking_it_is_cheap() -> None:
    deadline = LeaseDeadline(LIFE, steady())
    assert min(timeit.repeat(deadline.valid, number=10_000, repeat=5)) / 10_000 < 5e-6
