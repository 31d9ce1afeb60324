"""Each example does what it says, on the simulator."""

import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest
from aiohttp.test_utils import TestClient, TestServer

from qqbot.api.exchange import Request
from qqbot.cli.loading import MODULE_NAME, load_bot
from qqbot.testing import Simulator
from tests.cli.control import Control
from tests.cli.program import Program, environment, python
from tests.sessions.servers import default_engine, started

EXAMPLES = Path(__file__).parents[2] / "examples"
PICTURE = {"content_type": "image/png", "filename": "cat.png", "url": "//example.com/cat.png"}


@pytest.fixture(autouse=True)
def clean_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a file extends sys.path and sys.modules for good, as a program's start does."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, MODULE_NAME, sys)


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as sim:
        yield sim


@pytest.fixture
async def control(sim: Simulator) -> AsyncIterator[Control]:
    async with Control(sim.api_base, sim.control_token) as control:
        yield control


@pytest.fixture
async def hello(sim: Simulator) -> AsyncIterator[None]:
    async with sim.run(load_bot(str(EXAMPLES / "hello.py"))):
        yield


def example_module(name: str) -> ModuleType:
    """Load an example and return its names."""
    load_bot(str(EXAMPLES / name))
    return sys.modules[MODULE_NAME]


def test_every_example_has_a_test() -> None:
    tested = Path(__file__).read_text("utf-8")
    for example in EXAMPLES.glob("*.py"):
        assert f'"{example.name}"' in tested


def test_echo_is_five_lines() -> None:
    code = (EXAMPLES / "echo.py").read_text("utf-8").splitlines()[1:]
    assert len([line for line in code if line]) == 5


@pytest.mark.parametrize("scene", ["group", "c2c"])
async def test_echo(sim: Simulator, control: Control, scene: str) -> None:
    async with sim.run(load_bot(str(EXAMPLES / "echo.py"))):
        assert [reply["text"] for reply in await control.say(scene, "hello")] == ["hello"]


@pytest.mark.usefixtures("hello")
@pytest.mark.parametrize("scene", ["group", "c2c"])
async def test_hello_offers_buttons(control: Control, scene: str) -> None:
    (greeting,) = await control.say(scene, "good morning")
    assert "good morning" in greeting["markdown"]
    answer = await control.click(greeting["id"], "不太好 so-so")
    assert answer["ack"] == 0
    assert [reply["text"] for reply in answer["replies"]] == ["Tomorrow will be better. 明天会更好的。"]


@pytest.mark.usefixtures("hello")
@pytest.mark.parametrize("scene", ["channel", "dms"])
async def test_hello_in_guilds(control: Control, scene: str) -> None:
    assert [reply["text"] for reply in await control.say(scene, "hi")] == ["Hello, Alice! You said: hi"]


@pytest.mark.usefixtures("hello")
@pytest.mark.parametrize("scene", ["group", "c2c"])
async def test_hello_sends_attachments_back(control: Control, scene: str) -> None:
    (reply,) = await control.say(scene, "", attachments=[PICTURE])
    assert reply["media"]["kind"] == "image"
    assert reply["media"]["url"] == "https://example.com/cat.png"


@pytest.mark.usefixtures("hello")
@pytest.mark.parametrize("scene", ["group", "c2c", "channel", "dms"])
async def test_hello_says_when_a_send_failed(control: Control, scene: str, caplog: pytest.LogCaptureFixture) -> None:
    (reply,) = await control.say(scene, "look at www.not-registered.com")
    assert "QQ did not take my answer" in reply["text"]
    assert "trace id" in caplog.text


async def test_embed_aiohttp(sim: Simulator, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(sim).items():
        monkeypatch.setenv(name, value)
    example = example_module("embed_aiohttp.py")
    async with TestClient(TestServer(example.make_app())) as client:
        await example.bot.ready()
        (reply,) = await control.say("group", "who?")
        group = reply["text"].rpartition(" ")[2]
        async with client.post(f"/groups/{group}", data="build finished") as response:
            assert response.status == 200
            sent = (await response.json())["id"]
        messages = {message["id"]: message["text"] for message in (await control.state())["messages"]}
        assert messages[sent] == "build finished"
        async with client.post(f"/groups/{group}", data=" ") as response:
            assert response.status == 400
        async with client.post(f"/groups/{group}", data="see www.not-registered.com") as response:
            assert response.status == 502
            assert "trace id" in await response.text()


async def test_request_id(sim: Simulator, control: Control, capsys: pytest.CaptureFixture[str]) -> None:
    async with sim.run(load_bot(str(EXAMPLES / "request_id.py"))):
        await control.say("group", "hello")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "/messages 200" in line]
    (call,) = [call for call in (await control.state())["calls"] if call["path"].endswith("/messages")]
    assert re.search(r"request id [0-9a-f]{32}, trace id \w+$", line)
    assert line.endswith(call["trace_id"])


def test_request_id_sets_the_header() -> None:
    request = Request("GET", "https://example.com/x", "/x", {}, None, 1.0)
    example_module("request_id.py").set_request_id(request)
    assert re.fullmatch("[0-9a-f]{32}", request.headers["X-Request-Id"])


async def test_json_log(sim: Simulator, control: Control) -> None:
    async with python(EXAMPLES / "json_log.py", env=environment(sim)) as program:
        await program.line("err", "identified")
        assert [reply["text"] for reply in await control.say("group", "3")] == ["9.0"]
        assert await control.say("group", "three") == []
        code, _, err = await program.stopped()
    assert code == 0
    entries = [json.loads(line) for line in err.splitlines()]
    assert any(entry["logger"] == "json_log" and entry["message"] == "asked about 3" for entry in entries)
    assert any("could not convert string to float" in entry.get("error", "") for entry in entries)


async def test_lock(sim: Simulator, control: Control) -> None:
    async with started(default_engine()) as store:
        settings = environment(sim, LOCK_URL=store.url, LOCK_TTL="2", QQBOT_SHARDS="1")

        async with python(EXAMPLES / "lock.py", env=settings) as first:
            one = await serves(first)
            async with python(EXAMPLES / "lock.py", env=settings) as second:
                await second.line("out", "stands by")
                assert await answers(sim, control) == one
                first.signal(signal.SIGKILL)
                two = await serves(second)
                assert await answers(sim, control) == two != one
                code, _, err = await second.stopped()
        assert code == 0, err
        async with store.client() as client:
            assert not await client.exists("my bot"), "it was given back"


async def serves(program: Program) -> str:
    """The process that says so, when it does."""
    return (await program.line("out", "serves")).split()[1]


async def answers(sim: Simulator, control: Control) -> str:
    """The process that answers a message, as soon as one is connected."""
    await sim.identified()
    (reply,) = await control.say("group", "who?")
    return reply["text"].split()[1].rstrip(":")
