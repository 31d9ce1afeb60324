"""What people do on the page: quotes, recalls, reactions, roles, reviews, time; and the chat as a test."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qqbot import Bot, Button, ButtonPermission, Context, GroupAtMessageCreate, InteractionCreate, Keyboard, Markdown
from qqbot.cli.loading import load_bot
from qqbot.testing import Simulator
from tests.simulator.bare import BareBot
from tests.simulator.test_messages import keyboard
from tests.simulator.test_page import Page

GROUP = {"scene": "group", "conversation": "test"}
CHANNEL = {"scene": "channel", "conversation": "general"}


@pytest.fixture
async def page(sim: Simulator, bot: BareBot) -> AsyncIterator[Page]:
    async with Page(sim, bot.http) as page:
        await page.send(auth=sim.control_token)
        await page.next("snapshot")
        yield page


def last(sim: Simulator) -> Any:
    return sim.state()["messages"][-1]


async def test_a_group_message_quotes_another(sim: Simulator, bot: BareBot, page: Page) -> None:
    socket = await bot.connect_ready()
    _, sent = await bot.send_to_group(sim.group("test").id, content="first")
    assert (await page.do(do="say", **GROUP, user="Bob", text="why?", quote=sent["id"]))["ok"]
    event = (await socket.next())["d"]
    assert event["message_type"] == 103
    assert f"ref_msg_idx={sent['ext_info']['ref_idx']}" in event["message_scene"]["ext"]
    assert event["msg_elements"][0]["content"] == "first"
    assert last(sim)["quote"] == sent["id"]


async def test_a_channel_message_quotes_another(sim: Simulator, bot: BareBot, page: Page) -> None:
    socket = await bot.connect_ready()
    _, sent = await bot.call("POST", f"/channels/{sim.channel('general').id}/messages", {"content": "first"})
    assert (await page.do(do="say", **CHANNEL, user="Bob", text="why?", quote=sent["id"]))["ok"]
    assert (await socket.next())["d"]["message_reference"] == {"message_id": sent["id"]}


@pytest.mark.parametrize("by_index", [True, False])
async def test_the_bot_quotes_what_somebody_said(sim: Simulator, bot: BareBot, page: Page, by_index: bool) -> None:
    socket = await bot.connect_ready()
    await page.do(do="say", **(GROUP if by_index else CHANNEL), user="Bob", text="hello")
    event = (await socket.next())["d"]
    if by_index:
        index = event["message_scene"]["ext"][0].partition("=")[2]
        await bot.send_to_group(sim.group("test").id, content="yes", message_reference={"message_id": index})
    else:
        body = {"content": "yes", "message_reference": {"message_id": event["id"]}}
        await bot.call("POST", f"/channels/{sim.channel('general').id}/messages", body)
    assert (last(sim)["text"], last(sim)["quote"]) == ("yes", event["id"])


async def test_a_recalled_message_is_gone_and_the_bot_hears_of_it(sim: Simulator, bot: BareBot, page: Page) -> None:
    socket = await bot.connect_ready()
    await page.do(do="say", **CHANNEL, user="Bob", text="oops")
    said = (await socket.next())["d"]
    refused = await page.do(do="recall", message=said["id"], user="Alice")
    assert (refused["ok"], last(sim)["text"]) == (False, "oops")
    assert (await page.do(do="recall", message=said["id"], user="Bob"))["ok"]
    event = await socket.next()
    assert (event["t"], event["d"]["message"]["id"]) == ("PUBLIC_MESSAGE_DELETE", said["id"])
    shown = (await page.next("patch", "messages"))["value"]
    while shown["notice"] != "recalled":
        shown = (await page.next("patch", "messages"))["value"]
    assert shown["kind"] == "notice"


async def test_a_card_is_shown_until_it_is_recalled(sim: Simulator, bot: BareBot, page: Page) -> None:
    socket = await bot.connect_ready()
    assert (await page.do(do="say", **GROUP, user="Bob", text="", mention=True, card=CARD))["ok"]
    said = (await socket.next())["d"]
    assert said["ark_data"]["fields"] == CARD["fields"]
    assert (last(sim)["id"], last(sim)["card"]) == (said["id"], said["ark_data"])
    assert not (await page.do(do="say", **CHANNEL, user="Bob", text="", card=CARD))["ok"]
    assert (await page.do(do="recall", message=said["id"], user="Bob"))["ok"]
    shown = (await page.next("patch", "messages"))["value"]
    while shown["notice"] != "recalled":
        shown = (await page.next("patch", "messages"))["value"]
    assert shown["card"] is None


async def test_a_reaction_is_put_on_and_taken_off(sim: Simulator, bot: BareBot, page: Page) -> None:
    socket = await bot.connect_ready(1 << 10 | 1 << 30)
    await page.do(do="say", **CHANNEL, user="Bob", text="good news")
    said = (await socket.next())["d"]["id"]
    for kind, shown in (("MESSAGE_REACTION_ADD", {"2:128077": ["Bob"]}), ("MESSAGE_REACTION_REMOVE", {})):
        assert (await page.do(do="react", message=said, user="Bob", emoji="2:128077"))["ok"]
        assert (await socket.next())["t"] == kind
        assert last(sim)["reactions"] == shown
    assert not (await page.do(do="react", message=said, user="Bob", emoji="nonsense"))["ok"]


async def test_a_place_and_a_person_are_made(sim: Simulator, bot: BareBot, page: Page) -> None:
    opened = await page.do(do="open", scene="channel", conversation="lounge", user="Zoe", role="admin")
    [channel] = [each for each in sim.state()["conversations"] if each["name"] == "lounge"]
    assert (opened["value"]["scene"], opened["value"]["id"]) == ("channel", channel["id"])
    assert (channel["members"][0]["role"], channel["members"][0]["roles"]) == ("admin", ["2"])
    assert not (await page.do(do="open", **GROUP, user="Zoe", role="king"))["ok"]
    assert not (await page.do(do="open", scene="nowhere", conversation="x"))["ok"]


async def test_a_button_for_a_role(sim: Simulator, bot: BareBot, page: Page) -> None:
    permission = {"type": 3, "specify_role_ids": ["2"]}
    action = {"type": 1, "data": "x", "permission": permission}
    button = {"id": "b", "render_data": {"label": "Go", "visited_label": "Go", "style": 1}, "action": action}
    keyboard = {"content": {"rows": [{"buttons": [button]}]}}
    body = {"markdown": {"content": "?"}, "keyboard": keyboard}
    await page.do(do="open", **CHANNEL, user="Bob")
    _, sent = await bot.call("POST", f"/channels/{sim.channel('general').id}/messages", body)
    refused = await page.do(do="click", message=sent["id"], button="b", user="Bob")
    assert (refused["ok"], "none of the roles" in refused["error"]) == (False, True)
    await page.do(do="open", **CHANNEL, user="Bob", role="admin")
    assert (await page.do(do="click", message=sent["id"], button="b", user="Bob"))["ok"]


async def test_time_passes_and_every_page_sees_it(sim: Simulator, bot: BareBot, page: Page) -> None:
    before = sim.clock.now()
    assert (await page.do(do="clock", advance=360))["ok"]
    assert sim.clock.now() - before >= 360
    assert not (await page.do(do="clock", advance=-1))["ok"]
    await sim.clock.advance(hours=1)
    assert (await page.next("patch", "clock"))["value"]["ahead"] == 3960


async def test_replies_are_counted_on_the_message(sim: Simulator, bot: BareBot, page: Page) -> None:
    socket = await bot.connect_ready()
    await page.do(do="say", **GROUP, user="Bob", text="hello")
    said = (await socket.next())["d"]["id"]
    for seq in (1, 2):
        await bot.send_to_group(sim.group("test").id, content="x", msg_id=said, msg_seq=seq)
    assert [message["replies"] for message in sim.state()["messages"] if message["id"] == said] == [2]


async def test_the_next_guild_message_is_reviewed(sim: Simulator, bot: BareBot, page: Page) -> None:
    assert (await page.do(do="audit", passes=True, delay=0.0))["ok"]
    status, _ = await bot.call("POST", f"/channels/{sim.channel('general').id}/messages", {"content": "x"})
    assert status == 202
    while last(sim)["text"] != "x" or len(sim.state()["messages"]) < 2:
        await asyncio.sleep(0.01)
    assert [message["notice"] for message in sim.state()["messages"]] == ["audit_passed", None]


async def test_a_bot_that_types_is_shown(sim: Simulator, bot: BareBot, page: Page) -> None:
    socket = await bot.connect_ready()
    sim.push_message("c2c", user="Alice", text="hello")
    said = (await socket.next())["d"]["id"]
    body = {"msg_type": 6, "input_notify": {"input_type": 1, "input_second": 7}, "msg_id": said}
    assert (await bot.call("POST", f"/v2/users/{sim.user('Alice').openid}/messages", body))[0] == 200
    value = (await page.next("patch", "typing"))["value"]
    assert value == {"scene": "c2c", "conversation": sim.user("Alice").openid, "seconds": 7}


async def test_a_file_of_the_bot_is_kept(sim: Simulator, bot: BareBot) -> None:
    upload = {"file_type": 1, "file_data": "aGVsbG8=", "srv_send_msg": True}
    await bot.call("POST", f"/v2/groups/{sim.group('test').id}/files", upload)
    async with bot.http.get(last(sim)["media"]["url"]) as answer:
        assert (await answer.read(), answer.content_type) == (b"hello", "image/png")


# The chat as a test


def voting_bot() -> Bot:
    bot = Bot()
    keyboard = Keyboard(
        [[Button.callback("Tea 茶", "tea"), Button.callback("End", "end", permission=ButtonPermission.admins())]]
    )

    @bot.on
    async def ask(ctx: Context[GroupAtMessageCreate]) -> None:
        if ctx.text == "twice":
            await ctx.reply("once")
        await ctx.reply(Markdown(f'**{ctx.text}** "?"', keyboard=keyboard))

    @bot.on
    async def press(ctx: Context[InteractionCreate]) -> None:
        await ctx.ack()
        await ctx.reply(f"You pressed {ctx.event.button_data}")

    return bot


CARD = {"ark_type": "tuwen", "fields": {"title": 'Say "hi"', "tags": ["茶", True, None, 1.5], "jump_url": "https://a"}}
SHARED = (
    '{"prompt": "[分享]Say \\"hi\\"", "ark_type": "tuwen", "ark_name": "图文H5", '
    '"fields": {"title": "Say \\"hi\\"", "tags": ["茶", True, None, 1.5], "jump_url": "https://a"}}'
)
"""The card as a test says it: Python, in double quotes."""


async def chatted() -> str:
    """Have a chat with all that a test can say, and return the test of it."""
    async with Simulator() as sim, sim.run(voting_bot()), BareBot(sim) as http, Page(sim, http.http) as page:
        await page.send(auth=sim.control_token)
        group = sim.group("lunch 午餐")
        alice, ming = group.member("Alice"), group.member("小明", role="admin")
        asked = await alice.say("drinks\n喝什么")
        await asked.click("Tea 茶")
        await asked.click("End", by=ming)
        await alice.say("small talk", mention=False)
        await sim.clock.advance(minutes=6)
        await ming.say("twice", quote=asked.id)
        await alice.share(CARD, mention=False)
        await ming.share(CARD)
        return str((await page.do(do="test", scene="group", conversation="lunch 午餐"))["value"]["text"])


async def play(source: str, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test that was made, with `bot` as the module that it imports."""
    module = ModuleType("bot")
    module.bot = bot  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bot", module)
    names: dict[str, Any] = {}
    exec(compile(source, "test_chat.py", "exec"), names)
    await names["test_chat"](Simulator())


async def test_the_chat_as_a_test_has_the_same_chat(monkeypatch: pytest.MonkeyPatch) -> None:
    source = await chatted()
    assert "await qq.clock.advance(minutes=6)" in source
    assert 'reply1.click("End", by=小明)' in source
    assert "mention=False" in source
    assert 'member("小明", role="admin")' in source
    assert 'say("twice", quote=reply1.id)' in source
    assert f"await alice.share({SHARED}, mention=False)" in source
    assert f"await 小明.share({SHARED})" in source
    await play(source, voting_bot(), monkeypatch)


async def test_the_chat_as_a_test_fails_where_the_bot_says_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    source = await chatted()
    with pytest.raises(AssertionError):
        await play(source, Bot(), monkeypatch)


async def test_there_is_nothing_to_test_in_silence(sim: Simulator, bot: BareBot, page: Page) -> None:
    refused = await page.do(do="test", **GROUP)
    assert (refused["ok"], "has no messages yet" in refused["error"]) == (False, True)


FULL_BOT = """\
from qqbot import Bot, Button, ButtonPermission, Context, GroupAtMessageCreate, InteractionCreate, Keyboard, Markdown

robot = Bot()
keyboard = Keyboard([[Button.callback("End", "end", permission=ButtonPermission.admins())]])


@robot.on
async def answer(ctx: Context[GroupAtMessageCreate]) -> None:
    if ctx.text == "fail":
        raise ValueError("no")
    if ctx.text == "vote":
        await ctx.reply(Markdown("Vote", keyboard=keyboard))
        return
    files = [
        f"{each.filename} {each.content_type} {len(await ctx.download(each))}" for each in ctx.event.attachments
    ]
    named = [each.username for each in ctx.event.mentions]
    await ctx.reply(f"{ctx.event.author.member_role}: {ctx.text} {files} {named}")


@robot.on
async def press(ctx: Context[InteractionCreate]) -> None:
    await ctx.ack()
    await ctx.reply("Over")
"""

NASTY = 'a "quoted" \\ \n\r\t\x00\x1b \u2028\u202e {0} %s \'\'\' """ \U0001f375'


async def full_chat(folder: Path) -> str:
    """Chat with a bot of a file, and return the test."""
    (folder / "robots.py").write_text(FULL_BOT)
    bot = load_bot(f"{folder / 'robots.py'}:robot")
    async with (
        Simulator(profile="private") as sim,
        sim.run(bot),
        BareBot(sim) as http,
        Page(sim, http.http) as page,
    ):
        await page.send(auth=sim.control_token)
        group = sim.group(f"lunch {NASTY}")
        where = {"scene": "group", "conversation": group.id}
        alice, nasty = group.member("Alice"), group.member(f"qq\nimport os {NASTY}")
        group.member("Dave")
        await alice.say("hello")
        asked = await alice.say("vote")
        await page.do(do="open", **where, user="Alice", role="admin")
        await alice.say("I am an admin")
        await asked.click("End")
        await page.do(do="open", **where, user="Alice", role="member")
        await alice.say("and now a member, @Dave")
        await nasty.say(NASTY)
        await alice.upload(b"\x89PNG small", name='my "cat".png', text="look")
        await alice.upload(b"ID3" * 100, name="class.mp3")
        pictures = [sim.attachment(bytes(range(256)) * 9, name=name, width=3, height=4) for name in ("1.png", "小.png")]
        said = await alice.say("two", attachments=pictures, quote=asked.id)
        assert said.text == "member: two ['1.png image/png 2304', '小.png image/png 2304'] ['bot']"
        await alice.upload(bytes(100_000), name="zeros.bin")
        assert (await alice.say("fail")).outcome == "failed"
        assert sim.violations == []
        return str((await page.do(do="test", **where))["value"]["text"])


async def test_the_copied_test_passes_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    source = await full_chat(tmp_path)
    sys.modules.pop("__qqbot_file__")
    assert "from robots import robot as bot" in source
    assert '@pytest.mark.qq(profile="private")' in source
    assert 'role="admin"' in source and 'role="member"' in source
    assert "with qq.expect_error():" in source
    assert all(character.isprintable() or character == "\n" for character in source)
    assert '("Alice", role=' not in source.partition("reply1")[0]  # she was a member then
    (tmp_path / "test_chat.py").write_text(source, "utf-8")
    plugins = ["-ppytest_asyncio.plugin", "-pqqbot.testing.pytest_plugin"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", *plugins, "test_chat.py"),
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, f"{source}\n{out.decode()}"
    assert "1 passed" in out.decode()


async def test_the_copied_test_has_the_settings_of_the_group(sim: Simulator, bot: BareBot, page: Page) -> None:
    await bot.connect_ready()
    group = sim.group("test", all_messages=True, mention_tag=True)
    group.bot_is_admin = True
    group.member("Alice", role="admin")
    sim.push_message("group", conversation=group.id, user="Alice", text="hi", mention=False)
    source = (await page.do(do="test", **GROUP))["value"]["text"]
    assert 'qq.group("test", all_messages=True, mention_tag=True).member("Alice", role="admin")' in source
    assert 'qq.group("test").bot_is_admin = True' in source


async def test_a_comment_of_the_test_cannot_be_left(sim: Simulator, bot: BareBot, page: Page) -> None:
    await bot.connect_ready()
    name = "Eve\nimport os"
    body = {"markdown": {"content": "x"}, "msg_type": 2, "keyboard": keyboard()}
    _, sent = await bot.send_to_group(sim.group("test").id, **body)
    eve = sim.group("test").member(name)
    await page.do(do="click", message=sent["id"], button="label 0", user=eve.name)
    source = (await page.do(do="test", **GROUP))["value"]["text"]
    assert '# "Eve\\nimport os" pressed' in source
    assert "\nimport os" not in source
