"""One chat with each bot of `bots/`: what users write, what happens, and what the bot answers and calls.

The same chat is held with the bot on botpy and with the bot that `qqbot migrate` made of it.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from qqbot.testing import Simulator
from tests import waiting
from tests.models.samples import OPENID, SAMPLES

Chat = Callable[[Simulator], Awaitable[None]]

PATIENCE = 20.0
until = partial(waiting.until, seconds=PATIENCE)


async def says(qq: Simulator, place: str, text: str, *answers: str) -> None:
    """Write a message, and wait for the texts that the bot answers, in order."""
    chat = {"channel": qq.channel("general"), "group": qq.group("test")}.get(place)
    talker = chat.member("Alice") if chat else qq.dms("Alice") if place == "direct" else qq.user("Alice")
    source = chat or talker
    before = len(source.messages)
    qq.push_message({"channel": "channel", "group": "group", "direct": "dms"}.get(place, "c2c"), text=text)
    await until(lambda: len(source.messages) >= before + len(answers))
    assert [plain(each.text) for each in source.messages[before:]] == list(answers)


def plain(text: str | None) -> str | None:
    """Return a text without the mention of the bot, which has another id each time."""
    return text and re.sub(r"<@!\d+> ?", "", text)


async def tells(qq: Simulator, kind: str, answer: str, **changes: object) -> None:
    """Push an event, and wait for the text that the bot sends to the channel."""
    sample = SAMPLES[kind]
    assert isinstance(sample, dict)
    channel = qq.channel("general")
    before = len(channel.messages)
    qq.push(kind, sample | changes)
    await until(lambda: len(channel.messages) > before)
    assert [each.text for each in channel.messages[before:]] == [answer]


def called(qq: Simulator, skip: Sequence[str] = ()) -> list[str]:
    """Return the calls other than messages, with ids left out."""
    found = []
    for each in qq.calls:
        path = each["path"]
        if path.endswith(("/messages", "/gateway/bot", "/getAppAccessToken", "/files")) or path == "/users/@me":
            continue
        found.append(f"{each['method']} {path}")
    return [each for each in found if each not in skip]


def bodies(qq: Simulator, part: str) -> list[dict[str, object]]:
    """Return the bodies of the calls whose path contains `part`, without what is null."""
    found = []
    for each in qq.calls:
        if part in each["path"] and each["request"]:
            body = json.loads(each["request"])
            found.append({name: value for name, value in body.items() if value is not None})
    return found


async def at_reply(qq: Simulator) -> None:
    await says(qq, "channel", "hi", "机器人bot收到了: hi, Alice", "再次回复", "主动消息")
    await says(qq, "channel", "sleep", "机器人bot收到了: sleep, Alice", "再次回复", "主动消息")


async def direct(qq: Simulator) -> None:
    await says(qq, "direct", "hi", "机器人bot收到你的私信了: hi", f"from {qq.guild().id}")
    before = len(qq.dms("Alice").messages)
    await says(qq, "channel", "/私信")
    await until(lambda: len(qq.dms("Alice").messages) > before)
    assert [each.text for each in qq.dms("Alice").messages[before:]] == ["hello"]


async def group_reply(qq: Simulator) -> None:
    alice = qq.group("test").member("Alice")
    await says(qq, "group", "hi", f"收到了消息：hi {alice.openid}", "id True True")


async def media(qq: Simulator) -> None:
    for place, text in (("group", None), ("c2c", "茶"), ("channel", "图")):
        chat = {"group": qq.group("test"), "channel": qq.channel("general")}.get(place) or qq.user("Alice")
        qq.push_message(place, text="picture")
        await until(lambda chat=chat: len(chat.messages) > 0)  # type: ignore[misc]
        (answer,) = chat.messages
        assert (answer.text or None) == text
        assert answer.media is not None
        assert answer.media["kind"] == "image"


async def c2c(qq: Simulator) -> None:
    await says(qq, "c2c", "hi", "你好 1 HI")
    await says(qq, "c2c", "ho", "你好 2 HO")


def buttons(keyboard: object) -> list[tuple[object, ...]]:
    """Return label, kind, data and permission of each button."""
    assert isinstance(keyboard, dict)
    rows = keyboard["content"]["rows"]
    return [
        (
            each["render_data"]["label"],
            each["render_data"]["visited_label"],
            each["render_data"]["style"],
            each["action"]["type"],
            each["action"]["data"],
            each["action"]["permission"]["type"],
        )
        for row in rows
        for each in row["buttons"]
    ]


async def keyboard(qq: Simulator) -> None:
    channel = qq.channel("general")
    for count, text in enumerate(("template", "built", "other"), 1):
        qq.push_message("channel", text=text)
        await until(lambda count=count: len(channel.messages) == count)  # type: ignore[misc]
    template, built, other = bodies(qq, "/channels/")
    params = [
        {"key": "title", "values": ["标题"]},
        {"key": "content", "values": ["为了成为一名合格的巫师", "请遵守校规"]},
    ]
    assert template["markdown"] == {"custom_template_id": "65", "params": params}
    assert built["markdown"] == {"content": "# built"}
    assert buttons(built["keyboard"]) == [("button", "BUTTON", 0, 2, "/搜索", 2)]
    assert (other["markdown"], other["keyboard"]) == ({"content": "# 标题 \n## 简介"}, {"id": "62"})

    alice = qq.group("test").member("Alice")
    question = await alice.say("tea", timeout=PATIENCE)
    assert question.markdown == "# Tea"
    shown = [("More", "More", 1, 1, "more", 2), ("Site", "Site", 0, 0, "https://bot.q.qq.com", 1)]
    assert buttons(question.keyboard) == shown
    answer = await question.click("More", timeout=PATIENCE)
    assert (answer.ack, answer.text) == (0, "clicked more 11")


async def cards(qq: Simulator) -> None:
    channel = qq.channel("general")
    for count, text in enumerate(("list", "dict", "embed"), 1):
        qq.push_message("channel", text=text)
        await until(lambda count=count: len(channel.messages) == count)  # type: ignore[misc]
    listed, big, embed = bodies(qq, "/channels/")
    lines = [
        {"obj_kv": [{"key": "desc", "value": "需求标题：UI问题解决"}]},
        {"obj_kv": [{"key": "desc", "value": "点击下列动作"}, {"key": "link", "value": "https://bot.q.qq.com"}]},
    ]
    assert listed["ark"] == {
        "template_id": 23,
        "kv": [
            {"key": "#DESC#", "value": "descaaaaaa"},
            {"key": "#PROMPT#", "value": "promptaaaa"},
            {"key": "#LIST#", "obj": lines},
        ],
    }
    assert big["ark"] == {
        "template_id": 37,
        "kv": [{"key": "#METATITLE#", "value": "Alice"}, {"key": "#PROMPT#", "value": "提示"}],
    }
    assert embed["embed"] == {
        "title": "embed消息",
        "prompt": "消息透传显示",
        "thumbnail": {"url": "https://bot.q.qq.com/logo.png"},
        "fields": [{"name": "<@!1234>hello world"}, {"name": "Alice"}],
    }


async def quoting(qq: Simulator) -> None:
    quote = "<emoji:4>这是一条引用消息"
    await says(qq, "channel", "hi", quote, f"quoted {quote}")
    first, _ = bodies(qq, "/channels/")
    assert first["message_reference"] == {"message_id": first["msg_id"], "ignore_get_message_error": True}
    qq.push_message("channel", text="recall")
    await until(lambda: any(each["method"] == "DELETE" for each in qq.calls))
    (deleted,) = [each for each in qq.calls if each["method"] == "DELETE"]
    assert "hidetip=true" in deleted["query"]
    assert deleted["status"] == 204


async def commands(qq: Simulator) -> None:
    await says(qq, "channel", "/你好 世界", "first 世界", "second 世界")
    await says(qq, "channel", "well, hello you", "first you", "second you")
    await says(qq, "channel", "晚安", "晚安")
    await says(qq, "channel", "what", "unknown")
    await says(qq, "group", "/roll 3", "rolled 3")
    await says(qq, "group", "/roll", "rolled 6")
    await says(qq, "group", "what", "unknown")


async def guilds(qq: Simulator) -> None:
    await tells(qq, "GUILD_CREATE", "joined the guild 2 True")
    await tells(qq, "GUILD_UPDATE", "changed the guild")
    await tells(qq, "GUILD_DELETE", "left 18700000000001")
    await says(qq, "channel", "hi", "guild False ['guild'] bot")


async def channels(qq: Simulator) -> None:
    channel = qq.channel("general")
    qq.push_message("channel", text="make")
    await until(lambda: len(channel.messages) == 4)
    # The events arrive while the bot still works.
    texts = sorted(str(each.text) for each in channel.messages)
    assert texts == ["changed update", "gone update", "new channel_test 0", "update 1"]
    created, *_ = bodies(qq, "/channels")
    assert (created["name"], created["type"]) == ("channel_test", 0)


async def members(qq: Simulator) -> None:
    await tells(qq, "GUILD_MEMBER_UPDATE", "now Bobby")
    await tells(qq, "GUILD_MEMBER_REMOVE", "bye Bob")
    await qq.guild().join("Carol")
    carol = qq.dms("Carol")
    await until(lambda: len(carol.messages) == 1)
    assert carol.messages[0].text == "welcome join guild"
    await says(qq, "channel", "who", "Alice of Alice, Carol")
    qq.push_message("channel", text="remove")
    await until(lambda: any(each["method"] == "DELETE" for each in qq.calls))
    (removed,) = [each for each in qq.calls if each["method"] == "DELETE"]
    assert removed["status"] == 204
    assert json.loads(removed["request"])["add_blacklist"] is True


async def roles(qq: Simulator) -> None:
    await says(qq, "channel", "role", "['writers'] ['Alice']")
    await until(lambda: len([each for each in qq.calls if each["method"] == "DELETE"]) == 2)
    methods = [each.partition(" ")[0] for each in called(qq)]
    assert methods == ["POST", "PATCH", "PUT", "GET", "GET", "DELETE", "DELETE"]


async def mute(qq: Simulator) -> None:
    await says(qq, "channel", "mute", "muted")
    sent = [{name: str(value) for name, value in each.items() if name != "user_ids"} for each in bodies(qq, "/mute")]
    assert [each.get("mute_seconds", each.get("mute_end_timestamp")) for each in sent] == [
        "20",
        "0",
        "10",
        "4102444800",
        "0",
    ]
    assert [len(each.get("user_ids", ())) for each in bodies(qq, "/mute")] == [0, 0, 0, 1, 1]  # type: ignore[arg-type]


async def notices(qq: Simulator) -> None:
    await says(qq, "channel", "announce", "True 1")
    found = [each for each in called(qq) if "announces" in each or "pins" in each]
    assert [each.partition(" ")[0] for each in found] == ["POST", "DELETE", "POST", "POST", "PUT", "GET", "DELETE"]
    _, first, second = bodies(qq, "/announces")
    assert [each["recommend_channels"][0]["introduce"] for each in (first, second)] == ["introduce", "again"]  # type: ignore[index]
    assert (first["announces_type"], second["announces_type"]) == (0, 1)


async def schedules(qq: Simulator) -> None:
    await says(qq, "channel", "plan", "update")
    await until(lambda: any(each["method"] == "DELETE" for each in qq.calls))
    found = [each["schedule"] for each in bodies(qq, "/schedules")]
    assert [(each["name"], each["start_timestamp"], each["end_timestamp"]) for each in found] == [  # type: ignore[index]
        ("test", "4102444800000", "4102448400000"),
        ("update", "4102444800000", "4102448400000"),
    ]


async def reactions(qq: Simulator) -> None:
    channel = qq.channel("general")
    qq.push_message("channel", text="react")
    await until(lambda: any(each["method"] == "DELETE" for each in qq.calls) and len(channel.messages) >= 1)
    assert "1 reacted" in [each.text for each in channel.messages]
    channel_id = channel.id
    before = len(channel.messages)
    await asyncio.sleep(0.2)
    before = len(channel.messages)
    qq.push("MESSAGE_REACTION_ADD", SAMPLES["MESSAGE_REACTION_ADD"] | {"channel_id": channel_id})  # type: ignore[operator]
    await until(lambda: len(channel.messages) > before)
    assert channel.messages[before].text == "11528069550601428493 added 277 1"
    await tells(qq, "MESSAGE_REACTION_REMOVE", "11528069550601428493 removed 277", channel_id=channel_id)


async def permissions(qq: Simulator) -> None:
    link = "grant GET /guilds/{guild_id}/members: 获取当前频道成员信息"  # the platform writes it
    await says(qq, "channel", "rights", link, "True 获取当前频道成员信息 True")
    (demand,) = bodies(qq, "/api_permission/demand")
    assert demand["api_identify"] == {"path": "/guilds/{guild_id}/members", "method": "GET"}
    (given,) = bodies(qq, "/permissions")
    assert given["add"] == "5"


async def audio(qq: Simulator) -> None:
    channel = qq.channel("general")
    qq.push_message("channel", text="play")
    await until(lambda: {"played", "start song"} <= {each.text for each in channel.messages})
    song, pause = bodies(qq, "/audio")
    assert song == {"audio_url": "https://bot.q.qq.com/a.mp3", "text": "song", "status": 0}
    assert pause == {"status": 1}
    assert [each.partition(" ")[0] for each in called(qq) if each.endswith("/mic")] == ["PUT", "DELETE"]
    await tells(qq, "AUDIO_FINISH", "finish song")
    await tells(qq, "AUDIO_OR_LIVE_CHANNEL_MEMBER_ENTER", "11528069550601428493 came")
    await tells(qq, "AUDIO_OR_LIVE_CHANNEL_MEMBER_EXIT", "11528069550601428493 went")


async def forum(qq: Simulator) -> None:
    await tells(qq, "FORUM_THREAD_CREATE", "thread a title by 11528069550601428493")
    await tells(qq, "FORUM_POST_CREATE", "post p1")
    await tells(qq, "FORUM_REPLY_CREATE", "reply r1")
    await tells(qq, "FORUM_PUBLISH_AUDIT_RESULT", "audit 0", result=0)
    await tells(qq, "OPEN_FORUM_THREAD_CREATE", "open 11528069550601428493")
    channel = qq.channel("general")
    qq.push_message("channel", text="write")
    await until(lambda: "True 1" in [each.text for each in channel.messages])


async def reviews(qq: Simulator) -> None:
    await tells(qq, "MESSAGE_AUDIT_PASS", "passed 3a1b")
    await tells(qq, "MESSAGE_AUDIT_REJECT", "rejected 3a1b")
    await tells(qq, "PUBLIC_MESSAGE_DELETE", "a message was recalled")
    await tells(qq, "DIRECT_MESSAGE_DELETE", "a private message was recalled")


async def manage(qq: Simulator) -> None:
    group, alice = qq.group("test"), qq.user("Alice")
    sample = SAMPLES["GROUP_ADD_ROBOT"]
    assert isinstance(sample, dict)
    qq.push("GROUP_ADD_ROBOT", sample | {"group_openid": group.id})
    await until(lambda: len(group.messages) == 1)
    assert group.messages[0].text == f"hello, {OPENID}"
    qq.push("FRIEND_ADD", {"timestamp": 1772329727, "openid": alice.openid})
    await until(lambda: len(alice.messages) == 1)
    assert alice.messages[0].text == "hello"
    await tells(qq, "GROUP_DEL_ROBOT", f"left by {OPENID}")
    await tells(qq, "GROUP_MSG_REJECT", f"silent {OPENID}")
    await tells(qq, "GROUP_MSG_RECEIVE", f"welcome {OPENID}")
    await tells(qq, "FRIEND_DEL", f"lost {OPENID}")
    await tells(qq, "C2C_MSG_REJECT", f"no more {OPENID}")
    await tells(qq, "C2C_MSG_RECEIVE", f"again {OPENID}")


async def errors(qq: Simulator) -> None:
    await says(qq, "c2c", "hi", "no such guild")


async def private(qq: Simulator) -> None:
    await says(qq, "channel", "hi", "bot read hi")
    await tells(qq, "MESSAGE_DELETE", "recalled")


CHATS: dict[str, Chat] = {
    chat.__name__: chat
    for chat in (
        at_reply,
        audio,
        c2c,
        cards,
        channels,
        commands,
        direct,
        errors,
        forum,
        group_reply,
        guilds,
        keyboard,
        manage,
        media,
        members,
        mute,
        notices,
        permissions,
        private,
        quoting,
        reactions,
        reviews,
        roles,
        schedules,
    )
}

PUBLIC = {"permissions"}
"""The bots that ask for a right: a private one has it."""

LEFT = {"private": ("client.http", "botpy.http.Route", "on_error")}
"""The bots that do not run after `qqbot migrate` alone, and what its comments name."""
