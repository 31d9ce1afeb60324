"""`qqbot migrate` as a command: output, summary, exit codes, and what it needs."""

import re
from pathlib import Path

import pytest

from qqbot.cli import main
from tests.cli.program import python, run

BOT = """import botpy


class MyClient(botpy.Client):
    async def on_c2c_message_create(self, message):
        await message.reply(content="hi")


if __name__ == "__main__":
    client = MyClient(intents=botpy.Intents(public_messages=True))
    client.run(appid="102000001", secret="a-secret-of-the-bot")
"""
NEW = """from qqbot import Bot, C2CMessageCreate, Context, Credentials

bot = Bot(Credentials("102000001", "a-secret-of-the-bot"))


@bot.on(C2CMessageCreate)
async def on_c2c_message_create(ctx: Context[C2CMessageCreate]):
    await ctx.reply("hi")


if __name__ == "__main__":
    bot.run()
"""


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    path = tmp_path / "bot.py"
    path.write_text(BOT, "utf-8")
    return path


def test_the_new_file_is_printed_and_the_old_one_stays(bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", str(bot)]) == 0
    out, err = capsys.readouterr()
    assert lines(out) == lines(NEW)
    assert bot.read_text("utf-8") == BOT
    assert "1 handlers, 1 calls rewritten, 0 left to you" in err


def test_write_replaces_the_file(bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--write", str(bot)]) == 0
    assert lines(bot.read_text("utf-8")) == lines(NEW)
    assert capsys.readouterr().out == ""


def test_a_second_run_has_nothing_to_do(bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--write", str(bot)]) == 0
    first = bot.read_text("utf-8")
    assert main(["migrate", "--write", str(bot)]) == 0
    assert bot.read_text("utf-8") == first
    assert "nothing to do" in capsys.readouterr().err


def test_line_breaks_of_the_file_stay(bot: Path) -> None:
    bot.write_bytes(BOT.replace("\n", "\r\n").encode())
    assert main(["migrate", "--write", str(bot)]) == 0
    written = bot.read_bytes().decode()
    assert "\n" not in written.replace("\r\n", "")
    assert lines(written) == lines(NEW)


def test_diff_shows_the_changes(bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--diff", str(bot)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"--- {bot}\n+++ {bot}\n@@ ")
    assert '-        await message.reply(content="hi")' in out
    assert '+    await ctx.reply("hi")' in out
    assert bot.read_text("utf-8") == BOT


def test_what_is_left_is_in_the_summary_with_its_line(bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bot.write_text(BOT.replace('hi")', 'hi")\n        await self.api.no_such_call(message.id)'), "utf-8")
    assert main(["migrate", "--write", str(bot)]) == 0
    found = re.search(r"bot\.py:(\d+): BotAPI\.no_such_call has no counterpart", capsys.readouterr().err)
    assert found is not None
    line = bot.read_text("utf-8").splitlines()[int(found[1]) - 1]
    assert line.strip().startswith("# qqbot migrate: BotAPI.no_such_call")


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [(None, 1, "cannot be read"), ("class :\n", 2, "is no Python"), (b"\xff\xfe", 1, "read")],
)
def test_a_file_that_is_no_bot(
    content: str | bytes | None, code: int, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bot.py"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SystemExit) as caught:
        main(["migrate", str(path)])
    assert caught.value.code == code
    assert text in capsys.readouterr().err


def test_a_file_without_botpy_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bot.py"
    path.write_text("x = 1\n", "utf-8")
    assert main(["migrate", "--write", str(path)]) == 0
    assert path.read_text("utf-8") == "x = 1\n"
    assert "nothing to do" in capsys.readouterr().err


async def test_missing_libcst_is_named_with_the_command_that_installs_it(bot: Path) -> None:
    script = (
        "import sys; sys.modules['libcst'] = None\n"
        f"from qqbot.cli import main; sys.exit(main(['migrate', {str(bot)!r}]))"
    )
    async with python("-c", script) as program:
        code, out, err = await program.finished()
    assert (code, out) == (3, "")
    assert "pip install 'aioqqbot[migrate]'" in err


async def test_help_names_the_options_without_libcst() -> None:
    script = "import sys; sys.modules['libcst'] = None\nfrom qqbot.cli import main; main(['migrate', '--help'])"
    async with python("-c", script) as program:
        code, out, err = await program.finished()
    assert (code, err) == (0, "")
    assert all(text in out for text in ("--write", "--diff", "Exit codes"))


async def test_a_migrated_bot_is_a_program(bot: Path) -> None:
    code, out, _ = await run("migrate", str(bot))
    assert code == 0
    compile(out, "bot.py", "exec")
