"""Every Python block of README.md and docs/ is executed, on the simulator; what the pages name exists.

What a block does at its top level happens in a thread, so it may start its own loop. A `bot` that it makes is
served until it is ready, by the block's coroutine `main` where there is one; its coroutines `test_...` run to
their end.
"""

import asyncio
import importlib
import inspect
import pkgutil
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import qqbot
from qqbot import Api, Bot, Context, Credentials, models
from qqbot.api.client import ON_DEMAND
from qqbot.api.resources.base import Resource
from qqbot.testing import Simulator
from tests.cli.program import environment
from tests.markdown import ROOT, Block, blocks

CHINESE = ROOT / "docs" / "zh"  # its blocks are those of the English pages, which tests/test_site.py compares
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if not page.is_relative_to(CHINESE)),
]
BLOCKS = [
    pytest.param(block, id=f"{page.relative_to(ROOT).as_posix()}:{block.line}")
    for page in PAGES
    for block in blocks(page)
    if block.language == "python"
]


@pytest.fixture
async def sim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Simulator]:
    monkeypatch.chdir(tmp_path)  # some blocks write files
    async with Simulator() as sim:
        for name, value in environment(sim).items():
            monkeypatch.setenv(name, value)
        yield sim


@pytest.mark.parametrize("block", BLOCKS)
async def test_block_runs(block: Block, sim: Simulator) -> None:
    names: dict[str, Any] = {"__name__": "block"}
    await asyncio.to_thread(exec, compile(block.text, "block", "exec"), names)
    bot = names.get("bot")
    tests = [value for name, value in names.items() if name.startswith("test_")]
    if "main" in names:
        await run_main(names["main"], bot)
    elif isinstance(bot, Bot) and not tests:
        async with sim.run(bot):
            pass
    for function in tests:
        if inspect.iscoroutinefunction(function):
            await function(**{name: Simulator() for name in inspect.signature(function).parameters if name == "qq"})


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


API = Api(Credentials("1", "s"))
RESOURCES = {
    name: value
    for name in (*vars(API), *ON_DEMAND)
    if not name.startswith("_") and isinstance(value := getattr(API, name), Resource)
}
REFERENCE = ROOT / "docs" / "resources"
MIGRATIONS = [ROOT / "docs" / "from-botgo.md", ROOT / "docs" / "from-botpy.md", ROOT / "docs" / "from-nonebot.md"]


def methods(resource: Resource) -> set[str]:
    return {name for name, _ in inspect.getmembers(type(resource), callable) if not name.startswith("_")}


def test_each_resource_has_a_page_and_is_in_the_list() -> None:
    assert {page.stem for page in REFERENCE.glob("*.md")} == set(RESOURCES)
    listed = re.findall(r"^\| \[`api\.(\w+)`\]", (ROOT / "docs" / "resources.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(RESOURCES)


@pytest.mark.parametrize("name", RESOURCES)
def test_the_page_of_a_resource_names_every_method(name: str) -> None:
    page = (REFERENCE / f"{name}.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+)\(", page, re.MULTILINE)
    assert sorted(listed) == sorted(methods(RESOURCES[name]))


def known_names() -> set[str]:
    modules = [importlib.import_module(f"qqbot.models.{each.name}") for each in pkgutil.iter_modules(models.__path__)]
    return {name for module in (qqbot, *modules) for name in {*vars(module), *getattr(module, "__all__", ())}}


@pytest.mark.parametrize("page", MIGRATIONS, ids=lambda page: page.stem)
def test_what_a_migration_page_points_at_exists(page: Path) -> None:
    rows = [line for line in page.read_text("utf-8").splitlines() if line.startswith("| ")]
    spans = [span for row in rows for span in re.findall(r"`([^`]+)`", row.rpartition(" | ")[2])]
    known = known_names()
    lost = [span for span in spans if (match := re.match(r"[A-Z]\w*[a-z]\w*", span)) and match[0] not in known]
    for owner, attribute in re.findall(r"\b(bot|ctx|api\.\w+|[A-Z]\w+)\.(\w+)", " ".join(spans)):
        where: object = {"bot": Bot, "ctx": Context}.get(owner) or getattr(qqbot, owner, None)
        if owner.startswith("api."):
            where = RESOURCES.get(owner.removeprefix("api."))
        if where is None or not (hasattr(where, attribute) or attribute in ERROR_ATTRIBUTES):
            lost.append(f"{owner}.{attribute}")
    assert lost == []


ERROR_ATTRIBUTES = {"code", "message", "trace_id"}
"""Set by `ApiError` when it is made."""
