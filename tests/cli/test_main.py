"""The command line as a whole: usage, help, versions."""

import os
import re
import sys
from pathlib import Path

import pytest

import qqbot
from qqbot import __version__
from qqbot.cli import main
from qqbot.config import VARIABLES
from tests.cli.program import python, run


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["new"],
        ["login", "--portal", "nowhere"],
        ["doctor", "a.py", "b.py"],
        ["run"],
        ["run", "a.py", "b.py"],
        ["simulate", "--port", "eighty"],
        ["simulate", "--port", "65536"],
        ["simulate", "bot.py", "--no-bot"],
        ["simulate", "bot.py", "--webhook", "http://127.0.0.1"],
        ["call", "FETCH", "/users/@me"],
        ["call", "GET", "users/@me"],
        ["call", "POST", "/x", "--data", "{"],
        ["webhook"],
        ["webhook", "verify"],
        ["webhook", "send", "http://127.0.0.1"],
        ["webhook", "send", "http://127.0.0.1", "X", "--data", "{"],
        ["webhook", "sign", "--timestamp", "now"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: qqbot" in capsys.readouterr().err


async def test_help_names_the_commands_and_loads_no_more_than_it_needs() -> None:
    script = (
        "import sys; from qqbot.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print({'redis', 'cryptography', 'segno', 'qqbot.simulator', 'qqbot.cli.demo'}"
        " & {*sys.modules})"
    )
    async with python("-c", script) as program:
        code, out, err = await program.finished()
    assert (code, err) == (0, "")
    commands = set(re.findall(r"^    (\w+) ", out, re.MULTILINE))
    assert commands >= {"new", "login", "doctor", "run", "simulate", "call", "webhook", "shards", "explain", "version"}
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
    assert commands == set(re.findall(r"^\| `qqbot (\w+)", page, re.MULTILINE)), "docs/cli.md lists every command"
    assert out.endswith("set()\n")


async def test_version_names_what_a_report_needs() -> None:
    code, out, err = await run("version")
    assert (code, err) == (0, "")
    for name in (f"aioqqbot {__version__}", "aiohttp", "msgspec", "redis", sys.version.split()[0]):
        assert name in out


@pytest.mark.parametrize("module", ["qqbot", "another"])
async def test_version_warns_of_another_package_of_this_name(tmp_path: Path, module: str) -> None:
    info = tmp_path / "qqbot_sdk-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: qqbot-sdk\nVersion: 1.0\n")
    (info / "top_level.txt").write_text(f"{module}\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    code, _, err = await run("version", env={"PYTHONPATH": path})
    assert code == 0
    assert ("qqbot-sdk installs a package named qqbot too" in err) == (module == "qqbot")


def test_help_of_run_names_every_variable_that_the_package_reads(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    out = capsys.readouterr().out
    sources = [path.read_text("utf-8") for path in Path(qqbot.__file__).parent.rglob("*.py")]
    read = {
        name
        for source in sources
        for name in re.findall(r"(?:(?:environ|known)(?:\.get\(|\[|, )|variable\()\"(QQBOT_[A-Z_]+)\"", source)
    }
    assert read == set(VARIABLES)
    assert all(f"  {name}\n" in out for name in read)
