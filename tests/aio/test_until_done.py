import asyncio

import pytest

from qqbot.aio.background import background
from qqbot.aio.until_done import until_done


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
