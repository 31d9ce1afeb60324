import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qqbot.simulator.endpoints.rest import _ENDPOINTS
from qqbot.simulator.wire.tables import Tables
from qqbot.testing import HtmlBody, Simulator
from tests.simulator.bare import JSON_VALUES, BareBot


def test_every_endpoint_of_the_tables_is_served() -> None:
    assert set(_ENDPOINTS) == {endpoint.name for endpoint in Tables().endpoints}


async def test_unknown_route(sim: Simulator, bot: BareBot) -> None:
    assert (await bot.refused("GET", "/v2/nothing"))[0] == 404
    assert sim.violations == ["no such API: GET /v2/nothing"]
    assert (await bot.refused("DELETE", "/users/@me"))[0] == 405


async def test_the_content_type_has_no_parameters(sim: Simulator, bot: BareBot) -> None:
    headers = {"Authorization": f"QQBot {bot.token}"}
    for path, status in (("/users/@me", 200), ("/v2/nothing", 404)):
        async with bot.http.get(sim.api_base + path, headers=headers) as response:
            assert (response.status, response.headers["Content-Type"]) == (status, "application/json")
    async with bot.http.post(sim.token_url, json={}) as response:
        assert response.headers["Content-Type"] == "application/json"


async def test_a_204_has_neither_body_nor_content_type(sim: Simulator, bot: BareBot) -> None:
    channel = sim.channel("general")
    _, sent = await bot.call("POST", f"/channels/{channel.id}/messages", {"content": "hi"})
    path = f"{sim.api_base}/channels/{channel.id}/messages/{sent['id']}/reactions/1/4"
    async with bot.http.put(path, headers={"Authorization": f"QQBot {bot.token}"}) as response:
        assert (response.status, await response.read()) == (204, b"")
        assert "Content-Type" not in response.headers
        assert response.headers["X-Tps-trace-ID"]


async def test_me(sim: Simulator, bot: BareBot) -> None:
    status, me = await bot.call("GET", "/users/@me")
    assert (status, me["bot"]) == (200, True)
    assert me["id"].isdigit()
    assert (await bot.call("GET", "/users/%40me"))[0] == 200


async def test_guilds(sim: Simulator, bot: BareBot) -> None:
    for name in ("one", "two", "three"):
        sim.channel("general", guild=name).member("Alice")
    status, guilds = await bot.call("GET", "/users/@me/guilds")
    assert status == 200
    ids = [guild["id"] for guild in guilds]
    assert ids == sorted(ids, key=int)
    assert len(ids) == 3
    assert [each["id"] for each in (await bot.call("GET", f"/users/@me/guilds?after={ids[0]}&limit=1"))[1]] == [ids[1]]
    assert [each["id"] for each in (await bot.call("GET", f"/users/@me/guilds?before={ids[2]}"))[1]] == [ids[1], ids[0]]


async def test_open_a_private_chat(sim: Simulator, bot: BareBot) -> None:
    channel = sim.channel("general")
    alice = channel.member("Alice")
    body = {"recipient_id": alice.openid, "source_guild_id": channel.guild_id}
    status, dms = await bot.call("POST", "/users/@me/dms", body)
    assert status == 200
    assert dms["guild_id"] == sim.dms("Alice").conversation_id
    assert dms["create_time"].isdigit()
    assert (await bot.refused("POST", "/users/@me/dms", body | {"source_guild_id": "1"}))[1] == 10004
    assert (await bot.refused("POST", "/users/@me/dms", body | {"recipient_id": "1"}))[1] == 304034
    assert (await bot.call("POST", f"/dms/{dms['guild_id']}/messages", {"content": "hi"}))[0] == 200


async def test_share_link(bot: BareBot) -> None:
    status, answer = await bot.call("POST", "/v2/generate_url_link", {"callback_data": "a b"})
    assert status == 200
    assert answer["data"]["url"].endswith("a%20b")
    assert (await bot.refused("POST", "/v2/generate_url_link", {"callback_data": "x" * 33}))[1] == 10001


async def test_group(sim: Simulator, bot: BareBot) -> None:
    group = sim.group("many")
    for number in range(40):
        group.member(f"member {number}", role="admin" if number == 0 else None)
    path = f"/v2/groups/{group.id}"
    assert (await bot.call("GET", f"{path}/info"))[1]["group_member_num"] == 41
    assert (await bot.call("GET", f"{path}/bot_state"))[1]["member_role"] == "member"
    page = (await bot.call("GET", f"{path}/members"))[1]
    assert len(page["members"]) == 30
    rest = (await bot.call("GET", f"{path}/members?cursor={page['next_cursor']}"))[1]
    assert (len(rest["members"]), rest["next_cursor"]) == (10, "")
    legacy = (await bot.call("POST", f"{path}/members", {"limit": 30, "start_index": 20}))[1]
    assert len(legacy["members"]) == 20
    assert "next_index" not in legacy
    first = page["members"][0]
    assert first["member_role"] == "admin"
    assert (await bot.call("GET", f"{path}/members/{first['member_openid']}"))[1] == first
    assert (await bot.refused("GET", f"{path}/members/nobody"))[1] == 10001
    assert (await bot.refused("GET", "/v2/groups/nowhere/info"))[1] == 11255


@pytest.mark.parametrize(
    "body",
    [
        {"file_type": "one", "srv_send_msg": False, "url": "https://x/y.png"},
        {"file_type": 1.5, "srv_send_msg": False},
        {"file_type": [1], "srv_send_msg": False},
        {"file_type": 1, "srv_send_msg": "perhaps"},
        {"file_type": 1, "srv_send_msg": 2},
        {"file_type": 1, "url": ["https://x/y.png"]},
        {"file_type": 1, "url": {"url": "https://x/y.png"}},
    ],
)
async def test_body_against_the_table(sim: Simulator, bot: BareBot, body: object) -> None:
    assert await bot.refused("POST", f"/v2/groups/{sim.group('test').id}/files", body) == (400, 12002)


DEEP = b'{"msg_type":0,"content":"x","markdown":' + b'{"a":' * 600 + b"1" + b"}" * 601


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b'"x"', b"1", b'{"content": NaN}', b"[" * 100_000, DEEP])
async def test_body_without_an_object(sim: Simulator, bot: BareBot, data: bytes) -> None:
    assert await bot.refused("POST", f"/v2/groups/{sim.group('test').id}/messages", data=data) == (400, 12002)


async def test_null_is_absent_and_unknown_fields_are_ignored(sim: Simulator, bot: BareBot) -> None:
    body = {"msg_type": None, "content": "x", "markdown": None, "msg_id": None, "nonsense": {"a": [None]}}
    assert (await bot.call("POST", f"/v2/groups/{sim.group('test').id}/messages", body))[0] == 200


async def test_body_too_large(sim: Simulator, bot: BareBot) -> None:
    headers = {"Authorization": f"QQBot {bot.token}"}
    url = f"{sim.api_base}/v2/groups/{sim.group('test').id}/messages"
    async with bot.http.post(url, data=io.BytesIO(b" " * (32 << 20) + b"  "), headers=headers) as response:
        assert (response.status, response.content_type) == (413, "text/html")


async def test_bad_content_encoding_is_not_a_500(sim: Simulator, bot: BareBot) -> None:
    url = f"{sim.api_base}/v2/groups/{sim.group('test').id}/messages"
    headers = {"Authorization": f"QQBot {bot.token}", "Content-Encoding": "gzip"}
    async with bot.http.post(url, data=b"nonsense", headers=headers) as response:
        assert response.status == 400


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("data", [b"", b"nonsense", b"--x\r\n\r\n", b"--x--\r\n"])
async def test_bad_form_is_not_a_500(sim: Simulator, bot: BareBot, content_type: str, data: bytes) -> None:
    channel = sim.channel("general").id
    status, _ = await bot.refused(
        "POST", f"/channels/{channel}/messages", data=data, headers={"Content-Type": content_type}
    )
    assert status == 400


FIELDS = dict.fromkeys(
    ("content", "markdown", "keyboard", "media", "msg_id", "event_id", "msg_seq", "ark", "message_reference"),
    JSON_VALUES,
)
bodies = st.fixed_dictionaries({}, optional={"msg_type": st.sampled_from([0, 2, 3, 6, 7, 2.0, True]), **FIELDS})


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies | JSON_VALUES)
async def test_no_body_gives_a_500(body: Any) -> None:
    async with Simulator() as sim, BareBot(sim) as bot:
        group, user = sim.group("test").id, sim.user("Alice").openid
        paths = (
            f"/v2/groups/{group}/messages",
            f"/v2/users/{user}/messages",
            f"/v2/users/{user}/files",
            f"/channels/{sim.channel('general').id}/messages",
            "/users/@me/dms",
        )
        for path in paths:
            text = json.dumps(body)
            status, _ = await bot.call("POST", path, data=text, headers={"Content-Type": "application/json"})
            assert status < 500


async def test_an_error_has_two_numbers_that_differ_if_the_platform_gives_two(sim: Simulator, bot: BareBot) -> None:
    body = {"msg_type": 0, "content": "x"}
    group, user = sim.group("test").id, sim.user("Alice").openid
    sim.push("GROUP_DEL_ROBOT", {"group_openid": group})
    calls: list[tuple[str, str, object, dict[str, str], int, int]] = [
        ("GET", "/users/@me", None, {"Authorization": ""}, 11241, 40011005),
        ("GET", "/users/@me", None, {"Authorization": "Bot 1"}, 11243, 40012002),
        ("GET", "/users/@me", None, {"Authorization": "QQBot old"}, 11244, 40011027),
        ("POST", "/v2/groups/123456789/messages", body, {}, 11255, 40011028),
        ("POST", "/v2/users/another/messages", body, {}, 11255, 40011028),
        ("POST", f"/v2/groups/{group}/messages", body, {}, 11293, 40011026),
        ("POST", f"/v2/users/{user}/files", {"file_type": 1, "url": "file:///x"}, {}, 850028, 40011021),
        ("DELETE", f"/channels/{sim.channel('general').id}/messages/1", None, {}, 11253, 40012010),
        ("POST", "/channels/1/messages", body, {}, 10003, 10003),
    ]
    for method, path, document, headers, code, err_code in calls:
        _, answer = await bot.call(method, path, document, headers=headers)
        assert (answer["code"], answer["err_code"]) == (code, err_code), path


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/users/@me", {}),
        ("GET", "/users/@me", {"Authorization": ""}),
        ("GET", "/v2/nothing", {}),
        ("POST", "/app/getAppAccessToken", {}),
        ("PUT", "/_store/1/1?sign=x", {}),
        ("GET", "/_sim/state", {}),
        ("GET", "/_sim/nothing", {}),
        ("POST", "/_sim/say", {}),
        ("GET", "/_sim/chat", {}),
        ("GET", "/_sim/files/x/y", {}),
        ("GET", "/_sim/page/nothing.js", {}),
        ("GET", "/", {}),
        ("GET", "/", {"Host": "evil.example"}),
        ("GET", "/", {"Origin": "http://evil.example"}),
        ("GET", "/fault", {}),
        ("GET", "/page", {}),
    ],
)
async def test_no_answer_may_be_taken_for_another_type(
    sim: Simulator, bot: BareBot, method: str, path: str, headers: dict[str, str]
) -> None:
    sim.faults.http("GET /fault", 500, body="<script>alert(1)</script>")
    sim.faults.add("GET /page", HtmlBody(502))
    headers = {"Authorization": f"QQBot {bot.token}", **headers}
    async with bot.http.request(method, sim.api_base + path, headers=headers) as answer:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
