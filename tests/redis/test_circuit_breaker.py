"""`CircuitBreaker`: a store that is away costs one late answer, then next to nothing."""

import asyncio
import logging

import pytest

from qqbot.aio.throttle import WARN_EVERY_SECONDS
from qqbot.redis import circuit_breaker
from qqbot.redis.circuit_breaker import ANSWER_SECONDS, MOST_CALLS, PAUSE_SECONDS, CircuitBreaker
from tests.api.scripted import ManualClock


class Store:
    """Answers, fails or hangs as the test says."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.hangs = False
        self.asked = 0

    async def __call__(self) -> str:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return "answer"


async def test_after_a_failure_nobody_asks_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock, store = ManualClock(), Store()
    asks = CircuitBreaker("things are missing", clock=clock)
    assert await asks.ask(store, "instead") == "answer"
    store.error = ConnectionRefusedError("down")
    assert [await asks.ask(store, "instead") for _ in range(10)] == ["instead"] * 10
    assert store.asked == 2
    clock.now += PAUSE_SECONDS
    assert await asks.ask(store, "instead") == "instead" and store.asked == 3
    store.error = None
    assert await asks.ask(store, "instead") == "instead" and store.asked == 3
    clock.now += PAUSE_SECONDS
    assert await asks.ask(store, "instead") == "answer" == await asks.ask(store, "instead")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "things are missing until it does" in caplog.text and "down" in caplog.text


async def test_it_warns_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock, store = ManualClock(), Store()
    store.error = OSError()
    asks = CircuitBreaker("things are missing", clock=clock)
    for _ in range(int(2.5 * WARN_EVERY_SECONDS / PAUSE_SECONDS)):
        await asks.ask(store, "instead")
        clock.now += PAUSE_SECONDS
    assert len(caplog.records) == 3


async def test_while_one_tries_again_the_others_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "ANSWER_SECONDS", 0.2)
    clock, store = ManualClock(), Store()
    asks = CircuitBreaker("things are missing", clock=clock)
    store.hangs = True
    async with asyncio.timeout(1.5):  # no turn of those who wait behind is spent on the store
        assert await asyncio.gather(*(asks.ask(store, "instead") for _ in range(100))) == ["instead"] * 100
    assert store.asked == MOST_CALLS
    clock.now += PAUSE_SECONDS
    trying = asyncio.create_task(asks.ask(store, "instead"))
    await asyncio.sleep(0)
    assert await asks.ask(store, "instead") == "instead"
    assert not trying.done() and store.asked == MOST_CALLS + 1
    assert await trying == "instead"


async def test_a_cancelled_caller_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    store.hangs = True
    asks = CircuitBreaker("things are missing")
    task = asyncio.create_task(asks.ask(store, "instead"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not caplog.records
    assert ANSWER_SECONDS < PAUSE_SECONDS


async def test_a_bug_is_no_outage() -> None:
    async def bug() -> str:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await CircuitBreaker("things are missing").ask(bug, "instead")
