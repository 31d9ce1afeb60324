"""`.env` is read by `run` and `simulate`; what is wrong with it is named, and nothing in it is shown."""

from pathlib import Path

import pytest

from qqbot.testing import Simulator
from tests.cli.program import environment, python, qqbot, run

SECRET = "s3cr3t-of-the-file"
BOT = "import os\nfrom qqbot import Bot\nbot = Bot()\nprint(os.environ.get('EXTRA'), flush=True)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("QQBOT_APP_ID", "QQBOT_SECRET", "QQBOT_API_BASE", "QQBOT_TOKEN_URL", "EXTRA"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "a_bot.py").write_text(BOT)
    return tmp_path


def lines(sim: Simulator) -> str:
    return "".join(f"{name}={value}\n" for name, value in environment(sim).items())


@pytest.mark.parametrize("elsewhere", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
async def test_a_bot_runs_with_it(folder: Path, encoding: str, elsewhere: bool) -> None:
    async with Simulator() as sim:
        text = f'{lines(sim)}# 注释\nexport EXTRA="a # $b"  # a comment\nQQBOT_LOG\n'
        (folder / ".env").write_bytes(text.encode(encoding))
        async with qqbot("run", folder / "a_bot.py", cwd=Path("/") if elsewhere else folder) as program:
            assert await program.line("out") == "a # $b\n"
            await program.line("err", "identified")
            assert (await program.stopped()).code == 0


async def test_what_is_set_already_stays(folder: Path) -> None:
    (folder / ".env").write_text("EXTRA=of the file\nQQBOT_APP_ID=\n")
    assert (await run("run", "a_bot.py", cwd=folder, env={"EXTRA": "of the shell"})).out == "of the shell\n"


async def test_the_working_directory_comes_first(folder: Path) -> None:
    (folder / ".env").write_text("EXTRA=beside\n")
    (folder / "here").mkdir()
    (folder / "here" / ".env").write_text("EXTRA=here\n")
    assert (await run("run", "../a_bot.py", cwd=folder / "here")).out == "here\n"


async def test_the_simulator_reads_it_too(folder: Path) -> None:
    (folder / ".env").write_text("EXTRA=for the bot\nQQBOT_APP_ID=7\nQQBOT_SECRET=of the real one\n")
    async with qqbot("simulate", "--no-browser", "--port", "0", "a_bot.py", cwd=folder) as program:
        assert await program.line("out") == "for the bot\n"
        await program.line("err", "identified")
        assert (await program.stopped()).code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"QQBOT_APP_ID=1\nQQBOT_SECRET=\"'{SECRET}'\"\n", "QQBOT_SECRET begins and ends with a quotation mark"),
        (f"QQBOT_APP_ID=1\nQQBOT_SECRET={SECRET} {SECRET}\n", "QQBOT_SECRET has a blank"),
        (f'QQBOT_APP_ID=1\nQQBOT_SECRET=" {SECRET}"\n', "without spaces around it"),
        (f'QQBOT_APP_ID=1\nQQBOT_SECRET="{SECRET}\ufeff"\n', "AppSecret"),
        (f'QQBOT_APP_ID=1\nQQBOT_SECRET="{SECRET}\0"\n', "cannot be set"),
        (f"QQBOT_APP_ID=1\nQQBOT_SECRET={SECRET}\n\udcff", "not UTF-8"),
    ],
)
async def test_a_wrong_one_is_named(folder: Path, text: str, words: str) -> None:
    (folder / ".env").write_bytes(text.encode("utf-8", "surrogateescape"))
    code, _, err = await run("run", "a_bot.py", cwd=folder)
    assert (code, words in err, SECRET in err, "Traceback" in err) == (3, True, False, False), err


async def test_without_the_extra_it_is_named(folder: Path) -> None:
    (folder / ".env").write_text(f"QQBOT_APP_ID=1\nQQBOT_SECRET={SECRET}\n")
    script = "import sys; sys.modules['dotenv'] = None; from qqbot.cli import main; sys.exit(main())"
    async with python("-c", script, "run", "a_bot.py", cwd=folder) as program:
        code, _, err = await program.finished()
    assert (code, "no credentials" in err) == (3, True)
    assert "WARNING" in err and ".env is not read" in err and "pip install 'aioqqbot[cli]'" in err and "请安装" in err
    assert SECRET not in err


async def test_help_names_it() -> None:
    assert ".env" in (await run("run", "--help")).out
