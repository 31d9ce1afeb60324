import asyncio
import logging

import pytest

from qqbot.aio import background as module
from qqbot.aio.background import Troubles, background, current_troubles, repeat


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


async def test_a_task_that_another_one_cancels_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    troubles: Troubles = {}
    current_troubles.set(troubles)
    async with background(asyncio.Event().wait(), name="watch") as (task,):
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)
        assert [(record.levelno, "watch" in record.message) for record in caplog.records] == [(logging.ERROR, True)]
        assert "another task" in troubles["watch"]
    assert troubles == {}


async def test_a_trouble_is_one_line_without_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)
    troubles: Troubles = {}
    current_troubles.set(troubles)

    async def turn() -> None:
        await asyncio.sleep(0)
        raise LookupError("no \x1b[31mdisk\nand more")

    async with asyncio.timeout(5), background(repeat(turn), name="writer"):
        while not troubles:
            await asyncio.sleep(0.001)
        assert troubles == {"writer": "fails: LookupError: no \\x1b[31mdisk"}


async def test_a_turn_that_fails_is_retried_logged_once_and_listed_until_one_succeeds(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)
    troubles: Troubles = {}
    current_troubles.set(troubles)
    mended, turns = asyncio.Event(), 0

    async def turn() -> None:
        nonlocal turns
        turns += 1
        await asyncio.sleep(0)
        if not mended.is_set():
            raise LookupError("no disk")

    async with asyncio.timeout(5), background(repeat(turn), name="writer"):
        while turns < 10:
            await asyncio.sleep(0.001)
        assert troubles == {"writer": "fails: LookupError: no disk"}
        assert len(caplog.records) == 1 and caplog.records[0].levelno == logging.ERROR
        mended.set()
        while troubles:
            await asyncio.sleep(0.001)


async def test_a_cancellation_out_of_what_a_turn_awaits_does_not_end_the_chore(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)
    turns = 0

    async def turn() -> None:
        nonlocal turns
        turns += 1
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with asyncio.timeout(5), background(repeat(turn), name="writer"):
        while turns < 5:
            await asyncio.sleep(0.001)
