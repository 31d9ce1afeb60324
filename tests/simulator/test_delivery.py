"""How a message reaches the bot: channels of private bots, groups with all messages, the form of the mention."""

import asyncio
from typing import Any

import pytest

from qqbot import AtMessageCreate, Bot, Context, MessageCreate
from qqbot.simulator.control import archive
from qqbot.testing import Simulator
from tests.simulator.bare import ALL, GUILDS, PRIVATE, BareBot, Echo, Frame
from tests.simulator.test_control import Control
from tests.simulator.test_page import Page


async def frames(bot: BareBot, intents: int, *, mention: bool) -> list[Frame]:
    socket = await bot.connect_ready(intents | ALL & ~GUILDS)
    bot.sim.push_message("channel", text="hi", mention=mention)
    bot.sim.push_message("c2c", text="end")
    received: list[Frame] = []
    while (frame := await socket.next())["t"] != "C2C_MESSAGE_CREATE":
        received.append(frame)
    return received


@pytest.mark.parametrize(
    ("intents", "mention", "kinds"),
    [
        (GUILDS, True, ["AT_MESSAGE_CREATE"]),
        (PRIVATE, True, ["MESSAGE_CREATE"]),
        (GUILDS | PRIVATE, True, ["AT_MESSAGE_CREATE", "MESSAGE_CREATE"]),
        (GUILDS, False, []),
        (PRIVATE, False, ["MESSAGE_CREATE"]),
        (GUILDS | PRIVATE, False, ["MESSAGE_CREATE"]),
    ],
)
async def test_a_private_bot_gets_each_message_of_a_channel(intents: int, mention: bool, kinds: list[str]) -> None:
    async with Simulator(profile="private") as sim, BareBot(sim) as bot:
        received = await frames(bot, intents, mention=mention)
        assert [frame["t"] for frame in received] == kinds
        assert len({frame["id"] for frame in received}) == len(kinds)
        assert len({frame["d"]["id"] for frame in received}) <= 1
        for frame in received:
            assert [each["username"] for each in frame["d"].get("mentions", [])] == (["bot"] if mention else [])


async def test_a_public_bot_gets_a_mention_once(bot: BareBot) -> None:
    assert [frame["t"] for frame in await frames(bot, GUILDS, mention=True)] == ["AT_MESSAGE_CREATE"]


async def test_the_event_id_is_that_of_the_event_which_the_bot_received() -> None:
    async with Simulator(profile="private") as sim, BareBot(sim) as bot:
        socket = await bot.connect_ready(PRIVATE)
        event_id = sim.push_message("channel", text="hi")
        assert (await socket.next())["id"] == event_id


async def test_an_answer_to_either_event_is_a_reply() -> None:
    async with Simulator(profile="private") as sim, BareBot(sim) as bot:
        alice = sim.channel("general").member("Alice")
        async with Echo(bot, await bot.connect_ready(PRIVATE)):
            assert str((await alice.say("hello", quiet=0.05)).text).endswith("hello")


@pytest.mark.parametrize("wanted", [(), (AtMessageCreate,), (MessageCreate,), (AtMessageCreate, MessageCreate)])
async def test_no_handler_took_either_event(wanted: tuple[type[Any], ...]) -> None:
    bot = Bot()

    @bot.on(AtMessageCreate, when=lambda event: type(event) in wanted)
    async def mentioned(ctx: Context[Any]) -> None:
        await ctx.reply("mentioned")

    @bot.on(MessageCreate, when=lambda event: type(event) in wanted)
    async def written(ctx: Context[Any]) -> None:
        await ctx.reply("written")

    async with Simulator(profile="private") as sim, sim.run(bot):
        reply = await sim.channel("general").member("Alice").say("hello")
        assert reply.outcome == ("handled" if wanted else "unwanted")
        remarks = next(each["remarks"] for each in sim.state()["messages"] if each["from"] == "user")
        assert remarks == ([] if wanted else [{"kind": "unwanted"}])


async def test_a_bot_with_handlers_for_both_events_is_done_after_both() -> None:
    bot, slow = Bot(), asyncio.Event()

    @bot.on(AtMessageCreate)
    async def mentioned(ctx: Context[Any]) -> None:
        await ctx.reply("mentioned")

    @bot.on(MessageCreate)
    async def written(ctx: Context[Any]) -> None:
        slow.set()

    async with Simulator(profile="private") as sim, sim.run(bot):
        reply = await sim.channel("general").member("Alice").say("hello")
        assert (reply.text, reply.outcome) == ("mentioned", "handled")
        assert slow.is_set()


@pytest.mark.parametrize("mention_tag", [False, True])
@pytest.mark.parametrize("all_messages", [False, True])
async def test_the_group_decides_how_a_mention_arrives(
    sim: Simulator, bot: BareBot, all_messages: bool, mention_tag: bool
) -> None:
    group = sim.group("test", all_messages=all_messages, mention_tag=mention_tag)
    socket = await bot.connect_ready()
    sim.push_message("group", text="hi")
    frame = await socket.next()
    me = sim._platform.world.bot_openid(sim._platform.world.group("test"))
    assert frame["t"] == ("GROUP_MESSAGE_CREATE" if all_messages else "GROUP_AT_MESSAGE_CREATE")
    assert frame["d"]["content"] == (f"<@{me}> hi" if mention_tag else " hi")
    [mention] = frame["d"]["mentions"]
    assert (mention["scope"], mention["is_you"], mention["member_openid"]) == ("single", True, me)
    _, state = await bot.call("GET", f"/v2/groups/{group.id}/bot_state")
    assert state["recv_msg_setting"] == ("all" if all_messages else "only_mention")
    assert (group.all_messages, group.mention_tag) == (all_messages, mention_tag)


async def test_without_a_mention_a_message_arrives_as_before(sim: Simulator, bot: BareBot) -> None:
    sim.group("test", all_messages=True)
    socket = await bot.connect_ready()
    sim.push_message("group", text="hi", mention=False)
    frame = await socket.next()
    assert (frame["t"], frame["d"]["content"]) == ("GROUP_MESSAGE_CREATE", "hi")
    assert "mentions" not in frame["d"]


@pytest.mark.parametrize("text", ["@全体成员 hi", "@everyone hi"])
async def test_a_mention_of_all_has_no_id(sim: Simulator, bot: BareBot, text: str) -> None:
    sim.group("test").all_messages = True
    socket = await bot.connect_ready()
    sim.push_message("group", text=text, mention=False)
    assert (await socket.next())["d"]["mentions"] == [{"scope": "all", "is_you": True}]


async def test_a_reply_in_a_group_with_all_messages(sim: Simulator, bot: BareBot) -> None:
    alice = sim.group("test", all_messages=True).member("Alice")
    async with Echo(bot, await bot.connect_ready()):
        assert (await alice.say("hello", quiet=0.05)).text == "hello"


async def test_only_groups_have_these_settings(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="settings of a group, not of channel"):
        sim.channel("general").all_messages = True


async def test_a_program_sets_a_group_to_all_messages(sim: Simulator, bot: BareBot) -> None:
    control, socket = Control(sim, bot), await bot.connect_ready()
    set_up = await control.post("group", conversation="test", all_messages=True)
    assert set_up == {"id": sim.group("test").id, "all_messages": True, "mention_tag": False}
    said = {"scene": "group", "conversation": "test", "text": "hi", "quiet": 0.01, "timeout": 0.05}
    await control.post("say", **said)
    assert (await socket.next())["t"] == "GROUP_MESSAGE_CREATE"
    await control.post("say", **said, all_messages=False, mention_tag=True)
    frame = await socket.next()
    assert (frame["t"], frame["d"]["content"][:2]) == ("GROUP_AT_MESSAGE_CREATE", "<@")
    assert "true or false" in await control.error("group", conversation="test", all_messages="yes")
    before = len(sim.state()["conversations"])  # type: ignore[arg-type]
    assert "not of c2c" in await control.error("say", scene="c2c", user="Zoe", text="hi", all_messages=True)
    assert "true or false" in await control.error("say", scene="group", conversation="no", text="hi", mention_tag=1)
    assert len(sim.state()["conversations"]) == before  # type: ignore[arg-type]


async def test_a_saved_chat_has_the_setting_and_the_cards_of_the_bot(sim: Simulator, bot: BareBot) -> None:
    group = sim.group("test", all_messages=True)
    card = {**CARD, "type": "new"}
    assert (await bot.call("POST", f"/v2/groups/{group.id}/messages", {"msg_type": 8, "card": card}))[0] == 200
    saved = archive.save(sim._platform)
    async with Simulator() as other:
        other.open_chat(saved)
        assert other._platform.world.find("group", group.id).all_messages  # type: ignore[union-attr]
        assert other.group("test").messages[-1].card == card


async def test_the_page_shows_and_sets_the_group(sim: Simulator, bot: BareBot) -> None:
    async with Page(sim, bot.http) as page:
        await page.send(auth=sim.control_token)
        await page.next("snapshot")
        assert (await page.do(do="group", conversation="test", all_messages=True, mention_tag=True))["ok"]
        shown = next(each for each in sim.state()["conversations"] if each["scene"] == "group")  # type: ignore[attr-defined]
        assert (shown["all_messages"], shown["mention_tag"]) == (True, True)
        await page.do(do="say", scene="group", conversation="test", user="Alice", text="hi")
        test = (await page.do(do="test", scene="group", conversation="test"))["value"]["text"]
        assert "qq.group('test', all_messages=True, mention_tag=True)" in test.replace('"', "'")


CARD: dict[str, Any] = {
    "type": "tuwen",
    "content": {"title": "Tea", "description": "green", "pic_url": "", "url": "https://example.com/tea"},
}


@pytest.mark.parametrize("scene", ["group", "c2c"])
async def test_a_card_of_the_bot_is_in_the_chat(sim: Simulator, bot: BareBot, scene: str) -> None:
    group, user = sim.group("test"), sim.user("Alice")
    place, chat = (f"groups/{group.id}", group) if scene == "group" else (f"users/{user.openid}", user)
    status, sent = await bot.call("POST", f"/v2/{place}/messages", {"msg_type": 8, "card": CARD})
    assert status == 200
    [shown] = chat.messages
    assert (shown.id, shown.card) == (sent["id"], CARD)
    document: Any = sim.state()["messages"][-1]  # type: ignore[index]
    assert (document["kind"], document["card"]["ark_name"]) == ("card", "图文H5")
    assert document["card"]["fields"]["jump_url"] == CARD["content"]["url"]
    assert "Tea" in document["text"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"msg_type": 8}, 22006),
        ({"msg_type": 8, "card": {}}, 22006),
        ({"msg_type": 8, "card": {"type": "tuwen"}}, 12002),
        ({"msg_type": 8, "card": {"type": "tuwen", "content": {"title": ""}}}, 22006),
        ({"msg_type": 8, "card": {"content": {"title": "Tea"}}}, 22006),
        ({"msg_type": 0, "content": "x", "card": CARD}, 22006),
        ({"msg_type": 8, "card": CARD, "markdown": {"content": "x"}}, 22006),
    ],
)
async def test_refused_cards(sim: Simulator, bot: BareBot, body: dict[str, object], code: int) -> None:
    assert (await bot.refused("POST", f"/v2/groups/{sim.group('test').id}/messages", body))[1] == code


async def test_a_quoted_card_of_the_bot_arrives_as_a_card(sim: Simulator, bot: BareBot) -> None:
    socket = await bot.connect_ready()
    user = sim.user("Alice")
    _, sent = await bot.call("POST", f"/v2/users/{user.openid}/messages", {"msg_type": 8, "card": CARD})
    asked = asyncio.create_task(user.say("what is it?", quote=sent["id"], timeout=0.2))
    [element] = (await socket.next())["d"]["msg_elements"]
    assert (element["message_type"], element["ark_data"]["fields"]["title"]) == (3, "Tea")
    await asked
