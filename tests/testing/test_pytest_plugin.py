"""The pytest plugin, as other people's projects meet it: each test runs pytest in a process of its own."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ECHO = """\
from qqbot import Bot, Context, GroupAtMessageCreate

bot = Bot()

@bot.on
async def echo(ctx: Context[GroupAtMessageCreate]) -> None:
    await ctx.reply(ctx.text)
"""

FIVE_LINES = """\
from echo import bot

async def test_echo(qq):
    async with qq.run(bot):
        reply = await qq.group("test").member("Alice").say("hello")
        assert reply.text == "hello"
"""

FAILING = FIVE_LINES.replace('== "hello"\n', '== "goodbye"\n')


class Project:
    """A folder with somebody's bot and tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "echo.py").write_text(ECHO)
        (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\nfilterwarnings = error\n")  # also in our plugin

    def run(self, test: str, *options: str, plugins: str = "pytest_asyncio.plugin") -> subprocess.CompletedProcess[str]:
        """Run pytest on one file, with this package's plugin and `plugins` alone."""
        (self.folder / "test_it.py").write_text(test)
        names = ["qqbot.testing.pytest_plugin", *plugins.split()]
        if "pytest_asyncio.plugin" in names:
            options = ("-oasyncio_default_fixture_loop_scope=function", *options)
        return subprocess.run(
            [sys.executable, "-m", "pytest", *(f"-p{name}" for name in names), *options],
            cwd=self.folder,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_five_lines(project: Project) -> None:
    assert "1 passed" in project.run(FIVE_LINES, "-oasyncio_mode=auto").stdout


def test_in_the_strict_mode_of_pytest_asyncio(project: Project) -> None:
    test = "import pytest\n" + FIVE_LINES.replace("async def test", "@pytest.mark.asyncio\nasync def test")
    assert "1 passed" in project.run(test).stdout


def test_in_the_strict_mode_without_a_marker(project: Project) -> None:
    assert "1 passed" in project.run(FIVE_LINES).stdout
    assert "1 passed" in project.run(FIVE_LINES, "-oasyncio_mode=strict").stdout
    in_class = FIVE_LINES.replace(
        "async def test_echo(qq)",
        "class TestIt:\n  @pytest.mark.parametrize('n', range(2))\n  async def test_echo(self, qq, n)",
    )
    assert "2 passed" in project.run("import pytest\n" + in_class).stdout


def test_the_test_of_the_readme(project: Project) -> None:
    """Copied into a folder without any configuration."""
    (project.folder / "pytest.ini").unlink()
    tests: set[str] = set()
    for name in ("README.md", "README.zh-CN.md"):
        blocks = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text("utf-8"), re.DOTALL)
        [test] = [block for block in blocks if "(qq)" in block]
        tests.add(test)
    for test in tests:  # mostly one and the same in both languages
        assert "1 passed" in project.run(test).stdout


def test_async_tests_without_our_fixture_are_left_alone(project: Project) -> None:
    out = project.run("async def test_other():\n    pass\n").stdout
    assert "1 passed" not in out
    own = "import pytest\n@pytest.fixture\ndef qq():\n    return 1\n"
    assert "1 passed" not in project.run(f"{own}async def test_other(qq):\n    pass\n").stdout


def test_a_fixture_that_extends_ours(project: Project) -> None:
    extended = "import pytest\n@pytest.fixture\ndef qq(qq):\n    qq.shards = 1\n    return qq\n"
    assert "1 passed" in project.run(extended + FIVE_LINES).stdout


def test_without_a_plugin_one_line_says_what_is_missing(project: Project) -> None:
    out = project.run(FIVE_LINES, plugins="").stdout
    assert "needs pytest-asyncio: pip install 'aioqqbot[testing]'" in out
    assert "1 failed" in out
    assert len([line for line in out.partition("FAILURES")[2].splitlines() if line.startswith("an async test")]) == 1
    assert "async def functions are not natively supported" not in out


def test_with_anyio_and_pytest_asyncio(project: Project) -> None:
    test = "import pytest\n" + FIVE_LINES.replace("async def test", "@pytest.mark.anyio\nasync def test")
    test += "\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    assert "1 passed" in project.run(test, plugins="anyio.pytest_plugin pytest_asyncio.plugin").stdout


def test_with_anyio(project: Project) -> None:
    test = "import pytest\n" + FIVE_LINES.replace("async def test", "@pytest.mark.anyio\nasync def test")
    test += "\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    assert "1 passed" in project.run(test, plugins="anyio.pytest_plugin").stdout


def test_without_any_plugin_for_async_tests(project: Project) -> None:
    test = "import asyncio\n" + FIVE_LINES.replace("async def test_echo", "async def chat")
    test += "\ndef test_echo(qq):\n    asyncio.run(chat(qq))\n"
    assert "1 passed" in project.run(test, plugins="").stdout


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_failing_test_shows_chat_frames_and_calls(project: Project, workers: str) -> None:
    out = project.run(FAILING, "-oasyncio_mode=auto", workers, plugins="pytest_asyncio.plugin xdist.plugin").stdout
    assert "1 failed" in out
    for words in (
        "- qq chat -",
        "group test, Alice: hello",
        "group test, bot: hello",
        "- qq frames -",
        'bot <- {"id":"GROUP_AT_MESSAGE_CREATE:',
        "- qq calls -",
        "/messages: 200",
    ):
        assert words in out
    assert '"access_token":"***"' in out
    assert '"token":"QQBot ***"' in out


def test_a_passing_test_shows_nothing(project: Project) -> None:
    assert "qq chat" not in project.run(FIVE_LINES, "-oasyncio_mode=auto", "-rA").stdout


RAISING = """\
import pytest
from qqbot import Bot, C2CMessageCreate, Context

bot = Bot()

@bot.on
async def answer(ctx: Context[C2CMessageCreate]) -> None:
    await ctx.reply("first")
    raise ValueError("oh no")

async def test_unexpected(qq):
    async with qq.run(bot):
        assert (await qq.user("Alice").say("hello")).text == "first"

async def test_expected(qq):
    async with qq.run(bot):
        with qq.expect_error(ValueError) as errors:
            await qq.user("Alice").say("hello")
        assert str(errors[0]) == "oh no"

async def test_another(qq):
    async with qq.run(bot):
        with pytest.raises(AssertionError), qq.expect_error(KeyError):
            await qq.user("Alice").say("hello")
"""


def test_a_failing_handler_fails_the_test(project: Project) -> None:
    out = project.run(RAISING, "-rA").stdout
    assert "2 failed, 1 passed" in out
    assert "PASSED test_it.py::test_expected" in out
    assert "answer raised ValueError. If the test expects it: `with qq.expect_error(...):`" in out
    assert 'raise ValueError("oh no")' in out
    assert "- qq chat -" in out


def test_the_marker_has_the_simulators_options(project: Project) -> None:
    test = "import pytest\n@pytest.mark.qq(shards=3, app_id='7')\ndef test_it(qq):\n    assert qq.app_id == '7'\n"
    assert "1 passed" in project.run(test, "--strict-markers").stdout
    test = "import pytest\n@pytest.mark.qq(sharts=3)\ndef test_it(qq):\n    pass\n"
    assert "sharts" in project.run(test).stdout


def test_other_tests_see_nothing_of_it(project: Project) -> None:
    (project.folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    test = """\
import asyncio
import pytest

@pytest.fixture
def qq():
    return "mine"

def test_own_fixture(qq):
    assert qq == "mine"

def test_no_loop():
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()

def test_fails(tmp_path):
    assert tmp_path is None
"""
    out = project.run(test, "--strict-markers", "--strict-config", plugins="").stdout
    assert "1 failed, 2 passed" in out
    assert "qq " not in out.partition("FAILURES")[2]


def test_it_imports_no_simulator_before_a_test_asks_for_one(project: Project) -> None:
    test = """\
import sys

def test_others():
    assert "qqbot.testing.pytest_plugin" in sys.modules
    assert "qqbot.simulator" not in sys.modules
"""
    assert "1 passed" in project.run(test, plugins="").stdout


def test_side_by_side(project: Project) -> None:
    """Many tests in two processes, each with a simulator of its own: quick, and none in another's way."""
    test = FIVE_LINES.replace(
        "async def test_echo(qq):", "@pytest.mark.parametrize('n', range(200))\nasync def test_echo(qq, n):"
    )
    start = time.monotonic()
    out = project.run(
        "import pytest\n" + test, "-oasyncio_mode=auto", "-n2", plugins="pytest_asyncio.plugin xdist.plugin"
    ).stdout
    assert "200 passed" in out
    assert time.monotonic() - start < 40
