"""Loops that a library cannot bear are named."""

import asyncio
import sys

import pytest

from qqbot import ConfigError
from qqbot.aio.loops import refuse_eager_tasks
from tests.loops import sitecustomize


@pytest.mark.skipif(sitecustomize.NAME == "eager", reason="this loop's tasks are eager")
async def test_tasks_that_begin_later_are_accepted() -> None:
    before = asyncio.all_tasks()
    refuse_eager_tasks("the client")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_eager_tasks_are_refused() -> None:
    asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory", None))
    with pytest.raises(ConfigError, match="the client cannot be used with"):
        refuse_eager_tasks("the client")
