"""Every Python block of README.md and docs/ is executed, on the simulator.

What a block does at its top level happens in a thread, so it may start its own loop. A `bot` that it makes is
served until it is ready, by the block's coroutine `main` where there is one; its coroutines `test_...` run to
their end.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from qqbot import Bot
from qqbot.testing import Simulator
from tests.markdown import ROOT, Block, blocks

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.relative_to(ROOT).as_posix()}:{block.line}")
    for page in PAGES
    for block in blocks(page)
    if block.language == "python"
]


@pytest.fixture
async def sim(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    async with Simulator() as sim:
        monkeypatch.setenv("QQBOT_APP_ID", sim.app_id)
        monkeypatch.setenv("QQBOT_SECRET", sim.secret)
        monkeypatch.setenv("QQBOT_API_BASE", sim.api_base)
        monkeypatch.setenv("QQBOT_TOKEN_URL", sim.token_url)
        yield sim


@pytest.mark.parametrize("block", BLOCKS)
async def test_block_runs(block: Block, sim: Simulator) -> None:
    names: dict[str, Any] = {"__name__": "block"}
    await asyncio.to_thread(exec, compile(block.text, "block", "exec"), names)
    bot = names.get("bot")
    if "main" in names:
        await run_main(names["main"], bot)
    elif isinstance(bot, Bot):
        async with sim.run(bot):
            pass
    for name, function in names.items():
        if name.startswith("test_") and inspect.iscoroutinefunction(function):
            await function()


async def run_main(main: Callable[[], Coroutine[None, None, object]], bot: Bot | None) -> None:
    """Run `main` to its end; if it serves `bot`, until that is ready."""
    ready = asyncio.Event()
    if bot is not None:
        bot.on_shard_event(lambda event: ready.set() if event.kind == "identified" else None)
    async with asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(main())
        identified = tasks.create_task(ready.wait())
        await asyncio.wait([ended, identified], return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        identified.cancel()
