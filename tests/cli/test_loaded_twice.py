"""`bot.py` imports `handlers.py`, which imports `bot`: one bot with its handlers, or a refusal in words."""

import json
from pathlib import Path

import pytest

from qqbot.testing import Simulator
from tests.cli.control import Control
from tests.cli.program import environment, python, qqbot, run

BOT = """\
from qqbot import Bot

bot = Bot()

import {handlers}

if __name__ == "__main__":
    bot.run()
"""
HANDLERS = """\
from qqbot import Context, GroupAtMessageCreate
{line}

@bot.on
async def answer(ctx: Context[GroupAtMessageCreate]) -> None:
    await ctx.reply("from the handlers")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_bot.py").write_text(BOT.format(handlers="my_handlers"))
    (tmp_path / "my_handlers.py").write_text(HANDLERS.format(line="from my_bot import bot"))
    return tmp_path


async def answered(sim: Simulator) -> str:
    reply = await sim.group("test").member("Alice").say("@bot hello", timeout=10)
    return reply.text


@pytest.mark.parametrize("name", ["my_bot.py", "my_bot.py:bot", "./my_bot.py"])
@pytest.mark.parametrize("absolute", [True, False])
async def test_a_module_that_imports_the_bot_gets_the_one_that_runs(folder: Path, name: str, absolute: bool) -> None:
    target = str(folder / name) if absolute else name
    async with Simulator() as sim, qqbot("run", target, env=environment(sim), cwd=folder) as program:
        await program.line("err", "identified")
        assert await answered(sim) == "from the handlers"
        assert (await program.stopped()).code == 0


async def test_it_is_the_same_module_after_a_reload(folder: Path) -> None:
    words = ("simulate", "--json", "--no-browser", "--port", "0", "--reload", folder / "my_bot.py")
    async with qqbot(*words) as program:
        platform = json.loads(await program.line("out"))
        async with Control(platform["api_base"], platform["control_token"]) as control:
            assert [each["text"] for each in await control.say("group", "x", timeout=15)] == ["from the handlers"]
            handlers = folder / "my_handlers.py"
            handlers.write_text(handlers.read_text().replace("from the", "again from the"))
            await program.line("err", "a file has changed")
            assert [each["text"] for each in await control.say("group", "x", timeout=15)] == ["again from the handlers"]
        assert (await program.stopped()).code == 0


async def test_the_name_of_a_module_that_is_loaded_stays_with_it(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("from qqbot import Bot\nimport json\nassert json.loads('1') == 1\nbot = Bot()\n")
    code, _, err = await run("run", tmp_path / "json.py", env={"QQBOT_APP_ID": "", "QQBOT_SECRET": ""})
    assert (code, "no credentials" in err) == (3, True), err


async def test_another_name_of_the_file_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "app"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "my_bot.py").write_text(BOT.format(handlers="app.my_handlers"))
    (package / "my_handlers.py").write_text(HANDLERS.format(line="from app.my_bot import bot"))
    async with Simulator() as sim:
        variables = {**environment(sim), "PYTHONPATH": f"{tmp_path}:{_path()}"}
        code, _, err = await run("run", package / "my_bot.py", env=variables)
    assert code == 3
    assert "was loaded twice" in err and "app.my_bot" in err and "两次" in err


async def test_a_program_that_is_imported_again_is_refused(folder: Path) -> None:
    async with Simulator() as sim, python(folder / "my_bot.py", env=environment(sim), cwd=folder) as program:
        code, _, err = await program.finished()
    assert code == 3, err
    assert "imported again as my_bot" in err and "qqbot run" in err


async def test_a_program_that_is_loaded_once_runs(folder: Path) -> None:
    (folder / "my_handlers.py").write_text("")
    async with Simulator() as sim, python(folder / "my_bot.py", env=environment(sim), cwd=folder) as program:
        await program.line("err", "identified")
        assert (await program.stopped()).code == 0


def _path() -> str:
    import os

    return os.environ.get("PYTHONPATH", "")
