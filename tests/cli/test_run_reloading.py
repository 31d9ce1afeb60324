"""`--reload` of `run` and `simulate`, with watchfiles and without it, also while a bot starts."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from qqbot.testing import Simulator
from tests.cli.control import Control
from tests.cli.program import Program, environment, python, run

BOT = """\
from contextlib import asynccontextmanager
import asyncio
from qqbot import Bot, Context, GroupAtMessageCreate
from parts.words import WORDS

@asynccontextmanager
async def lifespan(_):
    {start}
    yield

bot = Bot(lifespan=lifespan)

@bot.on
async def answer(ctx: Context[GroupAtMessageCreate]) -> None:
    await ctx.reply(WORDS)
"""
WATCHERS = ["watchfiles", "polling"]
WITHOUT = "import sys; sys.modules['watchfiles'] = None; from qqbot.cli import main; sys.exit(main())"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "words.py").write_text("WORDS = 'first'\n")
    (tmp_path / "a_bot.py").write_text(BOT.format(start="pass"))
    return tmp_path


@asynccontextmanager
async def reloading(watcher: str, *arguments: str | Path, env: dict[str, str] | None = None) -> AsyncIterator[Program]:
    how = ("-m", "qqbot") if watcher == "watchfiles" else ("-c", WITHOUT)
    async with python(*how, *arguments, "--reload", env=env) as program:
        yield program


async def answered(sim: Simulator, words: str) -> None:
    """Ask until the bot that says these words runs."""
    alice = sim.group("test").member("Alice")
    async with asyncio.timeout(20):
        while (await alice.say("@bot hello", timeout=10)).text != words:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("watcher", WATCHERS)
async def test_run_serves_a_changed_bot_in_the_same_session(folder: Path, watcher: str) -> None:
    async with Simulator() as sim, reloading(watcher, "run", folder / "a_bot.py", env=environment(sim)) as program:
        await program.line("err", "identified")
        await answered(sim, "first")
        (folder / "parts" / "words.py").write_text("WORDS = 'second'\n")
        await program.line("err", "a file has changed")
        await program.line("err", "resumed")
        await answered(sim, "second")
        finished = await program.stopped()
    assert finished.code == 0
    assert finished.err.count("a file has changed") == 1, "a module that is imported is no change"
    assert len(sim.identifies) == 1


@pytest.mark.parametrize("watcher", WATCHERS)
@pytest.mark.parametrize("command", ["run", "simulate"])
async def test_an_edit_while_the_bot_starts_is_seen(folder: Path, watcher: str, command: str) -> None:
    hanging = "print('starting', flush=True); await asyncio.sleep(3600)"
    (folder / "a_bot.py").write_text(BOT.format(start=hanging))
    options = ("--no-browser", "--port", "0") if command == "simulate" else ()
    async with (
        Simulator() as sim,
        reloading(watcher, command, *options, folder / "a_bot.py", env=environment(sim)) as program,
    ):
        await program.line("out", "starting")
        (folder / "a_bot.py").write_text(BOT.format(start="pass"))
        await program.line("err", "identified")
        assert (await program.stopped()).code == 0


async def test_an_edit_while_the_file_is_loaded_is_seen(folder: Path) -> None:
    slow = "import time\nprint('loading', flush=True)\ntime.sleep(1)\n"
    (folder / "a_bot.py").write_text(slow + BOT.format(start="pass").replace("WORDS)", "'old')"))
    async with Simulator() as sim, reloading("watchfiles", "run", folder / "a_bot.py", env=environment(sim)) as program:
        await program.line("out", "loading")
        (folder / "a_bot.py").write_text(BOT.format(start="pass"))
        await program.line("err", "a file has changed")
        await program.line("err", "identified")
        await answered(sim, "first")
        assert (await program.stopped()).code == 0


async def test_a_broken_file_is_told_and_mended(folder: Path) -> None:
    (folder / "a_bot.py").write_text("(")
    async with Simulator() as sim, reloading("watchfiles", "run", folder / "a_bot.py", env=environment(sim)) as program:
        await program.line("err", "is not valid Python")
        (folder / "a_bot.py").write_text(BOT.format(start="raise ValueError('no database')"))
        await program.line("err", "no database")
        (folder / "a_bot.py").write_text(BOT.format(start="pass"))
        await program.line("err", "identified")
        assert (await program.stopped()).code == 0


async def test_the_simulator_refuses_no_reload(folder: Path) -> None:
    words = ("simulate", "--json", "--no-browser", "--port", "0", folder / "a_bot.py")
    async with reloading("watchfiles", *words) as program:
        platform = json.loads(await program.line("out"))
        await program.line("err", "identified")
        async with Control(platform["api_base"], platform["control_token"]) as control:
            for number in range(14):  # more than the calls for the gateway that the platform allows at once
                (folder / "parts" / "words.py").write_text(f"WORDS = 'number {number}'\n")
                await program.line("err", "resumed")
            assert [each["text"] for each in await control.say("group", "x", timeout=15)] == ["number 13"]
        finished = await program.stopped()
    assert finished.code == 0 and "429" not in finished.err


async def test_there_must_be_a_file_for_run(tmp_path: Path) -> None:
    code, _, err = await run("run", "--reload", "absent.py", cwd=tmp_path)
    assert (code, "absent.py cannot be read" in err) == (3, True)
    assert "--reload" in (await run("run", "--help")).out
