"""`qqbot intake` and `qqbot work`: from the platform through a real store to the handlers, and how they end."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from qqbot.cli import main
from qqbot.errors import ConfigError
from qqbot.ingest.urls import sink_of, source_of
from qqbot.testing import Simulator
from tests.cli.control import Control
from tests.cli.program import environment, qqbot, run
from tests.redis.servers import Server, engine, started, store

__all__ = ["engine", "store"]

BOT = """
from qqbot import Bot, C2CMessageCreate, Context, GroupAtMessageCreate
bot = Bot()
@bot.on
async def echo(ctx: Context[GroupAtMessageCreate | C2CMessageCreate]) -> None:
    if ctx.text == "fail":
        raise ValueError("it fails")
    await ctx.reply(ctx.text)
"""

STUCK = """
import asyncio, time
import qqbot.aio.ending, qqbot.bot.program
from qqbot import Bot, C2CMessageCreate, Context
qqbot.aio.ending.ENDING_SECONDS = qqbot.bot.program.ENDING_SECONDS = 0.5
bot = Bot(drain=0.2)
def lengthy() -> None:
    print("begun", flush=True)
    time.sleep(3600)
@bot.on
async def work(ctx: Context[C2CMessageCreate]) -> None:
    await asyncio.to_thread(lengthy)
"""


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    file = tmp_path / "bot.py"
    file.write_text(BOT)
    return file


async def test_a_conversation_through_a_store_and_a_clean_end(
    sim: Simulator, control: Control, bot: Path, store: Server
) -> None:
    env = environment(sim)
    async with qqbot("intake", "--to", store.url, env=env) as intake:
        await intake.line("err", "identified")
        async with qqbot("work", bot, "--from", store.url, "--attempts", "1", env=env) as worker:
            await worker.line("err", "working")
            assert [reply["text"] for reply in await control.say("group", "hello")] == ["hello"]
            assert [reply["text"] for reply in await control.say("c2c", "你好")] == ["你好"]
            worker.signal(signal.SIGTERM)
            code, _, err = await worker.finished()
            assert code == 0, err
            assert "Traceback" not in err
        sim.push_message("c2c", user="Alice", text="meanwhile")  # waits in the store
        async with qqbot("work", bot, env=env | {"QQBOT_BROKER_URL": store.url}) as worker:
            async with asyncio.timeout(30):
                while not sim.user("Alice").messages or sim.user("Alice").messages[-1].text != "meanwhile":
                    await asyncio.sleep(0.05)
            assert (await worker.stopped()).code == 0
        code, _, err = await intake.stopped()
        assert code == 0, err
    assert len(sim.identifies) == 1
    assert sim.violations == []


async def test_a_thread_that_goes_on_does_not_hold_a_worker(
    sim: Simulator, control: Control, tmp_path: Path, store: Server
) -> None:
    stuck = tmp_path / "stuck.py"
    await asyncio.to_thread(stuck.write_text, STUCK)
    env = environment(sim)
    async with qqbot("intake", "--to", store.url, env=env) as intake:
        await intake.line("err", "identified")
        async with qqbot("work", stuck, "--from", store.url, env=env) as worker:
            await worker.line("err", "working")
            await control.post("say", scene="c2c", conversation="test", user="Alice", text="go", timeout=0.1)
            await worker.line("out", "begun")
            code, _, err = await worker.stopped()
        assert code == 0, err
        assert "the thread 'asyncio_0' goes on" in err and "in lengthy" in err
        assert (await intake.stopped()).code == 0


async def test_what_is_wrong_is_named(sim: Simulator, bot: Path, store: Server) -> None:
    env = environment(sim)
    code, _, err = await run("intake", env=env)
    assert code == 3 and "QQBOT_BROKER_URL" in err
    code, _, err = await run("work", bot, "--from", "amqp://user:hush@localhost", env=env)
    assert code == 3 and "amqp" in err and "redis" in err and "hush" not in err
    code, _, err = await run("work", bot, "--from", f"{store.url}?partitions=many", env=env)
    assert code == 3 and "partitions" in err
    code, _, err = await run("work", bot, "--from", store.url, "--dead-letters", store.url, env=env)
    assert code == 3 and "another stream" in err
    async with qqbot("work", bot, "--from", f"{store.url}?partitions=4", env=env) as worker:
        await worker.line("err", "working")
        await asyncio.sleep(0.5)
        code, _, err = await run("work", bot, "--from", f"{store.url}?partitions=5", env=env)
        assert code == 3 and "have 4 partitions" in err and "Traceback" not in err


async def test_a_store_that_refuses_us_ends_both(sim: Simulator, bot: Path, store: Server) -> None:
    async with started(store.engine, "--requirepass", "right") as locked:
        url = locked.url.replace("://", "://:wrong-password@")
        for command in (("intake", "--to", url), ("work", bot, "--from", url)):
            code, _, err = await run(*command, env=environment(sim))
            assert code == 3, err
            assert "refuses us" in err and "wrong-password" not in err


async def test_a_sink_that_refuses_events_ends_the_intake(sim: Simulator, store: Server) -> None:
    async with store.client() as client:
        await client.execute_command("ACL", "SETUSER", "poor", "on", ">hunter2", "~*", "+@all", "-xadd")
    async with qqbot("intake", "--to", store.url.replace("://", "://poor:hunter2@"), env=environment(sim)) as intake:
        await intake.line("err", "identified")
        sim.push_message("c2c", user="Alice", text="hello")
        code, _, err = await intake.finished()
    assert code == 3, err
    assert "refuses us" in err and "xadd" in err and "hunter2" not in err and "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["work"],
        ["work", "bot.py", "--concurrency", "0"],
        ["work", "bot.py", "--max-age", "-1"],
        ["work", "bot.py", "--attempts", "many"],
        ["intake", "--intents", "EVERYTHING"],
        ["intake", "bot.py"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: qqbot" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["intake", "work"])
def test_help_names_the_url_and_the_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "redis://" in out and "QQBOT_BROKER_URL" in out


@pytest.mark.parametrize("end", [sink_of, source_of])
@pytest.mark.parametrize("url", ["user:hunter2@kafka://host", "user:hunter2@host?://"])
def test_a_url_with_another_scheme_shows_no_password(end: Callable[[str], object], url: str) -> None:
    with pytest.raises(ConfigError, match="the scheme") as refused:
        end(url)
    assert "hunter2@" not in str(refused.value)
    assert all("hunter2@" not in repr(entry.frame.f_locals) for entry in refused.traceback[2:])
