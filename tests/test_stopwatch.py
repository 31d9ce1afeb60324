"""The stopwatch of the tests: it counts what is waited for, and not what the machine takes."""

import asyncio
import time

from tests.stopwatch import stopwatch


async def test_waiting_counts_and_a_loop_that_is_held_up_does_not() -> None:
    async with stopwatch() as watch:
        for _ in range(30):  # a machine that is busy now takes one or two of them
            await asyncio.sleep(0.01)
        assert watch.seconds > 0.2
        for _ in range(2):
            time.sleep(0.5)  # noqa: ASYNC251 - as a machine does that is busy with others
            assert watch.seconds < 0.6
            await asyncio.sleep(0.05)
        assert watch.seconds < 0.7
