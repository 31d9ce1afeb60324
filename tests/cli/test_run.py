"""`qqbot run`: exit codes, signals, and what it never prints."""

import asyncio
import signal
import socket
from pathlib import Path

import aiohttp
import pytest

from qqbot.testing import Simulator
from tests.cli.control import Control
from tests.cli.program import PATIENCE, environment, qqbot, run

ECHO = """
from qqbot import Bot, C2CMessageCreate, Context, GroupAtMessageCreate
bot = Bot()
@bot.on
async def echo(ctx: Context[GroupAtMessageCreate | C2CMessageCreate]) -> None:
    await ctx.reply(ctx.text)
"""

SLOW = """
import asyncio
from qqbot import Bot, C2CMessageCreate, Context
bot = Bot()
@bot.on
async def slow(ctx: Context[C2CMessageCreate]) -> None:
    print("begun", flush=True)
    await asyncio.sleep(float(ctx.text))
    await ctx.reply("done")
    print("done", flush=True)
"""


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    file = tmp_path / "echo.py"
    file.write_text(ECHO)
    return file


async def test_a_conversation_and_a_clean_end(sim: Simulator, control: Control, echo: Path) -> None:
    async with qqbot("run", echo, env=environment(sim)) as program:
        await program.line("err", "identified")
        assert [reply["text"] for reply in await control.say("group", "hello")] == ["hello"]
        assert [reply["text"] for reply in await control.say("c2c", "你好")] == ["你好"]
        code, out, err = await program.stopped()
    assert (code, out) == (0, "")
    assert "Traceback" not in err


async def test_a_signal_lets_handlers_finish(sim: Simulator, control: Control, tmp_path: Path) -> None:
    file = tmp_path / "slow.py"
    file.write_text(SLOW)
    async with qqbot("run", file, env=environment(sim)) as program:
        await program.line("err", "identified")
        asking = asyncio.create_task(control.say("c2c", "0.5"))
        await program.line("out", "begun")
        code, out, _ = await program.stopped()
        assert (code, out) == (0, "begun\ndone\n")
        assert [reply["text"] for reply in await asking] == ["done"]


async def test_a_second_signal_does_not_wait(sim: Simulator, control: Control, tmp_path: Path) -> None:
    file = tmp_path / "slow.py"
    file.write_text(SLOW)
    async with qqbot("run", file, env=environment(sim)) as program:
        await program.line("err", "identified")
        await control.post("say", scene="c2c", conversation="test", user="Alice", text="30", timeout=0.1)
        await program.line("out", "begun")
        program.signal()
        await program.line("err", "stopping")
        code, out, err = await program.stopped()
    assert (code, out) == (130, "begun\n")
    assert "second signal" in err


async def test_ctrl_c_is_a_clean_end(sim: Simulator, control: Control, echo: Path) -> None:
    async with qqbot("run", echo, env=environment(sim)) as program:
        await program.line("err", "identified")
        program.signal(signal.SIGINT)
        code, _, err = await program.finished()
    assert code == 0
    assert "KeyboardInterrupt" not in err


async def test_missing_credentials_exit_with_3(echo: Path) -> None:
    code, out, err = await run("run", echo)
    assert (code, out) == (3, "")
    assert err.startswith("qqbot: no credentials: set QQBOT_APP_ID and QQBOT_SECRET")


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"QQBOT_APP_ID": "12a", "QQBOT_SECRET": "s"}, "app_id must be the bot's AppID"),
        ({"QQBOT_APP_ID": "12"}, "neither QQBOT_SECRET nor QQBOT_SECRET_FILE is"),
        ({"QQBOT_APP_ID": "12", "QQBOT_SECRET": "a b c "}, "without spaces around it"),
        ({"QQBOT_APP_ID": "12", "QQBOT_SECRET_FILE": "/nowhere/at-all"}, "/nowhere/at-all cannot be read"),
        ({"QQBOT_APP_ID": "12", "QQBOT_SECRET": "s", "QQBOT_API_BASE": "nonsense"}, "api_base='nonsense'"),
        ({"QQBOT_APP_ID": "12", "QQBOT_SECRET": "s", "QQBOT_API_BASE": "http://example.com"}, "in the clear"),
        ({"QQBOT_APP_ID": "12", "QQBOT_SECRET": "s", "QQBOT_SHARDS": "many"}, "shards='many'"),
    ],
)
async def test_a_malformed_configuration_exits_with_3(echo: Path, variables: dict[str, str], sentence: str) -> None:
    code, _, err = await run("run", echo, env=variables)
    assert code == 3
    assert sentence in err
    assert "a b c" not in err
    assert "Traceback" not in err


async def test_a_refused_secret_exits_with_4(sim: Simulator, echo: Path) -> None:
    code, _, err = await run("run", echo, env=environment(sim, QQBOT_SECRET="not-the-right-one"))
    assert code == 4
    assert "100016" in err
    assert "not-the-right-one" not in err
    assert "Traceback" not in err


async def test_4914_exits_with_5_and_says_why(sim: Simulator, control: Control, echo: Path) -> None:
    async with qqbot("run", echo, env=environment(sim)) as program:
        await program.line("err", "identified")
        await control.post("fault", kind="close", code=4914)
        code, _, err = await program.finished()
    assert code == 5
    assert "qqbot: the gateway closed with 4914: " in err
    assert "hint " in err
    assert "Traceback" not in err


async def test_an_unreachable_platform_warns_and_goes_on_trying(echo: Path) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.setblocking(False)
        base = f"http://127.0.0.1:{door.getsockname()[1]}"
        variables = {"QQBOT_APP_ID": "1", "QQBOT_SECRET": "not-to-be-seen", "QQBOT_API_BASE": base}
        async with qqbot("run", echo, env=variables) as program:
            await program.line("err", "WARNING")
            door.listen()
            async with asyncio.timeout(PATIENCE):
                again, _ = await asyncio.get_running_loop().sock_accept(door)
            again.close()
            code, _, err = await program.stopped()
    assert code == 0
    assert base.removeprefix("http://") in err
    assert "Traceback" not in err
    assert "not-to-be-seen" not in err


async def test_a_misspelt_variable_is_named(sim: Simulator, echo: Path) -> None:
    async with qqbot("run", echo, env=environment(sim, QQBOT_API_BAES="x")) as program:
        assert "did you mean QQBOT_API_BASE?" in await program.line("err", "QQBOT_API_BAES")
        assert (await program.stopped()).code == 0


async def test_debug_shows_bodies_but_no_secret(sim: Simulator, control: Control, echo: Path) -> None:
    async with qqbot("run", echo, env=environment(sim, QQBOT_LOG="debug")) as program:
        await program.line("err", "identified")
        await control.say("group", "a body to be seen")
        await control.say("c2c", "another one")
        await control.post("fault", kind="op7")
        await program.line("err", "resumed")
        code, out, err = await program.stopped()
    assert (code, out) == (0, "")
    assert "a body to be seen" in err
    assert "/messages" in err
    assert sim.secret not in err
    assert await token(sim) not in err


async def token(sim: Simulator) -> str:
    """The access token that the bot used: a call within its life gives the same one."""
    async with aiohttp.ClientSession() as session:
        body = {"appId": sim.app_id, "clientSecret": sim.secret}
        async with session.post(sim.token_url, json=body) as response:
            return (await response.json())["access_token"]
