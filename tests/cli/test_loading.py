"""Each wrong FILE gives one clear error and exit code 3, before anything hangs."""

import os
import sys
from pathlib import Path

import pytest

from qqbot import Bot, ConfigError
from qqbot.cli.loading import MODULE_NAME, load_bot
from tests.cli.program import run

BOT = "from qqbot import Bot\n"


@pytest.fixture(autouse=True)
def clean_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading extends sys.path and sys.modules for good, as a program's start does."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, MODULE_NAME, sys)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "my_bot.py"


def test_the_only_bot_of_a_file(file: Path) -> None:
    file.write_text(BOT + "whatever = Bot()\nalias = whatever\n")
    assert isinstance(load_bot(str(file)), Bot)


def test_one_of_several_by_name(file: Path) -> None:
    file.write_text(BOT + "first = Bot()\nsecond = Bot()\n")
    second = load_bot(f"{file}:second")
    assert second is sys.modules[MODULE_NAME].second


def test_the_main_block_does_not_run(file: Path) -> None:
    file.write_text(BOT + "bot = Bot()\nif __name__ == '__main__':\n    bot.run()\n")
    assert isinstance(load_bot(str(file)), Bot)


def test_neighbours_can_be_imported(file: Path) -> None:
    (file.parent / "neighbour_of_my_bot.py").write_text(BOT + "bot = Bot()\n")
    file.write_text("from neighbour_of_my_bot import bot\n")
    assert isinstance(load_bot(str(file)), Bot)


def test_dataclasses_and_annotations_as_text_work(file: Path) -> None:
    file.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass, KW_ONLY\n"
        "from qqbot import Bot, Context, GroupAtMessageCreate\n"
        "bot = Bot()\n"
        "@dataclass\nclass Answer:\n    _: KW_ONLY\n    text: str = ''\n"
        "@bot.on\nasync def handler(ctx: Context[GroupAtMessageCreate]) -> None: ...\n"
    )
    assert load_bot(str(file))._handlers.match_for("GROUP_AT_MESSAGE_CREATE").handlers


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (BOT + "bot = Bot(\n", "SyntaxError"),
        ("x = '\0'\n", "is not valid Python"),
        (BOT, "has no bot at its top level"),
        (BOT + "one = Bot()\ntwo = Bot()\n", "has 2 bots (one, two): name one of them"),
        ("import nothing_of_that_name\n", "No module named 'nothing_of_that_name'"),
        ("raise SystemExit(0)\n", "ended the program while it was being loaded"),
        (BOT + "bot = Bot()\n\nbot.run()\n", "line 4: {file} calls bot.run() while it is being loaded"),
        (BOT + "bot = Bot(max_inflight=0)\n", "line 2: Bot(max_inflight=...) must be at least 1"),
        (BOT + "bot = Bot()\n@bot.on\nasync def f(ctx: int): ...\n", "cannot tell which event f takes"),
        (BOT + "bot = Bot()\n@bot.on('X')\ndef f(ctx): ...\n", "f must be an `async def` function"),
    ],
)
def test_a_wrong_file_is_one_clear_error(file: Path, source: str, sentence: str) -> None:
    file.write_text(source)
    with pytest.raises(ConfigError) as caught:
        load_bot(str(file))
    assert sentence.format(file=file) in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_failing_file_shows_its_own_lines_only(file: Path) -> None:
    file.write_text("def fail():\n    raise KeyError('here')\n\nfail()\n")
    with pytest.raises(ConfigError) as caught:
        load_bot(str(file))
    text = str(caught.value)
    assert "line 4" in text
    assert "KeyError: 'here'" in text
    assert "loading.py" not in text


@pytest.mark.parametrize("name", ["missing", "not_a_bot"])
def test_a_wrong_name_says_which_there_are(file: Path, name: str) -> None:
    file.write_text(BOT + "right = Bot()\nnot_a_bot = 1\n")
    with pytest.raises(ConfigError, match="its bots: right"):
        load_bot(f"{file}:{name}")


def test_a_missing_file(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"my_bot\.py cannot be read: No such file"):
        load_bot(str(file))


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_bot(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read_it(file: Path) -> None:
    file.write_text(BOT)
    file.chmod(0)
    with pytest.raises(ConfigError, match="Permission denied"):
        load_bot(str(file))


async def test_the_command_reports_it_and_exits_with_3(tmp_path: Path) -> None:
    code, out, err = await run("run", "absent.py", cwd=tmp_path)
    assert (code, out) == (3, "")
    assert err.startswith("qqbot: absent.py cannot be read: No such file or directory")
    assert err.count("\n") == 1


@pytest.fixture
def unguarded(file: Path) -> Path:
    file.write_text(BOT + "bot = Bot()\nbot.run()\n")
    return file


async def test_an_unguarded_run_exits_with_3(unguarded: Path) -> None:
    code, _, err = await run("run", unguarded)
    assert code == 3
    assert 'put it under `if __name__ == "__main__":`' in err
    assert "Traceback" not in err
