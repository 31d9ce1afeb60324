"""Each example does what it says, on the simulator."""

import asyncio
import base64
import json
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

import qqbot.cli
from qqbot.api.exchange import Request
from qqbot.cli.loading import load_bot
from qqbot.testing import Simulator
from tests.cli.control import Control
from tests.cli.program import Program, environment, python
from tests.examples.loading import EXAMPLES, example_module
from tests.redis.servers import default_engine, started
from tests.served import is_served
from tests.sockets import free_port
from tests.webhook.hosts import by_aiohttp, by_uvicorn, reachable
from tests.webhook.signed import Caller

PICTURE = {"content_type": "image/png", "filename": "cat.png", "url": "//example.com/cat.png"}


@pytest.fixture
async def hello(sim: Simulator) -> AsyncIterator[None]:
    async with sim.run(load_bot(str(EXAMPLES / "hello.py"))):
        yield


def test_every_example_has_a_test() -> None:
    tested = "".join(file.read_text("utf-8") for file in Path(__file__).parent.glob("test_*.py"))
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
        assert await control.say("group", "three", timeout=0.5) == []
        code, _, err = await program.stopped()
    assert code == 0
    entries = [json.loads(line) for line in err.splitlines()]
    (asked,) = [entry for entry in entries if entry["message"] == "asked about 3"]
    assert (asked["logger"], asked["level"], asked["words"]) == ("json_log", "INFO", 1)
    (failed,) = [entry for entry in entries if "could not convert string to float" in entry.get("error", "")]
    for entry in (asked, failed):
        assert entry["event"] == "GROUP_AT_MESSAGE_CREATE"
        assert entry["handler"] == "__main__.answer"
        assert {"event_id", "conversation", "user", "shard"} <= entry.keys()
    assert asked["event_id"] != failed["event_id"]


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


@pytest.mark.usefixtures("sim_environment")
async def test_webhook_fastapi(sim: Simulator, control: Control) -> None:
    example = example_module("webhook_fastapi.py")
    async with by_uvicorn(example.app) as url, Caller(url) as caller:
        sim.webhook.url = f"{url}/qq/"
        assert await sim.webhook.challenge()
        (reply,) = await control.say("c2c", "/order cat")
        assert reply["text"] == "Order 1: cat. 已下单"
        (reply,) = await control.say("group", "/order")
        assert reply["text"].startswith("What would you like?")
        assert await caller.ask("GET", "/orders") == (200, {"1": "cat"})
        status, answer = await caller.ask("POST", "/orders/1/shipment")
        assert status == 200
        messages = {message["id"]: message["text"] for message in (await control.state())["messages"]}
        assert messages[answer["message"]] == "Order 1 is on its way. 已发货"
        assert await caller.ask("GET", "/orders") == (200, {})
        assert (await caller.ask("POST", "/orders/2/shipment"))[0] == 404
    assert not is_served(example.bot)


@pytest.mark.usefixtures("sim_environment")
async def test_webhook_aiohttp(sim: Simulator, control: Control) -> None:
    example = example_module("webhook_aiohttp.py")
    async with by_aiohttp(example.make_app()) as url, Caller(url) as caller:
        sim.webhook.url = f"{url}/qq"
        assert [reply["text"] for reply in await control.say("group", "hello")] == ["hello"]
        assert (await caller.ask("GET", "/health/readyz"))[0] == 200
        assert (await caller.ask("GET", "/qq"))[0] == 405


async def test_webhook_web_function(sim: Simulator, control: Control, tmp_path: Path) -> None:
    code = (EXAMPLES / "webhook_web_function.py").read_text("utf-8")
    assert "0.0.0.0:9000" in code, "the cloud calls no other port"
    file, port = tmp_path / "function.py", free_port()
    file.write_text(code.replace("9000", str(port)), "utf-8")
    async with python(file, env=environment(sim)) as program:
        await program.line("err", f"listening on 0.0.0.0:{port}")
        await reachable(port)
        sim.webhook.url = f"http://127.0.0.1:{port}/"
        assert await sim.webhook.challenge()
        assert [reply["text"] for reply in await control.say("c2c", "hello")] == ["hello"]
        assert (await program.stopped()).code == 0


@pytest.mark.usefixtures("sim_environment")
@pytest.mark.parametrize("encoded", [True, False])
async def test_webhook_event_function(sim: Simulator, control: Control, encoded: bool) -> None:
    example = example_module("webhook_event_function.py")

    async def trigger(request: web.Request) -> web.Response:
        """What a cloud has in front of an event function; each call has an event loop of its own."""
        body = await request.read()
        call = {
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": base64.b64encode(body).decode() if encoded else body.decode(),
            "isBase64Encoded": encoded,
        }
        answer = await asyncio.to_thread(example.main_handler, call, None)
        assert answer["isBase64Encoded"] is False
        return web.Response(status=answer["statusCode"], headers=answer["headers"], text=answer["body"])

    app = web.Application()
    app.router.add_post("/function", trigger)
    async with by_aiohttp(app) as url:
        sim.webhook.url = f"{url}/function"
        assert await sim.webhook.challenge()
        sim.webhook.flaw("replay")
        assert [reply["text"] for reply in await control.say("c2c", "hello")] == ["hello"]
        assert [reply["text"] for reply in await control.say("group", "again")] == ["again"]
        sim.webhook.flaw("bad_signature")
        assert await control.say("c2c", "forged", timeout=0.5) == []
        await sim.webhook.delivered()
        answers = [(each.status, each.acknowledged) for each in sim.webhook.deliveries]
    assert answers == [(200, True)] * 3 + [(401, False)]


async def test_vote(qq: Simulator) -> None:
    group = qq.group("test")
    alice, bob = group.member("Alice", role="admin"), group.member("Bob")
    async with qq.run(load_bot(str(EXAMPLES / "vote.py"))):
        assert "like this" in str((await alice.say("/vote Lunch")).text)
        asked = await alice.say("/vote Lunch? pizza noodles")
        assert asked.markdown == "**Lunch?**"
        assert (await asked.click("pizza")).text == "Lunch? pizza 1, noodles 0"
        assert (await asked.click("noodles", by=bob)).text == "Lunch? pizza 1, noodles 1"
        again = await asked.click("noodles", by=bob)
        assert (again.ack, again.messages) == (3, ())
        assert (await asked.click("pizza", by=bob)).text == "Lunch? pizza 2, noodles 0"
        with pytest.raises(ValueError, match="only admins"):
            await asked.click("End 结束", by=bob)
        assert (await asked.click("End 结束")).text == "Lunch? The vote is over: pizza 2, noodles 0"
        assert (await asked.click("pizza", by=bob)).ack == 1


async def test_dialog(qq: Simulator) -> None:
    alice, bob = qq.user("Alice"), qq.user("Bob")
    async with qq.run(load_bot(str(EXAMPLES / "dialog.py"))):
        asked = await alice.say("/order")
        assert (asked.outcome, "What would you like?" in str(asked.text)) == ("waiting", True)
        assert (await bob.say("hello")).text == "Write /order. 请发送 /order"
        sizes = await alice.say("tea")
        assert (sizes.outcome, "Small or large?" in str(sizes.markdown)) == ("consumed", True)
        served = await sizes.click("大 large")
        assert (served.ack, served.text) == (0, "One large tea, coming up! 马上就好")
        await alice.say("/order")
        assert (await alice.say("nothing")).text == "Then not. 好的，下次再来"


@pytest.mark.parametrize("all_messages", [False, True])
async def test_dialog_in_a_group_is_with_the_member_who_began_it(qq: Simulator, all_messages: bool) -> None:
    group = qq.group("test", all_messages=all_messages)
    alice, bob = group.member("Alice"), group.member("Bob")
    async with qq.run(load_bot(str(EXAMPLES / "dialog.py"))):
        assert (await alice.say("/order")).outcome == "waiting"
        assert (await bob.say("beer")).text == "Write /order. 请发送 /order"
        if all_messages:
            assert (await alice.say("wait, Bob", mention=False)).outcome == "unwanted"
        sizes = await alice.say("tea")
        with pytest.raises(ValueError, match="not among those who may press"):
            await sizes.click("大 large", by=bob)
        assert (await sizes.click("大 large")).text == "One large tea, coming up! 马上就好"


async def test_dialog_does_not_wait_for_ever(qq: Simulator) -> None:
    example = example_module("dialog.py")
    example.PATIENCE = 0.1
    async with qq.run(example.bot):
        await qq.user("Alice").say("/order")
        async with asyncio.timeout(10):
            while len(qq.user("Alice").messages) < 2:
                await asyncio.sleep(0.02)
        assert "I will not keep you" in str(qq.user("Alice").messages[-1].text)


GUILD_ONLY = {"guild_manager.py"}  # its events are those of guilds
WITH_REDIS = {"daily.py"}  # it answers in test_daily.py
DEMO = Path(qqbot.cli.__file__).parent / "demo.py"
ANSWERING = [DEMO, *sorted(file for file in EXAMPLES.glob("*.py") if file.name not in GUILD_ONLY | WITH_REDIS)]

ASKED = {
    "approval.py": "/leave 3 a wedding",
    "vote.py": "/vote Lunch? pizza noodles",
    "webhook_fastapi.py": "/order cat",
    "json_log.py": "3",
    "media.py": "/bytes",
    "points.py": "/签到",
    "shop.py": "/订阅",
}
"""What an example answers; the others answer any text."""

GROUPS: dict[str, dict[str, bool]] = {
    "mentions": {},
    "all messages, tag cut": {"all_messages": True},
    "all messages, tag kept": {"all_messages": True, "mention_tag": True},
}


async def answers_to(file: Path, sim: Simulator, control: Control, **delivery: object) -> list[dict[str, Any]]:
    """Run an example, and return what it answers to a mention in a group."""
    async with sim.run(load_bot(str(file))):
        return await control.say("group", ASKED.get(file.name, "hello"), timeout=5.0, **delivery)


@pytest.mark.usefixtures("sim_environment")
@pytest.mark.parametrize("kind", GROUPS)
@pytest.mark.parametrize("file", ANSWERING, ids=lambda file: file.stem)
async def test_every_example_answers_in_every_kind_of_group(
    sim: Simulator, control: Control, file: Path, kind: str
) -> None:
    assert await answers_to(file, sim, control, **GROUPS[kind])


@pytest.mark.usefixtures("sim_environment")
@pytest.mark.parametrize("file", ANSWERING, ids=lambda file: file.stem)
async def test_no_example_answers_what_is_meant_for_others(sim: Simulator, control: Control, file: Path) -> None:
    async with sim.run(load_bot(str(file))):
        assert await control.say("group", "small talk", mention=False, all_messages=True) == []


@pytest.mark.usefixtures("sim_environment")
async def test_an_example_with_the_event_of_one_kind_of_group_is_found(
    sim: Simulator, control: Control, tmp_path: Path
) -> None:
    wrong = tmp_path / "echo.py"
    code = (EXAMPLES / "echo.py").read_text("utf-8")
    wrong.write_text(code.replace("GroupMessageEvent", "GroupAtMessageCreate"), "utf-8")
    assert await answers_to(wrong, sim, control, **GROUPS["mentions"])
    assert await answers_to(wrong, sim, control, **GROUPS["all messages, tag cut"]) == []


async def test_streaming(qq: Simulator) -> None:
    async with qq.run(load_bot(str(EXAMPLES / "streaming.py"))):
        for asker in (qq.user("Alice"), qq.group("test").member("Alice")):
            reply = await asker.say("why?")
            assert len(reply.messages) == 1
            assert str(reply.markdown).startswith("You asked: *why?*. A good question!")
        fragments = [call for call in qq.calls if call["path"].endswith("/stream_messages")]
        assert len(fragments) > 1
        assert {call["status"] for call in qq.calls} == {200}


@pytest.mark.parametrize("asker", ["c2c", "group"])
async def test_media(qq: Simulator, asker: str, caplog: pytest.LogCaptureFixture) -> None:
    alice = qq.user("Alice") if asker == "c2c" else qq.group("test").member("Alice")
    caplog.set_level("INFO", "media")
    async with qq.run(load_bot(str(EXAMPLES / "media.py"))):
        picture = await alice.say("/bytes")
        assert picture.media is not None
        assert (picture.media["kind"], picture.text) == ("image", "Made just now 刚刚生成")
        file = (await alice.say("/path")).media
        assert file is not None
        assert (file["kind"], file["name"]) == ("file", "media.py")
        address = await alice.say("/address")
        assert address.media is not None
        assert str(address.media["url"]).startswith("https://")
        large = await alice.say("/large", timeout=20)
        assert large.media is not None
        assert large.media["name"] == "zeros.bin"
        parts = [call for call in qq.calls if call["path"].endswith("/upload_part_finish")]
        assert len(parts) == 3
        assert f"{12 * 1024 * 1024} of {12 * 1024 * 1024} bytes are up" in caplog.text


@pytest.mark.qq(profile="private")
async def test_guild_manager(qq: Simulator) -> None:
    general = qq.channel("general")
    alice, bob = general.member("Alice", role="admin"), general.member("Bob")
    async with qq.run(load_bot(str(EXAMPLES / "guild_manager.py"))):
        assert (await qq.guild().join("Carol")).text == "Welcome, Carol! 欢迎加入"
        assert (await qq.guild().join("Dave")).text == "Welcome, Dave! 欢迎加入"
        assert "/mute @somebody" in str((await alice.say("@bot /help")).text)
        assert (await alice.say("@bot /mute @Bob 5")).text == "Muted for 5 minutes 已禁言: Bob"
        assert not await bob.say("@bot /mute @Alice 5")
        first = await alice.say("remember the milk", mention=False)
        said = next(message for message in qq.state()["messages"] if message["text"] == "remember the milk")
        assert not first
        assert (await alice.say("@bot /pin", quote=said["id"])).text == "Pinned 已设为精华"
        assert "Quote the message" in str((await alice.say("@bot /pin")).text)
        assert (await alice.say("@bot /open news")).text == "Opened news 已新建"
        qq.guild().bot_is_admin = False
        with qq.expect_error():
            refused = await alice.say("@bot /open more")
        assert refused.text == "I need more rights for that. 我没有权限"
    made = [call for call in qq.calls if call["method"] == "POST" and call["path"].endswith("/roles")]
    assert len(made) == 1, "the role is made once"


@pytest.mark.timeout(240)
async def test_cluster() -> None:
    async with started(default_engine()) as server:
        environment = {"QQBOT_REDIS_URL": server.url}
        async with python(EXAMPLES / "cluster" / "demo.py", "--quick", env=environment) as program:
            async with asyncio.timeout(200):
                out, err = await program.process.communicate()
            assert program.process.returncode == 0, err.decode()
    lines = out.decode().splitlines()
    assert " 0 lost" in lines[-2] and lines[-1] == "20 sessions were created, rules of the platform broken: []"


@pytest.mark.timeout(120)
async def test_intake_and_logic(sim: Simulator, control: Control) -> None:
    async with started(default_engine()) as server:
        variables = environment(sim, QQBOT_BROKER_URL=server.url)
        async with (
            python(EXAMPLES / "intake" / "intake.py", env=variables) as intake,
            python(EXAMPLES / "intake" / "logic.py", env=variables) as logic,
        ):
            await intake.line("err", "identified")
            assert [reply["text"] for reply in await control.say("c2c", "hello")] == ["You said: hello"]
            assert [reply["text"] for reply in await control.say("group", "hello")] == ["You said: hello"]
            logic.signal(signal.SIGKILL)
            assert (await intake.stopped()).code == 0
