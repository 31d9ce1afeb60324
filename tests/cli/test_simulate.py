"""`qqbot simulate`: what it prints, the demo bot, one's own bot, and the end."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.control import Control
from tests.cli.program import Program, qqbot, run


@asynccontextmanager
async def simulate(*arguments: str | Path) -> AsyncIterator[tuple[Program, dict[str, str], Control]]:
    """Run `qqbot simulate --json --no-browser`; its first line, and the control API it names."""
    async with qqbot("simulate", "--json", "--no-browser", "--port", "0", *arguments) as program:
        platform = json.loads(await program.line("out"))
        async with Control(platform["api_base"], platform["control_token"]) as control:
            yield program, platform, control


async def test_the_demo_bot_answers_in_a_group_and_in_c2c() -> None:
    async with simulate() as (program, platform, control):
        assert sorted(platform) == ["api_base", "app_id", "control_token", "secret", "token_url", "url"]
        for scene in ("group", "c2c"):
            assert [reply["text"] for reply in await control.say(scene, "hello 你好")] == ["hello 你好"]
            (help_,) = await control.say(scene, "help")
            assert "buttons" in help_["text"]
            assert "按钮" in help_["text"]
            (styled,) = await control.say(scene, "markdown")
            assert styled["markdown"]
        code, out, err = await program.stopped()
    assert code == 0
    assert len(out.splitlines()) == 1
    assert "Traceback" not in err


async def test_the_demo_bot_reacts_to_its_buttons() -> None:
    async with simulate() as (_, _, control):
        for scene in ("group", "c2c"):
            (asked,) = await control.say(scene, "buttons")
            assert asked["keyboard"]
            answer = await control.click(asked["id"], "茶 tea")
            assert answer["ack"] == 0
            assert ["tea" in reply["text"] for reply in answer["replies"]] == [True]


async def test_there_is_a_place_of_each_scene() -> None:
    async with simulate() as (_, _, control):
        places = (await control.state())["conversations"]
        assert {place["scene"] for place in places} == {"group", "c2c", "channel", "dms"}
        assert all(place["members"] for place in places)


async def test_a_bot_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "shout.py"
    file.write_text(
        "from qqbot import Bot, Context, GroupAtMessageCreate\nbot = Bot()\n"
        "@bot.on\n"
        "async def shout(ctx: Context[GroupAtMessageCreate]) -> None:\n"
        "    await ctx.reply(ctx.text.upper())\n"
    )
    async with simulate(file) as (_, _, control):
        assert [reply["text"] for reply in await control.say("group", "hello")] == ["HELLO"]


async def test_without_a_bot_the_platform_waits_for_one() -> None:
    async with simulate("--no-bot") as (program, platform, control):
        assert not (await control.state())["bot"]["online"]
        variables = {
            "QQBOT_APP_ID": platform["app_id"],
            "QQBOT_SECRET": platform["secret"],
            "QQBOT_API_BASE": platform["api_base"],
            "QQBOT_TOKEN_URL": platform["token_url"],
        }
        assert (await run("call", "GET", "/users/@me", env=variables)).code == 0
        assert (await program.stopped()).code == 0


async def test_ctrl_c_is_a_clean_end() -> None:
    async with simulate() as (program, _, _):
        program.signal(signal.SIGINT)
        code, _, err = await program.finished()
    assert code == 0
    assert "Traceback" not in err


async def test_a_bot_that_the_platform_stops_ends_it_with_5() -> None:
    async with simulate() as (program, _, control):
        await control.say("group", "are you there?")
        await control.post("fault", kind="close", code=4914)
        code, _, err = await program.finished()
    assert code == 5
    assert "4914" in err
    assert "Traceback" not in err


async def test_text_for_people() -> None:
    async with qqbot("simulate", "--no-browser", "--port", "0") as program:
        await program.line("out", "Ctrl+C")
        code, out, _ = await program.stopped()
    assert code == 0
    assert out.count("/#") == 1
    for name in ("QQBOT_API_BASE", "QQBOT_TOKEN_URL", "QQBOT_APP_ID", "QQBOT_SECRET"):
        assert f"export {name}=" in out


async def test_a_terminal_without_chinese() -> None:
    variables = {"PYTHONIOENCODING": "ascii"}
    async with qqbot("simulate", "--no-bot", "--no-browser", "--port", "0", env=variables) as program:
        await program.line("out", "Ctrl+C")
        assert (await program.stopped()).code == 0


async def test_the_browser_opens_the_page(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    os.mkfifo(opened)
    browser = tmp_path / "browser"
    browser.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\npathlib.Path({str(opened)!r}).write_text(sys.argv[1])\n"
    )
    browser.chmod(0o755)
    variables = {"BROWSER": str(browser), "DISPLAY": ":0"}
    async with qqbot("simulate", "--json", "--port", "0", env=variables) as program:
        url = json.loads(await program.line("out"))["url"]
        assert await asyncio.to_thread(read, opened) == url
        assert (await program.stopped()).code == 0


def read(fifo: Path) -> str:
    """What is written into `fifo`, once it is."""
    return fifo.read_text()


async def test_no_display_no_browser(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    variables = {"BROWSER": f"touch {opened} %s", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    async with qqbot("simulate", "--json", "--port", "0", env=variables) as program:
        platform = json.loads(await program.line("out"))
        async with Control(platform["api_base"], platform["control_token"]) as control:
            await control.say("c2c", "hello")
        assert (await program.stopped()).code == 0
    assert not opened.exists()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        yield door.getsockname()[1]


async def test_a_port_that_was_asked_for_and_is_taken(taken: int) -> None:
    code, out, err = await run("simulate", "--no-browser", "--port", str(taken))
    assert (code, out) == (3, "")
    assert f"port {taken} cannot be used" in err
    assert "Traceback" not in err


async def test_the_default_port_gives_way() -> None:
    words = ("simulate", "--json", "--no-browser", "--no-bot")
    async with qqbot(*words) as one, qqbot(*words) as two:  # at most one of them gets the default port
        first, second = json.loads(await one.line("out")), json.loads(await two.line("out"))
    assert urlsplit(first["url"]).port != urlsplit(second["url"]).port


async def test_a_wrong_file_ends_it_before_the_platform_starts(tmp_path: Path) -> None:
    code, out, err = await run("simulate", "--no-browser", "absent.py", cwd=tmp_path)
    assert (code, out) == (3, "")
    assert "absent.py cannot be read" in err
