import asyncio
import io
import time
from typing import Any

import aiohttp
import pytest

from qqbot.testing import Simulator
from tests.simulator.bare import ALL, BareBot, Echo
from tests.simulator.test_messages import button

CARD = {"ark_type": "tuwen", "fields": {"title": "Tea", "jump_url": "https://example.com/tea"}}
SPOKEN = {"scene": "group", "conversation": "test", "text": "x"}
SHARE = {"scene": "group", "conversation": "new", "user": "new"}


class Control:
    def __init__(self, sim: Simulator, bot: BareBot) -> None:
        self._base = f"{sim.api_base}/_sim/"
        self._http = bot.http
        self._headers = {"Authorization": f"Bearer {sim.control_token}"}

    async def ask(self, method: str, command: str, **options: Any) -> tuple[int, Any]:
        async with self._http.request(method, self._base + command, headers=self._headers, **options) as response:
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            return response.status, await response.json()

    async def post(self, command: str, **body: object) -> Any:
        status, answer = await self.ask("POST", command, json=body)
        assert status == 200, answer
        return answer

    async def error(self, command: str, **body: object) -> str:
        status, answer = await self.ask("POST", command, json=body)
        assert (status, list(answer)) == (400, ["error"])
        return answer["error"]


@pytest.fixture
def control(sim: Simulator, bot: BareBot) -> Control:
    return Control(sim, bot)


async def test_say_and_click(bot: BareBot, control: Control) -> None:
    keyboard = {"content": {"rows": [{"buttons": [button(1)]}]}}
    async with Echo(bot, await bot.connect_ready(), keyboard):
        for scene, conversation in (("group", "test"), ("c2c", "Alice")):
            said = await control.post(
                "say", scene=scene, conversation=conversation, user="Alice", text="hello", quiet=0.05
            )
            assert said["event_id"].partition(":")[0].endswith("MESSAGE_CREATE")
            [reply] = said["replies"]
            assert (reply["markdown"], reply["keyboard"]) == ("hello", keyboard)
            pressed = await control.post("click", message=reply["id"], button="label 1", user="Alice", quiet=0.05)
            assert (pressed["ack"], pressed["replies"][0]["text"]) == (0, "pressed data 1")


async def test_say_a_card(sim: Simulator, bot: BareBot, control: Control) -> None:
    async with Echo(bot, await bot.connect_ready()):
        said = await control.post("say", scene="c2c", user="Alice", card=CARD, text="", quiet=0.05)
        assert said["replies"][0]["text"] == "[卡片消息] 图文H5\n摘要: [分享]Tea"
    shown = sim.state()["messages"][0]
    assert shown["card"] == {"prompt": "[分享]Tea", "ark_name": "图文H5", **CARD}


async def test_say_by_id(sim: Simulator, bot: BareBot, control: Control) -> None:
    socket = await bot.connect_ready()
    await control.post("say", scene="group", conversation=sim.group("test").id, user="Alice", text="x", timeout=0)
    assert (await socket.next())["d"]["group_openid"] == sim.group("test").id


async def test_say_in_c2c_belongs_to_the_user(sim: Simulator, bot: BareBot, control: Control) -> None:
    socket = await bot.connect_ready()
    await control.post("say", scene="c2c", conversation="test", user="Alice", text="x", timeout=0)
    assert (await socket.next())["d"]["author"]["user_openid"] == sim.user("Alice").openid


async def test_event(bot: BareBot, control: Control) -> None:
    sockets = [await bot.connect_ready(ALL, [index, 2]) for index in range(2)]
    assert (await control.post("event", type="NEW", new=True, d=[1], id="my id", shard=1)) == {"event_id": "my id"}
    frame = await sockets[1].next()
    assert (frame["t"], frame["d"], frame["id"], frame["s"]) == ("NEW", [1], "my id", 2)
    await control.post("event", type='quoted "\n', new=True, id='"', shard=1)
    frame = await sockets[1].next()
    assert (frame["t"], frame["id"], frame["d"]) == ('quoted "\n', '"', None)


async def test_faults(sim: Simulator, bot: BareBot, control: Control) -> None:
    socket = await bot.connect_ready()
    await control.post("fault", kind="op7")
    assert (await socket.next())["op"] == 7
    await control.post("fault", kind="raw", data="{")
    assert (await socket.ws.receive()).data == "{"
    await control.post("fault", kind="stop_acks")
    await control.post("fault", kind="close_on_resume", code=4902, times=0)
    await control.post("fault", kind="close", code=4009, reason="bye")
    assert await socket.close_code() == 4009
    again = await bot.connect()
    await again.resume(socket.session_id, 1)
    assert await again.close_code() == 4902
    await control.post("fault", kind="clear")
    await control.post("fault", kind="op9_on_identify", close=4014)
    again = await bot.connect()
    await again.identify()
    assert await again.close_code() == 4014
    for kind in ("no_hello", "swallow_identify", "swallow_resume"):
        await control.post("fault", kind=kind)
    await control.post("fault", kind="clear")
    await control.post(
        "fault", kind="session_start_limit", total=7, remaining=6, reset_after=1000, max_concurrency=3, shards=2
    )
    state = sim.state()
    assert state["budget"]["remaining"] == 6
    socket = await bot.connect_ready(ALL, [1, 2])
    assert "no connection of shard 0" in await control.error("fault", kind="drop", shard=0)
    await control.post("fault", kind="drop", shard=1)
    assert await socket.close_code() == 1006


@pytest.mark.parametrize(
    ("command", "body", "words"),
    [
        ("say", {"scene": "group", "text": "x"}, "conversation must be"),
        ("say", {"scene": "nowhere", "text": "x", "conversation": "x"}, "scene must be one of"),
        ("say", {"scene": ["group"], "text": "x", "conversation": "x"}, "scene must be one of"),
        ("say", {"scene": "group", "conversation": "test"}, "text must be a string"),
        ("say", {"scene": "group", "conversation": "test", "text": "x", "mention": 1}, "mention must be"),
        ("say", {"scene": "group", "conversation": "test", "text": "x", "timeout": -1}, "timeout must be"),
        ("say", {"scene": "group", "conversation": "test", "text": "x", "timeout": 1e300}, "timeout must be"),
        ("say", {"scene": "group", "conversation": 1, "text": "x"}, "conversation must be a string"),
        ("say", {**SPOKEN, "attachments": "x"}, "attachments must be an array of objects"),
        ("say", {**SPOKEN, "attachments": [1]}, "attachments must be an array of objects"),
        ("say", {**SPOKEN, "attachments": [{"content_type": 5}]}, "content_type must be a string"),
        ("say", {**SPOKEN, "attachments": [{"url": {}}]}, "url must be a string"),
        ("fault", {"webhook": "replay", "times": 10**12}, "at most 10000 flaws"),
        ("click", {"message": "unknown", "button": "x"}, "there is no message"),
        ("click", {"button": "x"}, "message must be a string"),
        ("event", {"d": {}}, "type must be a string"),
        ("event", {"type": "X", "shard": -1}, "shard must be"),
        ("event", {"type": "X", "d": {}}, "there is no event type X"),
        ("event", {"type": "GROUP_AT_MESAGE_CREATE"}, "did you mean GROUP_AT_MESSAGE_CREATE?"),
        ("event", {"type": "X", "new": 1}, "new must be"),
        ("say", {"scene": "group", "text": "x", "conversation": "new", "user": 1}, "user must be a string"),
        ("say", {**SHARE, "card": "https://example.com"}, "a card is an object"),
        ("say", {**SHARE, "card": []}, "a card is an object"),
        ("say", {**SHARE, "card": {**CARD, "title": "x"}}, "a card has no title"),
        ("say", {**SHARE, "card": {**CARD, "ark_type": "song"}}, "ark_type of a card must be one of tuwen, feed"),
        ("say", {**SHARE, "card": {"fields": {"title": "x"}}}, "ark_type of a card must be"),
        ("say", {**SHARE, "card": {**CARD, "fields": {}}}, "fields of a card must be an object"),
        ("say", {**SHARE, "card": {**CARD, "fields": ["x"]}}, "fields of a card must be an object"),
        ("say", {**SHARE, "card": {"ark_type": "map"}}, "fields of a card must be an object"),
        ("say", {**SHARE, "card": {**CARD, "prompt": 1}}, "prompt must be a string"),
        ("say", {**SHARE, "card": {**CARD, "ark_name": []}}, "ark_name must be a string"),
        ("say", {**SHARE, "card": CARD, "text": "x"}, "a card is sent alone: send text"),
        ("say", {**SHARE, "card": CARD, "attachments": [{"url": "x"}]}, "a card is sent alone: send attachments"),
        ("say", {**SHARE, "card": CARD, "quote": "x"}, "a card is sent alone: send quote"),
        ("say", {**SHARE, "card": CARD, "scene": "channel"}, "there are no cards in channel"),
        ("say", {**SHARE, "card": CARD, "scene": "dms"}, "there are no cards in dms"),
        ("say", {**SHARE, "card": CARD, "scene": "nowhere"}, "scene must be one of"),
        ("say", {"scene": "group", "text": 1, "conversation": "new", "user": "new"}, "text must be a string"),
        ("click", {"message": "unknown", "button": "x", "user": "new"}, "there is no message"),
        ("clock", {"advance": "1"}, "advance must be"),
        ("clock", {"advance": True}, "advance must be"),
        ("clock", {"advance": -1}, "advance must be"),
        ("clock", {"advance": 1e300}, "advance must be"),
        ("fault", {"kind": "session_start_limit", "reset_after": 10**400}, "reset_after must be"),
        ("fault", {}, "kind must be a string"),
        ("fault", {"kind": "unknown"}, "kind must be one of"),
        ("fault", {"kind": "close"}, "close needs code"),
        ("fault", {"kind": "close", "code": 1006}, "not a close code"),
        ("fault", {"kind": "close", "code": 4009}, "no connection is ready"),
        ("fault", {"kind": "raw"}, "raw needs data"),
        ("fault", {"kind": "no_hello", "times": 1.5}, "times must be"),
    ],
)
async def test_bad_commands(
    sim: Simulator, control: Control, command: str, body: dict[str, object], words: str
) -> None:
    before = seen(sim)
    assert words in await control.error(command, **body)
    assert seen(sim) == before


def seen(sim: Simulator) -> dict[str, Any]:
    """All that a command could change; `now` and the time to the next budget change by themselves."""
    state: dict[str, Any] = dict(sim.state())
    del state["now"], state["budget"], state["bot"]["budget"]
    return {**state, "ahead": round(sim.clock.now() - time.monotonic())}


@pytest.mark.parametrize(
    "refused",
    [
        ({"Authorization": ""}, b"{}", 401),
        ({"Authorization": "Bearer wrong"}, b"{}", 401),
        ({"Host": "evil.example"}, b"{}", 403),
        ({"Origin": "http://evil.example"}, b"{}", 403),
        ({}, b" " * ((1 << 20) + 1), 413),
        ({}, b'{"scene":', 400),
        ({}, b"[" * 100_000, 400),
    ],
)
@pytest.mark.parametrize("command", ["say", "click", "event", "fault", "clock"])
async def test_what_is_turned_away_changes_nothing(
    sim: Simulator, bot: BareBot, command: str, refused: tuple[dict[str, str], bytes, int]
) -> None:
    more, data, status = refused
    before = seen(sim)
    headers = {"Authorization": f"Bearer {sim.control_token}", **more}
    async with bot.http.post(f"{sim.api_base}/_sim/{command}", data=io.BytesIO(data), headers=headers) as response:
        assert (response.status, list(await response.json())) == (status, ["error"])
    assert seen(sim) == before


async def test_clock(sim: Simulator, control: Control) -> None:
    before = sim.clock.now()
    answer = await control.post("clock", advance=3600)
    assert 3600 <= answer["now"] - before < 3660
    assert answer["ahead"] == 3600
    assert answer["time"] == sim.clock.timestamp()
    assert (await control.post("clock"))["now"] >= answer["now"]


async def test_the_bot_leaves_and_comes_back(sim: Simulator, bot: BareBot, control: Control) -> None:
    group = sim.group("test").id
    await control.post("event", type="GROUP_DEL_ROBOT", d={"group_openid": group})
    assert (await bot.refused("POST", f"/v2/groups/{group}/messages", {"content": "x"}))[1] == 11293
    await control.post("event", type="GROUP_ADD_ROBOT", d={"group_openid": group})
    assert (await bot.send_to_group(group, content="x"))[0] == 200
    await control.post("event", type="FRIEND_DEL", d={"openid": sim.user("Alice").openid})
    assert (await bot.refused("GET", "/gateway/nothing"))[0] == 404
    path = f"/v2/users/{sim.user('Alice').openid}/messages"
    assert (await bot.refused("POST", path, {"content": "x"}))[1] == 40054004


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff\xff"])
async def test_bad_bodies(control: Control, data: bytes) -> None:
    assert (await control.ask("POST", "say", data=data))[0] == 400


async def test_too_large(control: Control) -> None:
    status, answer = await control.ask("POST", "event", data=io.BytesIO(b" " * ((1 << 20) + 1)))
    assert (status, "1 MiB" in answer["error"]) == (413, True)


async def test_unknown_command(control: Control) -> None:
    assert (await control.ask("POST", "nothing", json={}))[0] == 404
    assert (await control.ask("GET", "say"))[0] == 404


async def test_state_and_frames(sim: Simulator, bot: BareBot, control: Control) -> None:
    socket = await bot.connect_ready()
    sim.push_message("group", text="@bot hello")
    await socket.next()
    status, state = await control.ask("GET", "state")
    assert status == 200
    assert state["bot"]["online"] is True
    assert state["bot"]["intents"] == ALL
    [shard] = state["bot"]["shards"]
    assert (shard["shard"], shard["state"], shard["seq"]) == ([0, 1], "ready", 2)
    [group] = [each for each in state["conversations"] if each["scene"] == "group"]
    assert (group["id"], group["name"], group["guild"]) == (sim.group("test").id, "test", None)
    alice = {"name": "Alice", "id": sim.group("test").member("Alice").openid, "role": "member", "roles": []}
    assert group["members"][0] == alice
    [message] = state["messages"]
    assert (message["from"], message["author"], message["text"], message["kind"]) == (
        "user",
        "Alice",
        "@bot hello",
        "text",
    )
    assert state["budget"]["remaining"] == 999
    assert state["identifies"][0]["shard"] == [0, 1]
    assert state["sessions"][0]["session_id"] == socket.session_id
    _, answer = await control.ask("GET", "frames?since=0")
    frames = answer["frames"]
    assert [(frame["direction"], frame["op"]) for frame in frames] == [
        ("to_bot", 10),
        ("from_bot", 2),
        ("to_bot", 0),
        ("to_bot", 0),
    ]
    _, answer = await control.ask("GET", f"frames?since={frames[-2]['n']}")
    assert answer["frames"] == frames[-1:]
    assert (await control.ask("GET", "frames?since=x"))[0] == 400


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "QQBot {token}"}])
@pytest.mark.parametrize(
    ("method", "command"), [("POST", "say"), ("POST", "fault"), ("GET", "state"), ("GET", "frames"), ("GET", "nothing")]
)
async def test_token_is_required(
    sim: Simulator, bot: BareBot, header: dict[str, str], method: str, command: str
) -> None:
    headers = {name: value.format(token=sim.control_token) for name, value in header.items()}
    async with bot.http.request(method, f"{sim.api_base}/_sim/{command}", headers=headers, json={}) as response:
        assert response.status == 401


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ({"Host": "evil.example"}, False),
        ({"Host": "127.0.0.1"}, False),
        ({"Host": "127.0.0.1:1"}, False),
        ({"Host": "localhost:{port}"}, True),
        ({"Origin": "http://127.0.0.1:{port}"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "https://127.0.0.1:{port}"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1:{port}.evil.example"}, False),
    ],
)
@pytest.mark.parametrize("path", ["/", "/_sim/state", "/users/@me", "/websocket", "/_sim/ws"])
async def test_foreign_pages_are_turned_away(
    sim: Simulator, bot: BareBot, header: dict[str, str], allowed: bool, path: str
) -> None:
    port = sim.api_base.rpartition(":")[2]
    headers = {name: value.format(port=port) for name, value in header.items()}
    async with bot.http.get(sim.api_base + path, headers=headers) as response:
        assert (response.status != 403) == allowed


async def test_only_loopback(sim: Simulator) -> None:
    assert sim.api_base.startswith("http://127.0.0.1:")


async def test_a_taken_port_is_an_error(sim: Simulator) -> None:
    port = int(sim.api_base.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        async with Simulator(port=port):
            pass


async def test_leaving_does_not_wait_for_bots() -> None:
    async with asyncio.timeout(3), Simulator() as sim, BareBot(sim) as bot:
        socket = await bot.connect_ready()
        reading = asyncio.create_task(socket.close_code())
        await asyncio.sleep(0)
        await sim.__aexit__(None, None, None)
        assert await reading == 1001


async def test_a_simulator_that_is_entered_while_it_is_left_is_there_and_ends() -> None:
    sim = Simulator()
    await sim.__aenter__()
    async with BareBot(sim) as bot:
        await bot.connect_ready()  # it does not read, so that leaving takes a while
        leaving = asyncio.create_task(sim.__aexit__(None, None, None))
        await asyncio.sleep(0)
        async with sim:
            await leaving
            async with bot.http.get(sim.url) as response:
                assert response.status == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await bot.http.get(sim.url)
