"""`qqbot login`: the code in the terminal, the file that it writes, and the secrets that it never shows."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest

from qqbot.cli import main
from qqbot.cli.login import _quoted
from qqbot.testing import Simulator
from tests.cli.program import Finished, Program, python, qqbot, run

posix = pytest.mark.skipif(os.name != "posix", reason="file modes as POSIX has them")


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def scan(program: Program, sim: Simulator) -> None:
    """Do what the user does: open the address of the code that is shown."""
    url = (await program.line("out", "/connect.html")).strip()
    assert url.startswith(f"{sim.api_base}/qqbot/openclaw/connect.html?task_id=")
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200


async def login(sim: Simulator, folder: Path, *arguments: str) -> Finished:
    async with qqbot("login", "--portal", sim.api_base, *arguments, cwd=folder) as program:
        await scan(program, sim)
        return await program.finished()


@posix
async def test_the_credentials_are_written_for_the_owner_only(sim: Simulator, tmp_path: Path) -> None:
    code, out, err = await login(sim, tmp_path)
    assert (code, err) == (0, "")
    path = tmp_path / ".env"
    assert path.read_text() == f"QQBOT_APP_ID={sim.app_id}\nQQBOT_SECRET={sim.secret}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert files(tmp_path) == [".env"]
    assert sim.secret not in out
    assert "▄▄▄▄▄▄▄" in out and out.count("\n") > 20, "no code was drawn"


async def test_the_bot_connects_with_them(sim: Simulator, tmp_path: Path) -> None:
    assert (await login(sim, tmp_path)).code == 0
    code, out, err = await run("doctor", cwd=tmp_path, env={"QQBOT_API_BASE": sim.api_base})
    assert code == 0, out + err


@posix
async def test_the_other_lines_stay(sim: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "settings.env"
    path.write_text("# mine\nQQBOT_APP_ID=\nQQBOT_SECRET=''\nQQBOT_LOG=debug\n")
    path.chmod(0o644)
    assert (await login(sim, tmp_path, "--file", "settings.env")).code == 0
    written = f"# mine\nQQBOT_LOG=debug\nQQBOT_APP_ID={sim.app_id}\nQQBOT_SECRET={sim.secret}\n"
    assert path.read_text() == written
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("line", ["QQBOT_SECRET=old", "  export QQBOT_SECRET = 'old'", "QQBOT_APP_ID=1"])
async def test_a_secret_is_not_replaced(sim: Simulator, tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"{line}\n")
    code, out, err = await run("login", "--portal", sim.api_base, cwd=tmp_path)
    assert (code, out) == (3, "")
    assert "--replace" in err and "已有凭据" in err and "old" not in err
    assert (tmp_path / ".env").read_text() == f"{line}\n"


async def test_a_secret_that_came_meanwhile_is_not_replaced(sim: Simulator, tmp_path: Path) -> None:
    async with qqbot("login", "--portal", sim.api_base, cwd=tmp_path) as program:
        await program.line("out", "QQ")
        (tmp_path / ".env").write_text("QQBOT_SECRET=old\n")
        await scan(program, sim)
        assert (await program.finished()).code == 3
    assert (tmp_path / ".env").read_text() == "QQBOT_SECRET=old\n"


async def test_a_secret_is_replaced_on_request(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("export QQBOT_SECRET='old'\nA=1\nQQBOT_APP_ID=1\n")
    assert (await login(sim, tmp_path, "--replace")).code == 0
    assert (tmp_path / ".env").read_text() == f"A=1\nQQBOT_APP_ID={sim.app_id}\nQQBOT_SECRET={sim.secret}\n"


async def test_a_code_that_expires(sim: Simulator, tmp_path: Path) -> None:
    async with qqbot("login", "--portal", sim.api_base, cwd=tmp_path) as program:
        await program.line("out", "/connect.html")
        await sim.clock.advance(minutes=6)
        code, _, err = await program.finished()
    assert code == 1
    assert "has expired" in err and "已过期" in err
    assert files(tmp_path) == []


async def test_a_portal_that_is_not_there(tmp_path: Path) -> None:
    code, _, err = await run("login", "--portal", "http://127.0.0.1:9", cwd=tmp_path)
    assert code == 1
    assert "127.0.0.1:9" in err and "Traceback" not in err


async def without(packages: Sequence[str], folder: Path) -> Finished:
    """Run the command where `packages` are not installed."""
    script = f"""\
import sys
from importlib.abc import MetaPathFinder


class Hidden(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {packages!r}:
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Hidden())
from qqbot.cli import main

sys.exit(main(["login"]))
"""
    async with python("-c", script, cwd=folder) as program:
        return await program.finished()


@pytest.mark.parametrize(
    ("packages", "extras"),
    [(["segno"], "cli"), (["cryptography"], "crypto"), (["segno", "cryptography"], "cli,crypto")],
)
async def test_a_missing_package_is_named_with_the_command(packages: list[str], extras: str, tmp_path: Path) -> None:
    code, out, err = await without(packages, tmp_path)
    assert (code, out) == (3, "")
    assert all(package in err for package in packages)
    assert err.count(f"pip install 'aioqqbot[{extras}]'") == 2


@pytest.mark.parametrize("secret", ["abcDEF123", "a#b", "it's", 'say"it', "back\\slash", "$HOME", "#x"])
def test_any_secret_is_read_as_it_was_written(secret: str, tmp_path: Path) -> None:
    from dotenv import dotenv_values

    (tmp_path / ".env").write_text(f"QQBOT_SECRET={_quoted(secret)}\n")
    assert dotenv_values(tmp_path / ".env", interpolate=False) == {"QQBOT_SECRET": secret}


@pytest.mark.parametrize("portal", ["q.qq.com", "http://q.qq.com", "https://a:b@q.qq.com"])
def test_a_bad_portal_is_wrong_usage(portal: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["login", "--portal", portal])
    assert caught.value.code == 2
    assert "--portal" in capsys.readouterr().err


def test_help_names_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["login", "--help"])
    assert caught.value.code == 0
    assert "Exit codes: 0 written" in capsys.readouterr().out
