"""Questions with buttons, pages, long answers in parts, fallbacks, and clicks that have to be acknowledged."""

import asyncio
import logging

import pytest

from qqbot import (
    Bot,
    Button,
    C2CMessageCreate,
    ConfigError,
    Context,
    Event,
    GroupMessageEvent,
    InteractionCreate,
    Keyboard,
    Markdown,
    MessageEvent,
    PermissionMissing,
    ReplyWindowExpired,
)
from qqbot.bot import clicks
from qqbot.bot.splitting import split_text
from qqbot.testing import Simulator

LETTERS = list("abcdefghijklmnopqrstuvwxyz")


async def tea(ctx: Context[MessageEvent]) -> None:
    choice = await ctx.ask("Tea or coffee?", ["茶", "咖啡"], timeout=60)
    await ctx.reply(f"you chose {choice}")


async def test_a_button_answers_and_only_that_user_may_press(qq: Simulator) -> None:
    bot = Bot()
    bot.command("drink", asks=True)(tea)
    group = qq.group("test")
    alice, bob = group.member("Alice"), group.member("Bob")
    async with qq.run(bot):
        question = await alice.say("/drink")
        assert question.keyboard is not None
        buttons = [button for row in question.keyboard["content"]["rows"] for button in row["buttons"]]
        assert [button["render_data"]["visited_label"] for button in buttons] == ["✓ 茶", "✓ 咖啡"]
        assert {button["action"]["permission"]["type"] for button in buttons} == {0}
        await bob.say("茶")  # not the user that was asked
        answer = await question.click("咖啡")
        assert answer.text == "you chose 咖啡"
    assert qq.violations == []


async def agree(ctx: Context[MessageEvent]) -> None:
    await ctx.reply("yes" if await ctx.confirm("Agreed?", yes="是", no="否", admins=True, timeout=60) else "no")


@pytest.mark.parametrize("decide", ["click", "words"])
async def test_administrators_are_asked_in_place_of_the_user(qq: Simulator, decide: str) -> None:
    bot = Bot()
    bot.command("may", asks=True)(agree)
    group = qq.group("test")
    alice, bob, boss = group.member("Alice"), group.member("Bob", role="admin"), group.member("Boss", role="owner")
    async with qq.run(bot):
        question = await alice.say("/may")
        with pytest.raises(ValueError, match="only admins"):
            await question.click("是")
        assert (await alice.say("是")).outcome == "unwanted"
        if decide == "click":
            assert (await question.click("否", by=bob)).ack == 0
        else:
            assert (await boss.say("否")).outcome == "consumed"
        assert group.messages[-1].text == "no"
    assert qq.violations == []


@pytest.mark.qq(profile="private")
async def test_administrators_of_a_guild_are_asked_by_text(qq: Simulator) -> None:
    bot = Bot()

    @bot.command("name")
    async def name_it(ctx: Context[MessageEvent]) -> None:
        await ctx.reply(f"{await ctx.ask('Which name?', admins=True, timeout=60)} it is")

    hall = qq.channel("hall")
    alice, boss = hall.member("Alice"), hall.member("Boss", role="owner")
    async with qq.run(bot):
        await alice.say("/name")
        await alice.say("Ally")
        await boss.say("Bossy")
        assert hall.messages[-1].text == "Bossy it is"


async def test_a_private_chat_has_no_administrators(qq: Simulator) -> None:
    bot = Bot()
    bot.command("may", asks=True)(agree)
    async with qq.run(bot):
        with qq.expect_error(ConfigError):
            assert (await qq.user("Alice").say("/may")).messages == ()


async def call_me(ctx: Context[MessageEvent]) -> None:
    try:
        name = await ctx.ask("Your name?", timeout=60)
    except TimeoutError:
        await ctx.reply("too late")
    else:
        await ctx.reply(f"hello, {name}")


@pytest.mark.parametrize("all_messages", [False, True])
async def test_without_choices_the_next_words_of_that_user_to_the_bot_answer(qq: Simulator, all_messages: bool) -> None:
    bot = Bot()  # it asks for no clicks
    bot.command("name")(call_me)
    group = qq.group("test", all_messages=all_messages)
    alice, bob = group.member("Alice"), group.member("Bob")
    async with qq.run(bot):
        question = await alice.say("/name")
        assert (question.text, question.outcome) == ("Your name?", "waiting")
        assert (await bob.say("Bob")).outcome == "unwanted"
        assert (await alice.upload(b"\x89PNG\r\n", name="me.png")).outcome == "unwanted"
        if all_messages:
            assert (await alice.say("wait a moment, Bob", mention=False)).outcome == "unwanted"
        assert (await alice.say("Ally 2")).outcome == "consumed"
        assert group.messages[-1].text == "hello, Ally 2"


async def test_a_question_without_choices_ends_in_time(qq: Simulator) -> None:
    bot = Bot()
    bot.command("name")(call_me)
    alice = qq.user("Alice")
    async with qq.run(bot):
        await alice.say("/name")
        await qq.clock.advance(minutes=2)
        assert alice.messages[-1].text == "too late"


@pytest.mark.parametrize("words", ["咖啡", "2", "２", "2."])
async def test_words_and_numbers_answer_as_well(qq: Simulator, words: str) -> None:
    bot = Bot()
    bot.command("drink", asks=True)(tea)
    alice = qq.user("Alice")
    async with qq.run(bot):
        await alice.say("/drink")
        await alice.say(words)
        assert qq.state()["messages"][-1]["text"] == "you chose 咖啡"


def refuse_markdown(qq: Simulator) -> None:
    qq.faults.http("POST /v2/users/*/messages", 400, body={"code": 304036, "message": "no right to markdown"})


async def test_where_keyboards_are_refused_the_choices_are_numbered(qq: Simulator) -> None:
    bot = Bot()
    bot.command("drink", asks=True)(tea)
    alice = qq.user("Alice")
    async with qq.run(bot):
        refuse_markdown(qq)
        assert (await alice.say("/drink")).text == "Tea or coffee?\n1. 茶\n2. 咖啡"


async def test_a_question_times_out(qq: Simulator) -> None:
    bot = Bot()

    @bot.command("sure", asks=True)
    async def sure(ctx: Context[MessageEvent]) -> None:
        try:
            sure = await ctx.confirm("Sure?", timeout=60)
        except TimeoutError:
            await ctx.reply("too late")
        else:
            await ctx.reply(f"sure: {sure}")

    async with qq.run(bot):
        alice = qq.user("Alice")
        assert (await (await alice.say("/sure")).click("确定")).text == "sure: True"
        assert (await (await alice.say("/sure")).click("取消")).text == "sure: False"
        await alice.say("/sure")
        await qq.clock.advance(minutes=2)
        assert qq.state()["messages"][-1]["text"] == "too late"


async def test_pages(qq: Simulator) -> None:
    bot = Bot()

    @bot.command("list", asks=True)
    async def pages(ctx: Context[MessageEvent]) -> None:
        await ctx.pages(["first", "second", "third"], timeout=60)
        await ctx.reply("over")

    async with qq.run(bot):
        first = await qq.user("Alice").say("/list")
        assert first.markdown == "first\n\n1/3"
        second = await first.click("下一页")
        assert second.markdown == "second\n\n2/3"
        third = await second.click("下一页")
        assert third.markdown == "third\n\n3/3"
        assert (await third.click("上一页")).markdown == "second\n\n2/3"
        await qq.clock.advance(minutes=2)
        assert qq.state()["messages"][-1]["text"] == "over"


async def test_a_bot_without_the_intent_is_told_before_anything_is_sent(qq: Simulator) -> None:
    bot, errors = Bot(), []
    bot.command("drink")(tea)

    @bot.on_error
    async def report(ctx: Context[Event], error: Exception) -> None:
        errors.append(error)
        if r := ctx.replyable:
            await r.reply("sorry")

    async with qq.run(bot):
        with qq.expect_error(ConfigError):
            assert (await qq.user("Alice").say("/drink")).text == "sorry"
    assert "expect(InteractionCreate)" in str(errors[0])


@pytest.mark.parametrize(
    "choices", ["ab", [], ["a", "a"], [""], ["a label that is too long"], list("abcdefghijklmnopqrstuvwxyz")]
)
async def test_choices_that_fit_on_no_button(qq: Simulator, choices: list[str]) -> None:
    bot, errors = Bot(), []

    @bot.command("x", asks=True)
    async def x(ctx: Context[MessageEvent]) -> None:
        with pytest.raises(ConfigError) as caught:
            await ctx.ask("?", choices)
        errors.append(caught.value)

    async with qq.run(bot):
        await qq.user("Alice").say("/x")
    assert len(errors) == 1


async def test_a_long_answer_goes_out_in_parts(qq: Simulator) -> None:
    bot, sent = Bot(), []
    long = "段落。" * 1000 + "\n\n" + "word " * 1000

    @bot.command("long")
    async def answer(ctx: Context[MessageEvent]) -> None:
        sent.extend(await ctx.reply(long, split=True))

    @bot.command("longer")
    async def too_long(ctx: Context[MessageEvent]) -> None:
        with pytest.raises(ConfigError, match="needs 6 messages"):
            await ctx.reply("x" * 24_000, split=True)

    async with qq.run(bot):
        alice = qq.user("Alice")
        await alice.say("/long")
        texts = [message["text"] for message in qq.state()["messages"] if message["from"] == "bot"]
        await alice.say("/longer")
        assert len([message for message in qq.state()["messages"] if message["from"] == "bot"]) == len(texts)
    assert len(sent) == len(texts) == 3
    assert all(len(text) <= 4000 for text in texts)
    assert "".join("".join(texts).split()) == "".join(long.split())


def test_code_keeps_its_fences() -> None:
    parts = split_text("text\n\n```python\n" + "x = 1\n" * 40 + "```\nend", 100)
    assert all(len(part) <= 100 for part in parts)
    assert all(part.count("```") % 2 == 0 for part in parts)
    assert sum(part.count("x = 1") for part in parts) == 40
    with pytest.raises(ConfigError):
        split_text("x", 10)


async def test_fallbacks(qq: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    bot, seen = Bot(), []

    @bot.command("md")
    async def md(ctx: Context[MessageEvent]) -> None:
        refuse_markdown(qq)
        with pytest.raises(PermissionMissing):
            await ctx.reply(Markdown("# x"))
        refuse_markdown(qq)
        await ctx.reply(Markdown("# x"), fallback=["text"])

    @bot.command("late")
    async def late(ctx: Context[MessageEvent]) -> None:
        await qq.clock.advance(hours=2)
        with pytest.raises(ReplyWindowExpired):
            await ctx.reply("too late")
        seen.append(await ctx.reply("late", fallback=("active",)))

    caplog.set_level(logging.INFO, "qqbot")
    async with qq.run(bot):
        alice = qq.user("Alice")
        assert (await alice.say("/md")).text == "# x"
        await alice.say("/late")
    assert len(seen) == 1
    assert "markdown is refused here" in caplog.text
    assert "active message" in caplog.text


async def test_a_click_that_no_handler_acknowledges(
    qq: Simulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clicks, "ACK_SECONDS", 0.1)
    bot = Bot()

    @bot.on(C2CMessageCreate)
    async def show(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply(Markdown("?", keyboard=Keyboard([[Button.callback("go", "go")]])))

    @bot.on(InteractionCreate)
    async def forgets(ctx: Context[InteractionCreate]) -> None:
        await ctx.reply("ok")

    async with qq.run(bot):
        shown = await qq.user("Alice").say("hi")
        await shown.click("go")
        await asyncio.sleep(0.2)
    assert "forgets did not acknowledge the click" in caplog.text


async def test_auto_ack(qq: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    bot = Bot(auto_ack=True)

    @bot.on(GroupMessageEvent)
    async def show(ctx: Context[GroupMessageEvent]) -> None:
        await ctx.reply(Markdown("?", keyboard=Keyboard([[Button.callback("go", "go")]])))

    @bot.on(InteractionCreate)
    async def forgets(ctx: Context[InteractionCreate]) -> None:
        await ctx.reply("ok")

    async with qq.run(bot):
        shown = await qq.group("test").member("Alice").say("@bot hi")
        assert (await shown.click("go")).text == "ok"
    assert qq.violations == []
    assert not caplog.records
