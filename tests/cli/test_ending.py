"""`qqbot run` ends in bounded time, whatever handlers, tasks and threads do, and names what goes on."""

import time
from pathlib import Path

import pytest

from qqbot.testing import Simulator
from tests.cli.control import Control
from tests.cli.program import Finished, environment, python, qqbot

HURRY = """
import asyncio, threading, time
import qqbot.aio.ending, qqbot.bot.program
from qqbot import Bot, C2CMessageCreate, Context
qqbot.aio.ending.ENDING_SECONDS = qqbot.bot.program.ENDING_SECONDS = 0.5
qqbot.aio.ending.LAST_SECONDS = 0.2
bot = Bot(drain=0.2)
"""

HANDLER = """
@bot.on
async def stubborn(ctx: Context[C2CMessageCreate]) -> None:
    print("begun", flush=True)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
"""

DIALOG = """
@bot.on
async def stubborn(ctx: Context[C2CMessageCreate]) -> None:
    print("begun", flush=True)
    while True:
        try:
            await ctx.wait_for(C2CMessageCreate)
        except asyncio.CancelledError:
            pass
"""

SPAWNED = """
@bot.on
async def spawn(ctx: Context[C2CMessageCreate]) -> None:
    async def stubborn() -> None:
        print("begun", flush=True)
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
    bot.spawn(stubborn(), name="my task")
"""

FOREIGN = SPAWNED.replace('bot.spawn(stubborn(), name="my task")', "spawn.task = asyncio.create_task(stubborn())")

ERROR_HOOK = """
@bot.on
async def fails(ctx: Context[C2CMessageCreate]) -> None:
    raise ValueError
@bot.on_error
async def stubborn(ctx: object, error: Exception) -> None:
    print("begun", flush=True)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
"""

SHARD_HOOK = """
@bot.on_shard_event
async def stubborn(event: object) -> None:
    if event.kind == "identified":
        print("begun", flush=True)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
"""

JOB = """
def lengthy() -> None:
    print("begun", flush=True)
    time.sleep(3600)
@bot.on
async def work(ctx: Context[C2CMessageCreate]) -> None:
    await asyncio.to_thread(lengthy)
"""

THREAD = """
def lengthy() -> None:
    print("begun", flush=True)
    time.sleep(3600)
@bot.on
async def work(ctx: Context[C2CMessageCreate]) -> None:
    threading.Thread(target=lengthy, name="my thread").start()
"""


async def end(sim: Simulator, tmp_path: Path, source: str, *options: str) -> Finished:
    """Run a bot, let its handler begin, and stop it: it must end within 10 s."""
    file = tmp_path / "bot_file.py"
    file.write_text(HURRY + source)
    async with (
        qqbot("run", *options, file, env=environment(sim)) as program,
        Control(sim.api_base, sim.control_token) as control,
    ):
        await program.line("err", "identified")
        await control.post("say", scene="c2c", conversation="test", user="Alice", text="go", timeout=0.1)
        await program.line("out", "begun")
        asked = time.monotonic()
        finished = await program.stopped()
        assert time.monotonic() - asked < 10
        return finished


@pytest.mark.parametrize(
    ("source", "task"),
    [
        (HANDLER, "'qqbot worker' goes on"),
        (DIALOG, "'qqbot worker' goes on"),
        (SPAWNED, "'my task' goes on"),
        (FOREIGN, "goes on"),
        (ERROR_HOOK, "'qqbot worker' goes on"),
        (SHARD_HOOK, "'qqbot on_shard_event' goes on"),
    ],
    ids=["handler", "dialog", "spawned", "foreign", "on_error", "on_shard_event"],
)
async def test_what_swallows_its_cancellation_is_named_and_left_behind(
    sim: Simulator, tmp_path: Path, source: str, task: str
) -> None:
    code, _, err = await end(sim, tmp_path, source)
    assert code == 0
    assert task in err and "in stubborn" in err, "the task is not named, or its stack is missing"
    assert "bot_file.py" in err
    assert err.count("in stubborn") == err.count("goes on"), "each is named once"


@pytest.mark.parametrize(("source", "thread"), [(JOB, "'asyncio_0'"), (THREAD, "'my thread'")], ids=["job", "thread"])
async def test_a_thread_that_holds_the_process_is_named_and_does_not_hold_it_for_ever(
    sim: Simulator, tmp_path: Path, source: str, thread: str
) -> None:
    code, _, err = await end(sim, tmp_path, source)
    assert code == 0
    assert f"the thread {thread} goes on" in err and "in lengthy" in err


async def test_it_does_not_hold_a_bot_that_is_reloaded_either(sim: Simulator, tmp_path: Path) -> None:
    code, _, err = await end(sim, tmp_path, JOB, "--reload")
    assert code == 0
    assert "the thread 'asyncio_" in err and "in lengthy" in err


async def test_a_program_that_goes_on_after_the_bot_is_left_alone(sim: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(
        HURRY
        + THREAD
        + "try:\n    bot.run()\nexcept SystemExit:\n    time.sleep(2)\n    print('went on', flush=True)\n"
    )
    async with python(file, env=environment(sim)) as program, Control(sim.api_base, sim.control_token) as control:
        await program.line("err", "identified")
        await control.post("say", scene="c2c", conversation="test", user="Alice", text="go", timeout=0.1)
        await program.line("out", "begun")
        code, out, _ = await program.stopped()
    assert (code, out) == (0, "begun\nwent on\n")
