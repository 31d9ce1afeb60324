"""A signed call is taken once, whatever the clock of the platform and the two clocks of this machine say."""

import time
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqbot import Bot
from qqbot.dispatcher.dedupe import KnownEvents
from qqbot.webhook import handler
from qqbot.webhook.handler import SignedTimes
from qqbot.webhook.protocol import WINDOW
from tests.webhook.signed import CREDENTIALS, event, signed


class Address:
    """What a bot knows of signed calls, with clocks of its own."""

    def __init__(self) -> None:
        self.steady = 1000.0
        self.wall = 1_800_000_000.0
        self.known = KnownEvents(self.steady)
        self.times = SignedTimes(self.steady)
        self.taken: list[str] = []

    def call(self, name: str, signed_at: int) -> bool:
        """Make one call; True if its handlers run."""
        if abs(self.wall - signed_at) > WINDOW or not self.times.admits(signed_at, self.steady):
            return False
        if self.known.get(name) is not None:
            return False
        self.known.put(name, "handled", self.steady)
        self.taken.append(name)
        return True


class Step(NamedTuple):
    passes: float  # seconds of both clocks
    jump: float  # of the time of day alone
    ahead: int  # seconds that the new call is signed ahead of the time of day
    others: bool  # events of the gateway turn the memory over meanwhile


STEPS = st.builds(
    Step, st.floats(0, 1500), st.sampled_from([0.0, 0.0, -1000.0, 500.0]), st.integers(-300, 300), st.booleans()
)


@given(st.lists(STEPS, max_size=12))
def test_a_call_is_taken_once(steps: list[Step]) -> None:
    address = Address()
    calls: list[tuple[str, int]] = []
    for number, step in enumerate(steps):
        address.steady += step.passes
        address.wall += step.passes + step.jump
        if step.others:
            address.known.put(f"gateway {number}", "handled", address.steady)
        calls.append((str(number), int(address.wall) + step.ahead))
        for call in calls:
            address.call(*call)
    assert len(set(address.taken)) == len(address.taken)


@given(st.integers(-299, 299), st.lists(st.floats(0, 900), max_size=12))
def test_each_new_call_is_taken_while_the_clocks_agree_within_the_window(ahead: int, pauses: list[float]) -> None:
    address = Address()
    for number, pause in enumerate([0.0, *pauses]):
        address.steady += pause + 1
        address.wall += pause + 1
        assert address.call(str(number), int(address.wall) + ahead)


async def test_a_clock_that_is_set_back_brings_no_call_back(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = 0.0

    class Clocks:
        """The time of day stands still: it is set back again and again."""

        time = staticmethod(time.time)

        @staticmethod
        def monotonic() -> float:
            return time.monotonic() + passed

    monkeypatch.setattr(handler, "time", Clocks)
    bot = Bot(CREDENTIALS)
    body, newer = event(1), event(2)
    headers = signed(body)
    async with bot.serve(connect=False):
        assert (await bot.handle_webhook(headers, body))[0] == 200
        passed = 2 * WINDOW - 1
        assert (await bot.handle_webhook(headers, body))[0] == 200, "acknowledged as a repeat"
        passed = 4 * WINDOW
        assert (await bot.handle_webhook(headers, body))[0] == 401
        assert (await bot.handle_webhook(signed(newer, age=-1), newer))[0] == 200
