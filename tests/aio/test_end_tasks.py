"""`end_tasks`: a task that swallows its cancellation is named and left behind, all others are awaited."""

import asyncio
import logging

import pytest

from qqbot.aio import ending
from qqbot.aio.ending import end_tasks, stack_of
from tests.stopwatch import stopwatch


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "ENDING_SECONDS", 0.2)
    monkeypatch.setattr(ending, "LAST_SECONDS", 0.1)


async def stubborn(release: asyncio.Event, *, swallows: int) -> None:
    while not release.is_set():
        try:
            await release.wait()
        except asyncio.CancelledError:
            swallows -= 1
            if swallows < 0:
                raise


async def test_what_swallows_its_cancellation_is_named_with_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    release = asyncio.Event()
    task = asyncio.create_task(stubborn(release, swallows=100), name="mine")
    await asyncio.sleep(0)
    async with stopwatch() as watch:
        await end_tasks([task])
    assert not task.done() and watch.seconds < 2
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "'mine'" in record.getMessage() and "in stubborn" in record.getMessage()
    assert "in wait" in record.getMessage(), "the stack ends at the task's own coroutine"
    release.set()
    await task


async def test_a_task_that_loses_one_cancellation_is_cancelled_again(caplog: pytest.LogCaptureFixture) -> None:
    task = asyncio.create_task(stubborn(asyncio.Event(), swallows=1))
    await asyncio.sleep(0)
    await end_tasks([task])
    assert task.cancelled() and not caplog.records


async def test_what_cleans_up_is_awaited() -> None:
    cleaned = False

    async def clean() -> None:
        nonlocal cleaned
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            cleaned = True

    task = asyncio.create_task(clean())
    await asyncio.sleep(0)
    await end_tasks([task])
    assert cleaned and task.cancelled()


async def test_a_caller_that_is_cancelled_has_awaited_all_the_same() -> None:
    task = asyncio.create_task(stubborn(asyncio.Event(), swallows=1))
    await asyncio.sleep(0)
    caller = asyncio.create_task(end_tasks([task]))
    await asyncio.sleep(0.01)
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled() and task.cancelled()


async def test_a_stack_holds_no_values() -> None:
    async def with_secret(secret: str) -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(with_secret("hunter" + "2"))
    await asyncio.sleep(0)
    assert "with_secret" in stack_of(task) and "hunter2" not in stack_of(task)
    await end_tasks([task])
