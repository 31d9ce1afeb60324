import asyncio
import logging

import pytest

from qqbot.aio.background import background


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
