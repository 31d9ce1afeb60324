"""`Timings`: figures that would let two owners act at once are refused."""

import pytest

from qqbot.errors import ConfigError
from qqbot.sessions.cluster.timings import Timings


def test_the_defaults_hold_and_scale() -> None:
    assert Timings().shared == "3000 12000 15000 5000 500 500"
    assert Timings().scaled(0.2).shared == "600 2400 3000 1000 100 100"
    assert Timings().scaled(0.2).handovers == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"own": 14.0}, "observe=15"),
        ({"observe": 13.0}, "own=12"),
        ({"slack": 3.0}, "observe=15"),
        ({"own": 7.0}, "tried three times"),
        ({"renew": 8.0}, "tried three times"),
        ({"lead": 0.0}, "lead"),
        ({"handovers": 0}, "handovers"),
    ],
)
def test_what_cannot_hold_is_refused(options: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Timings(**options)  # type: ignore[arg-type]
