"""`qqbot simulate --reload`: the bot changes, the simulator with its chat and its session lives on."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.control import Control
from tests.cli.program import Program, qqbot, run

BOT = """\
from qqbot import Bot, Context, GroupAtMessageCreate
from words import shout

bot = Bot()

@bot.on
async def answer(ctx: Context[GroupAtMessageCreate]) -> None:
    await ctx.reply(shout(ctx.text))
"""


class Workshop:
    """A bot in a folder, and the simulator that serves it."""

    def __init__(self, folder: Path, program: Program, control: Control) -> None:
        self.folder = folder
        self.program = program
        self.control = control

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    async def answer(self, text: str) -> str | None:
        replies = await self.control.say("group", text, timeout=15)
        return replies[0]["text"] if replies else None

    async def state(self, **wanted: int) -> dict[str, Any]:
        """The simulator's state once it has so many RESUMEs or IDENTIFYs."""
        async with asyncio.timeout(15):
            while True:
                state = await self.control.state()
                if all(len(state[name]) >= count for name, count in wanted.items()):
                    return state
                await asyncio.sleep(0.05)

    async def notice(self, words: str) -> str:
        """What the chat tells, once it has these words."""
        async with asyncio.timeout(15):
            while True:
                for message in (await self.control.state())["messages"]:
                    if message["from"] == "system" and words in message["text"]:
                        return message["text"]
                    for remark in message["remarks"]:
                        if words in remark.get("text", ""):
                            return remark["text"]
                await asyncio.sleep(0.05)


def prepare(folder: Path) -> Path:
    (folder / "words.py").write_text("def shout(text):\n    return text.upper()\n")
    (folder / "shouter.py").write_text(BOT)
    return folder / "shouter.py"


@pytest.fixture
async def workshop(tmp_path: Path) -> AsyncIterator[Workshop]:
    file = prepare(tmp_path)
    words = ("simulate", "--json", "--no-browser", "--port", "0", "--reload", file)
    async with qqbot(*words) as program:
        platform = json.loads(await program.line("out"))
        async with Control(platform["api_base"], platform["control_token"]) as control:
            yield Workshop(tmp_path, program, control)
        finished = await program.stopped()
    assert finished.code == 0


async def test_a_changed_bot_resumes(workshop: Workshop) -> None:
    assert await workshop.answer("one") == "ONE"
    workshop.write("shouter.py", BOT.replace("shout(ctx.text)", "shout(ctx.text) + '!'"))
    state = await workshop.state(resumes=1)
    assert await workshop.answer("two") == "TWO!"
    assert len(state["identifies"]) == 1, "the session was thrown away"
    assert [message["text"] for message in state["messages"] if message["from"] == "bot"] == ["ONE"]


async def test_a_changed_module_beside_it(workshop: Workshop) -> None:
    assert await workshop.answer("one") == "ONE"
    workshop.write("words.py", "def shout(text):\n    return text.title()\n")
    await workshop.state(resumes=1)
    assert await workshop.answer("two") == "Two"


async def test_a_syntax_error_is_told_in_the_chat_and_mended(workshop: Workshop) -> None:
    assert await workshop.answer("one") == "ONE"
    workshop.write("shouter.py", BOT + "\n(")
    assert "shouter.py is not valid Python" in await workshop.notice("SyntaxError")
    workshop.write("shouter.py", BOT)
    await workshop.state(resumes=1)
    assert await workshop.answer("two") == "TWO"


async def test_a_module_that_fails_and_is_mended(workshop: Workshop) -> None:
    assert await workshop.answer("one") == "ONE"
    workshop.write("words.py", "1 / 0\n")
    assert "words.py" in await workshop.notice("ZeroDivisionError")
    workshop.write("words.py", "def shout(text):\n    return text.lower()\n")
    await workshop.state(resumes=1)
    assert await workshop.answer("TWO") == "two"


async def test_what_a_handler_raises_is_told_in_the_chat(workshop: Workshop) -> None:
    assert await workshop.answer("one") == "ONE"
    workshop.write("words.py", "def shout(text):\n    raise KeyError('no such word')\n")
    await workshop.notice("starts again")
    assert await workshop.answer("one") is None
    told = await workshop.notice("no such word")
    assert 'words.py", line 2, in shout' in told


async def test_what_the_platform_says_of_the_bot_is_told_in_the_chat(workshop: Workshop) -> None:
    assert await workshop.answer("one") == "ONE"
    await workshop.control.post("fault", kind="close", code=4914)
    assert "4914" in await workshop.notice("4914")
    workshop.write("shouter.py", BOT + "\n")
    await workshop.state(identifies=2)
    assert await workshop.answer("two") == "TWO"


async def test_it_may_be_broken_at_the_start(tmp_path: Path) -> None:
    file = prepare(tmp_path)
    file.write_text("(")
    async with qqbot("simulate", "--json", "--no-browser", "--port", "0", "--reload", file) as program:
        platform = json.loads(await program.line("out"))
        async with Control(platform["api_base"], platform["control_token"]) as control:
            workshop = Workshop(tmp_path, program, control)
            await workshop.notice("SyntaxError")
            workshop.write("shouter.py", BOT)
            await workshop.state(identifies=1)
            assert await workshop.answer("one") == "ONE"
        assert (await program.stopped()).code == 0


async def test_there_must_be_a_file(tmp_path: Path) -> None:
    assert (await run("simulate", "--reload", "--no-browser")).code == 3
    code, _, err = await run("simulate", "--reload", "--no-browser", "absent.py", cwd=tmp_path)
    assert (code, "absent.py cannot be read" in err) == (3, True)
