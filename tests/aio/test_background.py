import asyncio
import logging

import pytest

from qqbot.aio.background import background, until_done


async def forever(log: list[str]) -> None:
    log.append("began")
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        log.append("ended")


async def test_tasks_end_with_the_block_and_are_awaited() -> None:
    log: list[str] = []
    async with background(forever(log), forever(log), name="two"):
        await asyncio.sleep(0)
        assert log == ["began", "began"]
    assert log == ["began", "began", "ended", "ended"]


async def test_the_error_of_the_block_is_kept() -> None:
    log: list[str] = []
    with pytest.raises(ValueError, match="mine"):
        async with background(forever(log), name="one"):
            await asyncio.sleep(0)
            raise ValueError("mine")
    assert log == ["began", "ended"]


async def test_a_task_that_dies_is_reported_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise OSError("no disk")

    async with background(broken(), name="writer") as (task,):
        await asyncio.wait([task])
        await asyncio.sleep(0)
        assert [(record.levelno, "writer" in record.message) for record in caplog.records] == [(logging.ERROR, True)]


async def test_a_task_that_ends_by_itself_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async with background(asyncio.sleep(0), name="short") as (task,):
        await task
    assert not caplog.records


async def endless() -> None:
    await asyncio.Event().wait()


async def failing() -> None:
    await asyncio.sleep(0)
    raise OSError("no disk")


async def test_a_block_ends_with_its_task() -> None:
    for ending in (asyncio.sleep(0), failing(), endless()):
        task: asyncio.Task[object] = asyncio.create_task(ending)
        asyncio.get_running_loop().call_later(0.05, task.cancel)
        async with asyncio.timeout(10), until_done(task):
            await asyncio.Event().wait()
        assert task.done()
        await asyncio.wait([task])
        assert task.cancelled() or isinstance(task.exception(), OSError | None)


async def test_a_block_ends_with_a_task_that_is_done_already() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    await task
    async with asyncio.timeout(10), until_done(task):
        await asyncio.Event().wait()


async def test_a_block_that_ends_first_is_left_alone() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    async with until_done(task):
        pass
    await asyncio.sleep(0.01)
    assert task.done()


async def test_what_the_block_raises_is_kept() -> None:
    async with background(endless(), name="endless") as (task,):
        for error in (TimeoutError("mine"), asyncio.CancelledError("mine"), ValueError("mine")):
            with pytest.raises(type(error), match="mine"):
                async with until_done(task):
                    raise error


async def test_a_cancellation_of_the_block_counts_more_than_the_end_of_the_task() -> None:
    async def both() -> None:
        inner = asyncio.create_task(asyncio.sleep(0))
        async with until_done(inner):
            await inner
            me.cancel()
            await asyncio.Event().wait()

    me: asyncio.Task[None] = asyncio.create_task(both())
    await asyncio.wait([me], timeout=10)
    assert me.cancelled()
