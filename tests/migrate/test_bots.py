"""Bots in botpy's style before and after `qqbot migrate`: the same chat.

Before, on qq-botpy from PyPI, in a process: `nox -s interop` installs it; what is not installed is skipped. After, with
this package, here.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from qqbot.cli import main
from qqbot.cli.loading import load_bot
from qqbot.cli.migrate.assembly import migrate
from qqbot.testing import Simulator
from tests.cli.program import environment
from tests.interop.sdks import INSTALLED
from tests.interop.test_sdks import picture
from tests.migrate.chats import CHATS, LEFT, PATIENCE, PUBLIC

HERE = Path(__file__).parent
BOTS = sorted((HERE / "bots").glob("*.py"))
RUN = [
    pytest.param(each, marks=pytest.mark.qq(profile="public" if each.stem in PUBLIC else "private"), id=each.stem)
    for each in BOTS
]
BOTPY = INSTALLED / "qq-botpy" / "bin" / "python"


def settings(qq: Simulator) -> dict[str, str]:
    image = qq.attachment(picture(), name="tea.png")
    return environment(qq, CHANNEL=qq.channel("general").id, IMAGE_URL=str(image["url"]))


def copied(source: Path, folder: Path, qq: Simulator) -> Path:
    """Copy a bot beside a configuration file."""
    copy = folder / source.name
    copy.write_text(source.read_text("utf-8"), "utf-8")
    (folder / "config.yaml").write_text(f'appid: "{qq.app_id}"\nsecret: "{qq.secret}"\n', "utf-8")
    return copy


@asynccontextmanager
async def running(qq: Simulator, folder: Path, *command: str | Path) -> AsyncIterator[None]:
    """Run a bot in a process; what it printed is shown where a test fails."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=folder,
        env={**os.environ, **settings(qq)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    printing = asyncio.create_task(process.communicate())
    try:
        async with asyncio.timeout(PATIENCE):
            await qq.ready()
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        out, _ = await printing
        print(out.decode(errors="replace"))


def test_each_bot_has_a_chat() -> None:
    assert [each.stem for each in BOTS] == sorted(CHATS)
    assert len(BOTS) >= 20
    assert len(BOTS) - len(LEFT) >= 15


@pytest.mark.skipif(not BOTPY.exists(), reason="qq-botpy is not installed: nox -s interop")
@pytest.mark.parametrize("source", RUN)
async def test_before(qq: Simulator, source: Path, tmp_path: Path) -> None:
    async with qq, running(qq, tmp_path, BOTPY, HERE / "on_qq_botpy.py", copied(source, tmp_path, qq)):
        await CHATS[source.stem](qq)
        assert qq.violations == []


@pytest.mark.parametrize("source", [each for each in RUN if each.id not in LEFT])
async def test_after(qq: Simulator, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with qq:
        for name, value in settings(qq).items():
            monkeypatch.setenv(name, value)
        new = copied(source, tmp_path, qq)
        assert main(["migrate", str(new), "--write"]) == 0
        assert "botpy" not in new.read_text("utf-8").split('"""', 2)[-1]
        async with qq.run(load_bot(str(new))):
            await CHATS[source.stem](qq)
        assert qq.violations == []


@pytest.mark.parametrize("name", ["at_reply", "errors"])
async def test_after_as_a_program(qq: Simulator, name: str, tmp_path: Path) -> None:
    """One runs `bot.run()` at the end of the file, the other in a function."""
    async with qq:
        new = copied(HERE / "bots" / f"{name}.py", tmp_path, qq)
        assert main(["migrate", str(new), "--write"]) == 0
        async with running(qq, tmp_path, sys.executable, new):
            await CHATS[name](qq)


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_is_named(name: str) -> None:
    done = migrate((HERE / "bots" / f"{name}.py").read_text("utf-8"))
    for part in LEFT[name]:
        assert any(part in text for _, text in done.remarks), done.remarks
