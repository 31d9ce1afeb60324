import pytest

from qqbot.aio.backoff import Backoff


@pytest.mark.parametrize(("failures", "expected"), [(0, 3.0), (1, 6.0), (4, 48.0), (5, 60.0), (10_000, 60.0)])
def test_it_doubles_up_to_its_cap(failures: int, expected: float) -> None:
    assert Backoff(3.0, 60.0).delay(failures, 1.0) == expected


def test_chance_spreads_it() -> None:
    backoff = Backoff(2.0, 60.0, low=0.75, high=1.25)
    assert [backoff.delay(0, chance) for chance in (0.0, 0.5, 1.0)] == [1.5, 2.0, 2.5]
