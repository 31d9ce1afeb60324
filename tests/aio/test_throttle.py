from qqbot.aio.throttle import KINDS, Throttle


def test_one_of_a_kind_in_a_while() -> None:
    now = [0.0]
    throttle = Throttle(60.0, clock=lambda: now[0])
    assert [throttle.ready(), throttle.ready(), throttle.ready("other")] == [True, False, True]
    now[0] = 59.9
    assert not throttle.ready()
    now[0] = 60.0
    assert throttle.ready()
    assert not throttle.ready()


def test_reset_lets_the_next_one_through() -> None:
    throttle = Throttle(60.0, clock=lambda: 0.0)
    assert throttle.ready()
    throttle.reset()
    assert throttle.ready()


def test_kinds_from_outside_are_not_remembered_without_end() -> None:
    throttle = Throttle(60.0, clock=lambda: 0.0)
    for number in range(3 * KINDS):
        assert throttle.ready(number)
    assert len(throttle._passed) == KINDS
    assert not throttle.ready(3 * KINDS - 1), "the latest are remembered"
