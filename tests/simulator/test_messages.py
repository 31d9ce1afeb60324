import contextlib
import json
import time
from importlib.resources import files
from typing import Any

import pytest

from qqbot import simulator
from qqbot.simulator.endpoints import content
from qqbot.simulator.state.cards import NAMES
from qqbot.simulator.wire.refusal import Refusal
from qqbot.simulator.wire.tables import tables
from qqbot.testing import Simulator
from tests.simulator.bare import ALL, BareBot, Frame, Socket

LINK = "https://example.com/picture.png"


def button(number: int = 1, **action: object) -> dict[str, Any]:
    rights = {"type": 1, "permission": {"type": 2}, "data": f"data {number}", **action}
    return {"id": str(number), "render_data": {"label": f"label {number}"}, "action": rights}


def keyboard(rows: int = 1, columns: int = 1) -> dict[str, Any]:
    return {"content": {"rows": [{"buttons": [button(10 * r + c) for c in range(columns)]} for r in range(rows)]}}


@pytest.fixture
async def socket(bot: BareBot) -> Socket:
    return await bot.connect_ready(ALL)


@pytest.fixture
async def asked(sim: Simulator, socket: Socket) -> Frame:
    sim.push_message("group", text="@bot hello")
    return await socket.next()


async def refused(bot: BareBot, **body: object) -> int:
    group = bot.sim.group("test").id
    status, code = await bot.refused("POST", f"/v2/groups/{group}/messages", body)
    assert status == 400
    return code


async def test_group_event(sim: Simulator, asked: Frame) -> None:
    d = asked["d"]
    assert asked["t"] == "GROUP_AT_MESSAGE_CREATE"
    assert asked["id"].startswith("GROUP_AT_MESSAGE_CREATE:")
    assert d["content"] == " hello", "the mention is removed, the space after it stays"
    assert d["group_openid"] == sim.group("test").id
    assert d["author"]["member_openid"] == sim.group("test").member("Alice").openid
    for openid in (d["group_openid"], d["author"]["member_openid"]):
        assert len(openid) == 32
        assert int(openid, 16)
    assert d["mentions"][0]["is_you"] is True
    assert d["message_scene"]["ext"][0].startswith("msg_idx=REFIDX_")
    assert d["timestamp"].endswith("+08:00")


async def test_other_events(sim: Simulator, socket: Socket) -> None:
    attachment = {"url": LINK, "content_type": "image/png"}
    sim.push_message("group", text="small talk", mention=False)
    sim.push_message("c2c", text="hi", attachments=[attachment])
    sim.push_message("channel", text="@bot hi")
    sim.push_message("dms", text="hi")
    talk, c2c, channel, dms = [await socket.next() for _ in range(4)]
    assert (talk["t"], talk["d"]["content"]) == ("GROUP_MESSAGE_CREATE", "small talk")
    assert (c2c["t"], c2c["d"]["attachments"]) == ("C2C_MESSAGE_CREATE", [attachment])
    assert c2c["d"]["author"]["user_openid"] == sim.user("Alice").openid
    me = channel["d"]["mentions"][0]["id"]
    assert (channel["t"], channel["d"]["content"]) == ("AT_MESSAGE_CREATE", f"<@!{me}> hi")
    assert channel["d"]["guild_id"] == sim.channel("general").guild_id
    assert (dms["t"], dms["d"]["direct_message"]) == ("DIRECT_MESSAGE_CREATE", True)
    assert dms["d"]["src_guild_id"] == channel["d"]["guild_id"]


async def test_a_card_matches_the_tables(sim: Simulator, socket: Socket) -> None:
    """The texts are those of the sample in the documentation."""
    card = {
        "prompt": "[每日打卡]快来完成今日学习打卡",
        "ark_type": "miniapp",
        "ark_name": "小程序",
        "fields": {"title": "快来完成今日学习打卡", "source": "学习助手", "tags": ["a", "b"], "preview": LINK},
    }
    content = "[卡片消息] 小程序\n摘要: [每日打卡]快来完成今日学习打卡"
    user, member = sim.user("Alice"), sim.group("test").member("Alice")
    for person, kind, mention, words in (
        (user, "C2C_MESSAGE_CREATE", True, content),
        (member, "GROUP_MESSAGE_CREATE", False, content),
        (member, "GROUP_AT_MESSAGE_CREATE", True, f" {content}"),
    ):
        await person.share(card, mention=mention, timeout=0)
        event = await socket.next()
        body = event["d"]
        assert (event["t"], body["ark_data"], body["message_type"], body["content"]) == (kind, card, 3, words)
        assert set(body) <= {field.name for field in tables().models[tables().events[kind].data]}
    assert set(card) == {field.name for field in tables().models["ARKData"]}


def test_card_types_match_the_tables() -> None:
    document = json.loads(files(simulator).joinpath("wire", "data", "models.json").read_text("utf-8"))
    [types] = [field["notes"] for field in document["ARKData"]["fields"] if field["name"] == "ark_type"]
    assert list(NAMES) == types.partition(" (")[0].split(", ")


async def test_defaults_of_a_card(sim: Simulator, socket: Socket) -> None:
    for name, prompt in (("title", "[分享]Tea"), ("nickname", "[分享]Tea"), ("desc", "[分享]")):
        fields: dict[str, object] = {name: "Tea"}
        await sim.user("Alice").share({"ark_type": "tuwen", "prompt": None, "fields": fields}, timeout=0)
        assert (await socket.next())["d"]["ark_data"] == {
            "prompt": prompt,
            "ark_type": "tuwen",
            "ark_name": "图文H5",
            "fields": fields,
        }


async def test_a_later_change_of_a_card_does_not_affect_the_message(sim: Simulator) -> None:
    card: dict[str, Any] = {"ark_type": "feed", "fields": {"title": "Tea"}}
    await sim.user("Alice").share(card, timeout=0)
    card["fields"]["title"] = "Coffee"
    assert sim.state()["messages"][-1]["card"]["fields"] == {"title": "Tea"}


async def test_a_quoted_card(sim: Simulator, socket: Socket) -> None:
    alice = sim.group("test").member("Alice")
    await alice.share({"ark_type": "tuwen", "fields": {"title": "Tea for @Alice"}}, mention=False, timeout=0)
    shared = (await socket.next())["d"]
    assert (shared["content"].rpartition("]")[2], "mentions" in shared) == ("Tea for @Alice", False), (
        "the title is no mention"
    )
    await alice.say("@bot what is it?", quote=shared["id"], timeout=0)
    event = (await socket.next())["d"]
    assert (event["message_type"], "ark_data" in event) == (103, False)
    [element] = event["msg_elements"]
    assert (element["message_type"], element["ark_data"]) == (3, shared["ark_data"])
    assert element["content"] == shared["content"]


@pytest.mark.parametrize("scene", ["channel", "dms"])
async def test_guilds_have_no_cards(sim: Simulator, scene: str) -> None:
    person = sim.channel("general").member("Alice") if scene == "channel" else sim.dms("Alice")
    with pytest.raises(ValueError, match=f"no cards in {scene}"):
        await person.share({"ark_type": "tuwen", "fields": {"title": "Tea"}}, timeout=0)
    assert sim.state()["messages"] == []


async def test_answer_to_a_send(sim: Simulator, bot: BareBot, asked: Frame) -> None:
    status, sent = await bot.send_to_group(asked["d"]["group_openid"], content="x", msg_id=asked["d"]["id"])
    assert status == 200
    assert sent["id"].startswith("ROBOT1.0_")
    assert sent["ext_info"]["ref_idx"].startswith("REFIDX_")
    assert sim.calls[-1]["code"] == 0


async def test_window_of_a_group(sim: Simulator, bot: BareBot, asked: Frame) -> None:
    await sim.clock.advance(minutes=4.9)
    assert (await bot.send_to_group(sim.group("test").id, content="x", msg_id=asked["d"]["id"]))[0] == 200
    await sim.clock.advance(minutes=0.2)
    assert await refused(bot, content="x", msg_id=asked["d"]["id"], msg_seq=2) == 40034005


async def test_window_and_count_of_c2c(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    sim.push_message("c2c", text="x")
    message_id = (await socket.next())["d"]["id"]
    await sim.clock.advance(minutes=59)
    path = f"/v2/users/{sim.user('Alice').openid}/messages"
    body = {"msg_type": 0, "content": "x", "msg_id": message_id}
    for seq in range(1, 5):
        assert (await bot.call("POST", path, body | {"msg_seq": seq}))[0] == 200
    assert (await bot.refused("POST", path, body | {"msg_seq": 5}))[1] == 40034128
    assert (await bot.refused("POST", path, body | {"msg_seq": 4}))[1] == 40054005
    await sim.clock.advance(minutes=2)
    assert (await bot.refused("POST", path, body | {"msg_seq": 6}))[1] == 40034005


async def test_five_replies_in_a_group(bot: BareBot, asked: Frame) -> None:
    for seq in range(1, 6):
        assert (await bot.send_to_group(asked["d"]["group_openid"], content="x", msg_id=asked["d"]["id"], msg_seq=seq))[
            0
        ] == 200
    assert await refused(bot, content="x", msg_id=asked["d"]["id"], msg_seq=6) == 40034128


async def test_msg_seq_defaults_to_1(bot: BareBot, asked: Frame) -> None:
    assert (await bot.send_to_group(asked["d"]["group_openid"], content="x", msg_id=asked["d"]["id"]))[0] == 200
    assert await refused(bot, content="x", msg_id=asked["d"]["id"], msg_seq=1) == 40054005


async def test_msg_id_of_another_conversation(sim: Simulator, bot: BareBot, asked: Frame) -> None:
    other = sim.group("other").id
    _, code = await bot.refused(
        "POST", f"/v2/groups/{other}/messages", {"msg_type": 0, "content": "x", "msg_id": asked["d"]["id"]}
    )
    assert code == 40034024
    assert await refused(bot, content="x", msg_id="unknown") == 40034024
    assert await refused(bot, content="x", msg_id=asked["d"]["id"], event_id=asked["id"]) == 40034025


async def test_event_id(sim: Simulator, bot: BareBot, socket: Socket, asked: Frame) -> None:
    event_id = sim.push(
        "GROUP_ADD_ROBOT", {"group_openid": sim.group("test").id, "op_member_openid": "x", "timestamp": 1}
    )
    assert (await bot.send_to_group(sim.group("test").id, content="x", event_id=event_id))[0] == 200
    assert await refused(bot, content="x", event_id=event_id) == 40054005
    assert await refused(bot, content="x", event_id=asked["id"]) == 40034027
    assert await refused(bot, content="x", event_id="GROUP_ADD_ROBOT:no") == 40034025
    await sim.clock.advance(minutes=6)
    assert await refused(bot, content="x", event_id=event_id, msg_seq=2) == 40034026


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"msg_type": 9, "content": "x"}, 340069),
        ({"msg_type": 0}, 50006),
        ({"msg_type": 0, "content": ""}, 50006),
        ({"msg_type": 0, "content": "x", "markdown": {"content": "x"}}, 22006),
        ({"msg_type": 0, "content": "x", "media": {"file_info": "x"}}, 22006),
        ({"msg_type": 0, "content": "x", "keyboard": keyboard()}, 22006),
        ({"msg_type": 2, "content": "x"}, 22006),
        ({"msg_type": 2, "content": "x", "markdown": {"content": "x"}}, 50037),
        ({"msg_type": 2, "markdown": {"content": "x", "custom_template_id": "1"}}, 50057),
        ({"msg_type": 2, "markdown": {"style": {}}}, 50041),
        ({"msg_type": 2, "markdown": {"content": " "}}, 40034011),
        ({"msg_type": 2, "markdown": {"custom_template_id": "1", "params": [{"key": "k", "values": [""]}]}}, 40034008),
        (
            {"msg_type": 2, "markdown": {"custom_template_id": "1", "params": [{"key": "k", "values": ["a\nb"]}]}},
            40034009,
        ),
        (
            {"msg_type": 2, "markdown": {"custom_template_id": "1", "params": [{"key": "k", "values": ["*a*"]}]}},
            40034010,
        ),
        ({"msg_type": 2, "markdown": {"custom_template_id": "1", "params": [{"values": ["a"]}]}}, 12002),
        ({"msg_type": 7}, 22006),
        ({"msg_type": 7, "media": {"file_info": "unknown"}}, 304080),
        ({"msg_type": 7, "media": {}}, 22006),
        ({"msg_type": 6, "input_notify": {"input_type": 1, "input_second": 5}}, 22006),
        ({"msg_type": 4, "embed": {"title": "x"}}, 22006),
        ({"msg_type": 0, "content": "x" * 5001}, 40054007),
        ({"msg_type": 0, "content": f"see {LINK}"}, 40054010),
        ({"msg_type": 0, "content": "run crawler.py"}, 40054010),
        ({"msg_type": 2, "markdown": {"content": f"[x]({LINK})"}}, 40054010),
        ({"msg_type": 2, "markdown": {"content": "x"}, "keyboard": keyboard(6)}, 40034029),
        ({"msg_type": 2, "markdown": {"content": "x"}, "keyboard": keyboard(1, 6)}, 40034029),
        ({"msg_type": 2, "markdown": {"content": "x"}, "keyboard": {"content": {"rows": []}}}, 40034029),
        ({"msg_type": 2, "markdown": {"content": "x"}, "keyboard": {"id": "1", **keyboard()}}, 40034029),
        ({"msg_type": 2, "markdown": {"content": "x"}, "keyboard": {"id": "", "content": {"rows": []}}}, 40034029),
        ({"msg_type": 2, "markdown": {"content": "x"}, "keyboard": {"content": {"rows": [{"buttons": [{}]}]}}}, 12002),
        (
            {
                "msg_type": 2,
                "markdown": {"content": "x"},
                "keyboard": {"content": {"rows": [{"buttons": [button(), button()]}]}},
            },
            40034029,
        ),
    ],
)
async def test_refused_content(bot: BareBot, body: dict[str, object], code: int) -> None:
    assert await refused(bot, **body) == code


@pytest.mark.parametrize(
    "body",
    [
        {"content": "plain"},
        {"msg_type": 2, "markdown": {"content": f"![x #10px #10px]({LINK})"}},
        {"msg_type": 2, "markdown": {"content": "# x"}, "keyboard": keyboard(5, 5)},
        {"msg_type": 2, "markdown": {"content": "x"}, "keyboard": {"id": "template"}},
        {"msg_type": 2, "markdown": {"custom_template_id": "1", "params": [{"key": "k", "values": ["v"]}]}},
        {"msg_type": 3, "ark": {"template_id": 23, "kv": []}},
        {"content": "1.5 and a.b and e.g. this"},
    ],
)
async def test_accepted_content(sim: Simulator, bot: BareBot, body: dict[str, object]) -> None:
    assert (await bot.send_to_group(sim.group("test").id, **body))[0] == 200


async def test_registered_domain(sim: Simulator, bot: BareBot) -> None:
    sim.registered_domains.add("example.com")
    assert (await bot.send_to_group(sim.group("test").id, content=f"{LINK} and www.example.com"))[0] == 200
    assert await refused(bot, content="https://notexample.com") == 40054010


async def test_typing_in_c2c(sim: Simulator, bot: BareBot) -> None:
    path = f"/v2/users/{sim.user('Alice').openid}/messages"
    notify = {"input_type": 1, "input_second": 60}
    assert (await bot.call("POST", path, {"msg_type": 6, "input_notify": notify}))[0] == 200
    assert sim.state()["messages"] == []
    wrong = {"input_type": 7, "input_second": 60}
    assert (await bot.refused("POST", path, {"msg_type": 6, "input_notify": wrong}))[1] == 50059


async def test_media(sim: Simulator, bot: BareBot) -> None:
    group, user = f"/v2/groups/{sim.group('test').id}", f"/v2/users/{sim.user('Alice').openid}"
    upload = {"file_type": 1, "url": LINK, "srv_send_msg": False}
    status, result = await bot.call("POST", f"{group}/files", upload)
    assert status == 200
    assert (result["ttl"], "id" in result) == (3600, False)
    body = {"msg_type": 7, "content": " ", "media": {"file_info": result["file_info"]}}
    assert (await bot.refused("POST", f"{user}/messages", body))[1] == 304080, "it belongs to the group"
    assert (await bot.call("POST", f"{group}/messages", body))[0] == 200
    shown = sim.state()["messages"][-1]
    assert (shown["kind"], shown["text"]) == ("media", None)
    assert shown["media"] == {"kind": "image", "url": LINK, "name": "picture.png"}
    await sim.clock.advance(hours=2)
    bot.token = (await bot.fetch_token())["access_token"]
    assert (await bot.refused("POST", f"{group}/messages", body))[1] == 304080


async def test_refused_media_and_immediate_send(sim: Simulator, bot: BareBot) -> None:
    path = f"/v2/users/{sim.user('Alice').openid}/files"
    assert (await bot.refused("POST", path, {"file_type": 9, "url": LINK, "srv_send_msg": False}))[1] == 850019
    assert (await bot.refused("POST", path, {"file_type": 1, "srv_send_msg": False}))[1] == 850026
    assert (await bot.refused("POST", path, {"file_type": 1, "url": "file:///x", "srv_send_msg": False}))[1] == 850028
    status, result = await bot.call(
        "POST", path, {"file_type": 4, "url": LINK, "srv_send_msg": True, "file_name": "a.txt"}
    )
    assert status == 200
    assert sim.state()["messages"][-1]["id"] == result["id"]


async def test_unknown_conversations(bot: BareBot) -> None:
    body = {"msg_type": 0, "content": "x"}
    assert (await bot.refused("POST", "/v2/groups/nowhere/messages", body))[1] == 11255
    assert (await bot.refused("POST", "/v2/users/nobody/messages", body))[1] == 11255
    assert (await bot.refused("POST", "/channels/1/messages", body))[1] == 10003
    assert (await bot.refused("POST", "/dms/1/messages", body))[1] == 304032


async def test_recall(sim: Simulator, bot: BareBot, asked: Frame) -> None:
    path = f"/v2/groups/{sim.group('test').id}/messages"
    first, second = [(await bot.send_to_group(sim.group("test").id, content=text))[1]["id"] for text in "ab"]
    assert await bot.call("DELETE", f"{path}/{first}") == (204, None)
    assert (await bot.refused("DELETE", f"{path}/{first}"))[1] == 40061002
    assert (await bot.refused("DELETE", f"{path}/{asked['d']['id']}"))[1] == 40062003
    await sim.clock.advance(minutes=3)
    assert (await bot.refused("DELETE", f"{path}/{second}"))[1] == 40064004


async def test_pushed_message_of_an_unknown_group_can_be_answered(sim: Simulator, bot: BareBot) -> None:
    sim.push("GROUP_AT_MESSAGE_CREATE", {"id": "m", "group_openid": "NEW", "author": {}, "content": "x"})
    assert (await bot.send_to_group("NEW", content="x", msg_id="m"))[0] == 200


# Guild


async def test_channel(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    channel = sim.channel("general")
    path = f"/channels/{channel.id}/messages"
    sim.push_message("channel", text="hi")
    asked = (await socket.next())["d"]
    status, sent = await bot.call("POST", path, {"content": "x", "msg_id": asked["id"]})
    assert status == 200
    assert (sent["content"], sent["author"]["bot"], sent["channel_id"]) == ("x", True, channel.id)
    assert (await bot.call("GET", f"{path}/{sent['id']}"))[1] == {"message": sent}
    listed = (await bot.call("GET", path))[1]
    assert [each["id"] for each in listed] == [asked["id"], sent["id"]]
    assert [each["id"] for each in (await bot.call("GET", f"{path}?after={asked['id']}"))[1]] == [sent["id"]]
    assert [each["id"] for each in (await bot.call("GET", f"{path}?before={sent['id']}"))[1]] == [asked["id"]]
    assert len((await bot.call("GET", f"{path}?around={sent['id']}&limit=1"))[1]) == 1
    assert (await bot.refused("GET", f"{path}/unknown"))[1] == 50039
    await sim.clock.advance(minutes=6)
    assert (await bot.refused("POST", path, {"content": "x", "msg_id": asked["id"]}))[1] == 304027
    assert (await bot.refused("POST", path, {"content": "x", "msg_id": "unknown"}))[1] == 304026


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 50006),
        ({"content": "x", "markdown": {"content": "x"}}, 50037),
        ({"content": "x", "keyboard": keyboard()}, 304040),
        ({"content": f"see {LINK}"}, 304003),
        ({"content": "x" * 5001}, 1100499),
        ({"markdown": {"content": "x"}, "keyboard": keyboard(6)}, 304040),
        ({"content": [1]}, 12002),
    ],
)
async def test_refused_channel_content(sim: Simulator, bot: BareBot, body: object, code: int) -> None:
    assert (await bot.refused("POST", f"/channels/{sim.channel('general').id}/messages", body))[1] == code


async def test_edit_of_a_channel_message(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    path = f"/channels/{sim.channel('general').id}/messages"
    sent = (await bot.call("POST", path, {"markdown": {"content": "old"}, "keyboard": keyboard()}))[1]["id"]
    plain = (await bot.call("POST", path, {"content": "x"}))[1]["id"]
    sim.push_message("channel", text="hi")
    asked = (await socket.next())["d"]["id"]
    body = {"markdown": {"content": "new"}, "keyboard": keyboard(2)}
    status, changed = await bot.call("PATCH", f"{path}/{sent}", body)
    assert status == 200
    assert changed["edited_timestamp"]
    shown = next(message for message in sim.state()["messages"] if message["id"] == sent)
    assert (shown["markdown"], shown["keyboard"]) == ("new", keyboard(2))
    assert (await bot.refused("PATCH", f"{path}/{sent}", {"markdown": {"content": "new"}}))[1] == 50050
    assert (await bot.refused("PATCH", f"{path}/{plain}", body))[1] == 50049
    assert (await bot.refused("PATCH", f"{path}/{asked}", body))[1] == 50051


async def test_only_private_bots_recall_in_channels(sim: Simulator, bot: BareBot) -> None:
    path = f"/channels/{sim.channel('general').id}/messages"
    sent = (await bot.call("POST", path, {"content": "x"}))[1]["id"]
    assert (await bot.refused("DELETE", f"{path}/{sent}"))[1] == 11253


async def test_recall_in_channels() -> None:
    async with Simulator(profile="private") as sim, BareBot(sim) as bot:
        path = f"/channels/{sim.channel('general').id}/messages"
        sent = (await bot.call("POST", path, {"content": "x"}))[1]["id"]
        assert (await bot.call("DELETE", f"{path}/{sent}?hidetip=true"))[0] == 204
        assert (await bot.refused("DELETE", f"{path}/{sent}"))[1] == 306002
        dms = f"/dms/{sim.dms('Alice').conversation_id}/messages"
        sent = (await bot.call("POST", dms, {"content": "x"}))[1]["id"]
        assert (await bot.call("DELETE", f"{dms}/{sent}"))[0] == 204


async def test_a_form_with_empty_fields(sim: Simulator, bot: BareBot) -> None:
    import aiohttp

    form = aiohttp.FormData({"content": "look", "markdown": "", "keyboard": "null", "embed": "{}", "ark": ""})
    form.add_field("file_image", b"\x89PNG", filename="x.png", content_type="image/png")
    form.add_field("msg_seq", "0")
    form.add_field("msg_id", "")
    assert (await bot.call("POST", f"/channels/{sim.channel('general').id}/messages", data=form))[0] == 200


async def test_null_is_a_body_without_fields(sim: Simulator, bot: BareBot) -> None:
    assert (await bot.refused("POST", f"/v2/groups/{sim.group('test').id}/messages", data=b"null"))[1] == 50006


async def test_an_image_in_a_form_needs_no_filename(sim: Simulator, bot: BareBot) -> None:
    lines = [
        *(b"--x", b'Content-Disposition: form-data; name="content"', b"", b"look"),
        *(b"--x", b'Content-Disposition: form-data; name="file_image"', b"", b"\x89PNG", b"--x--", b""),
    ]
    form = {"data": b"\r\n".join(lines), "headers": {"Content-Type": "multipart/form-data; boundary=x"}}
    assert (await bot.call("POST", f"/channels/{sim.channel('general').id}/messages", **form))[0] == 200
    sent = sim.state()["messages"][-1]
    assert (sent["text"], sent["media"]["kind"]) == ("look", "image")


async def test_image_as_a_form(sim: Simulator, bot: BareBot) -> None:
    import aiohttp

    form = aiohttp.FormData()
    form.add_field("content", "look")
    form.add_field("embed", '{"title": "x"}')
    form.add_field("file_image", b"\x89PNG", filename="x.png", content_type="image/png")
    status, _ = await bot.call("POST", f"/channels/{sim.channel('general').id}/messages", data=form)
    assert status == 200
    assert sim.state()["messages"][-1]["media"]["kind"] == "image"
    form = aiohttp.FormData()
    form.add_field("embed", "{broken")
    form.add_field("file_image", b"\x89PNG", filename="x.png", content_type="image/png")
    assert (await bot.refused("POST", f"/channels/{sim.channel('general').id}/messages", data=form))[1] == 50035


@pytest.mark.parametrize("piece", ["a.", "a.com-", "![", "![a](", "-", "x", "http://", "a.com "])
def test_links_are_found_in_linear_time(piece: str) -> None:
    before = time.process_time()
    with contextlib.suppress(Refusal):
        content.check_links(piece * (20_000 // len(piece)), set())
    assert time.process_time() - before < 1.0


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("see -a.com.", True),
        ("..a.com", True),
        ("(a.b.co/x)", True),
        ("https://a.org?x", True),
        ("a.community", False),
        ("a.b.c", False),
        ("![x](http://a.com/y)", False),
        ("crawler.py", True),
    ],
)
def test_what_counts_as_a_link(text: str, refused: bool) -> None:
    with pytest.raises(Refusal) if refused else contextlib.nullcontext():
        content.check_links(text, set())
