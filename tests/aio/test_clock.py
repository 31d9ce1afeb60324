import time

import pytest

from qqbot.aio import clock


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux has this clock")
def test_a_kernel_that_refuses_boot_time_leaves_the_monotonic_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(number: int) -> float:
        raise OSError(22, "Invalid argument")

    with monkeypatch.context() as patch:
        patch.setattr(time, "clock_gettime", refuse)
        chosen = clock._choose()
    assert chosen is time.monotonic


def test_the_clock_goes_forward() -> None:
    before = clock.steady()
    time.sleep(0.01)
    assert 0.005 < clock.steady() - before < 60
