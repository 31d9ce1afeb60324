"""Commands on the simulator: arguments, usage, one winner, permissions, cooldowns, help, panels, middleware."""

import enum
import json
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from qqbot import (
    AccessRefused,
    Bot,
    C2CMessageCreate,
    CallNext,
    ConfigError,
    Context,
    Cooldown,
    Envelope,
    Event,
    GroupAtMessageCreate,
    GroupMessageCreate,
    GroupMessageEvent,
    Mention,
    MessageEvent,
    Router,
    Scene,
    UsageError,
    members,
    permission,
    says,
    scenes,
    users,
)
from qqbot.bot.arguments import signature_of, split_words
from qqbot.bot.cooldowns import Cooldowns
from qqbot.models.panels import PanelScope
from qqbot.testing import Simulator


class Colour(enum.Enum):
    RED = "红"
    BLUE = "蓝"


def bot_with(*commands: tuple[str, Any]) -> Bot:
    bot = Bot()
    for name, function in commands:
        bot.command(name)(function)
    return bot


async def answers(qq: Simulator, bot: Bot, *texts: str, role: str = "member") -> list[str | None]:
    alice = qq.group("test").member("Alice", role=role)
    async with qq.run(bot):
        return [(await alice.say(text)).text for text in texts]


async def top(ctx: Context[MessageEvent], count: Annotated[int, Meta(ge=1, le=50)] = 10) -> None:
    await ctx.reply(f"top {count}")


async def test_arguments_come_from_the_signature(qq: Simulator) -> None:
    async def many(  # noqa: PLR0917
        ctx: Context[MessageEvent],
        number: float,
        yes: bool,
        colour: Colour,
        unit: Literal["km", "m"],
        day: date,
        *rest: str,
    ) -> None:
        await ctx.reply(f"{number} {yes} {colour.name} {unit} {day} {rest}")

    bot = bot_with(("many", many))
    assert await answers(
        qq,
        bot,
        '/many 1.5 是 红 km 2026-1-31 a "b c"',
        "/many ２ off blue m 2026年2月3日",
        "/MANY 1 ON RED km 2026/12/01 it's",
    ) == [
        "1.5 True RED km 2026-01-31 ('a', 'b c')",
        "2.0 False BLUE m 2026-02-03 ()",
        """1.0 True RED km 2026-12-01 ("it's",)""",
    ]


async def test_a_last_text_takes_the_line_as_it_is(qq: Simulator) -> None:
    async def say(ctx: Context[MessageEvent], to: str, text: str) -> None:
        await ctx.reply(f"{to}|{text}")

    bot = bot_with(("say", say))
    assert await answers(qq, bot, '/say “a b” it\'s  "quoted" (｡･ω･｡)', "/say a") == [
        'a b|it\'s  "quoted" (｡･ω･｡)',
        "text is missing\nUsage: /say to text",
    ]


async def test_a_number_may_follow_without_a_blank_and_exact_names_come_first(qq: Simulator) -> None:
    async def exact(ctx: Context[MessageEvent]) -> None:
        await ctx.reply("exact")

    bot = bot_with(("排行", top), ("排行10", exact))
    assert await answers(qq, bot, "/排行", "/排行 5", "/排行１２", "／排行 ２０", "/排行10", "/排行 -3", "/排行榜") == [
        *("top 10", "top 5", "top 12", "top 20", "exact"),
        "count 应为 1 到 50 的整数\n用法：/排行 [count]",
        None,
    ]


async def test_a_mention_is_an_argument(qq: Simulator) -> None:
    async def points(ctx: Context[GroupMessageEvent], member: Mention | None = None, note: str = "-") -> None:
        await ctx.reply(f"{member.name if member else None} {note}")

    async def mute(ctx: Context[GroupMessageEvent], member: Mention, minutes: int = 10) -> None:
        await ctx.reply(f"{member.name} {minutes}")

    bot = bot_with(("points", points), ("mute", mute))
    group = qq.group("test")
    group.member("小明")
    assert await answers(
        qq,
        bot,
        "/points",
        "/points @小明",
        "/points null",
        "@小明 /points hello",
        "/mute@小明 5",
        "/mute 5",
        "/mute @小明 x",
    ) == [
        *("None -", "小明 -", "None null", "小明 hello", "小明 5"),
        "member is missing\nUsage: /mute member [minutes]",
        "minutes must be a whole number\nUsage: /mute member [minutes]",
    ]


@pytest.mark.parametrize("kind", ["mentions", "all messages"])
async def test_one_winner(qq: Simulator, kind: str) -> None:
    bot, seen = Bot(), []

    @bot.on(MessageEvent)
    async def other(ctx: Context[MessageEvent]) -> None:
        seen.append("other")

    @bot.on(Event)
    async def everything(ctx: Context[Event]) -> None:
        if isinstance(ctx.event, MessageEvent):
            seen.append("everything")

    @bot.command("a")
    async def first(ctx: Context[GroupMessageEvent]) -> None:
        seen.append("first")

    @bot.command("a")
    async def private(ctx: Context[C2CMessageCreate]) -> None:
        seen.append("private")

    @bot.command("b", when=lambda event: "yes" in event.content)
    async def sometimes(ctx: Context[MessageEvent], word: str = "") -> None:
        seen.append("sometimes")

    group = qq.group("test")
    async with qq.run(bot):
        alice = group.member("Alice")
        for text in ("/a", "/b yes", "/b no", "/ab", "hello"):
            await alice.say(f"@bot {text}")
        await qq.user("Bob").say("/a")
    assert seen == [
        *("everything", "first"),
        *("everything", "sometimes"),
        *("other", "everything") * 3,
        *("everything", "private"),
    ]


async def test_who_may_and_what_is_answered(qq: Simulator) -> None:
    bot, refused = Bot(), []

    @bot.command("clear", allow=members("admin", "owner"), refuse="只有管理员可以用")
    async def clear(ctx: Context[GroupMessageEvent]) -> None:
        await ctx.reply("cleared")

    async def later(ctx: Context[Any]) -> bool:
        return ctx.text.endswith("please")

    @bot.on(GroupMessageEvent, allow=~scenes(Scene.C2C) & permission(later))
    async def polite(ctx: Context[GroupMessageEvent]) -> None:
        await ctx.reply("done")

    @bot.on_refused
    async def hear(ctx: Context[Event], refusal: AccessRefused) -> None:
        refused.append((refusal.reason, ctx.event_id is not None))

    group = qq.group("test")
    async with qq.run(bot):
        alice, boss = group.member("Alice"), group.member("Boss", role="owner")
        assert (await alice.say("/clear")).text == "只有管理员可以用"
        assert (await boss.say("/clear")).text == "cleared"
        silent = await alice.say("do it")
        assert silent.text is None
        assert silent.outcome == "handled"
        assert (await alice.say("do it please")).text == "done"
    assert refused == [("permission", True)] * 2


async def test_a_cooldown_follows_the_clock_of_the_kit(qq: Simulator) -> None:
    bot = Bot()

    @bot.command("sign", cooldown=Cooldown(2, per=60, refuse="{seconds} 秒后再试"))
    async def sign(ctx: Context[GroupMessageEvent]) -> None:
        await ctx.reply("ok")

    group = qq.group("test")
    async with qq.run(bot):
        alice, bob = group.member("Alice"), group.member("Bob")
        assert [(await alice.say("/sign")).text for _ in range(3)] == ["ok", "ok", "60 秒后再试"]
        assert (await bob.say("/sign")).text == "ok"
        await qq.clock.advance(seconds=61)
        assert (await alice.say("/sign")).text == "ok"


async def test_a_cooldown_remembers_so_many_keys() -> None:
    cooldowns = Cooldowns(most=100)
    for use in range(10_000):
        assert await cooldowns.use(f"user {use}", 1, 60.0, 1.0) == 0
        assert await cooldowns.use("busy", 3, 60.0, float(use)) >= 0
    assert len(cooldowns) == 100
    assert len(cooldowns._uses["busy"]) <= 3


async def test_wrong_arguments_may_be_answered_otherwise(qq: Simulator) -> None:
    bot, router = Bot(), Router(prefix="admin")
    bot.command("top")(top)
    router.command("top")(top)
    bot.include(router)

    @router.on_usage_error
    async def explain(ctx: Context[MessageEvent], error: UsageError) -> None:
        await ctx.reply(f"{error.parameter}: {error.usage}")

    assert await answers(qq, bot, "/top x", "/admin top x", "/admin top 3", "/admin") == [
        "count must be a whole number from 1 to 50\nUsage: /top [count]",
        "count: /admin top [count]",
        "top 3",
        None,
    ]


MALFORMED = [
    *(
        '"',
        '"open',
        "“open",
        '"a"b',
        "''",
        "\\",
        "😀",
        "👨‍👩‍👧‍👦",
        "九",
        "９９",
        "１．５",
        "9" * 20,
        "9" * 5000,
        "-1",
        "+",
        "1e5",
    ),
    *("0x10", "1_0", "NaN", "inf", "null", "None", "true", "[]", "{}", "<", "<@>", "<@!x>", "<faceType=1>", "<#1>"),
    *('<qqbot-at-user id="x" />', "\u200b", "\u3000", "a b c", "5 5", "5 " * 2000, "一" * 5000, "\n\n", "%s", "{0}"),
    *("/top", "51", "0", "", "@everyone", "@全体成员", "&lt;5&gt;", "5;", "５ ５"),
]


@pytest.mark.parametrize("text", MALFORMED, ids=map(str, range(len(MALFORMED))))
async def test_malformed_input_gets_usage(qq: Simulator, text: str, caplog: pytest.LogCaptureFixture) -> None:
    called: list[int] = []

    async def strict(ctx: Context[MessageEvent], count: Annotated[int, Meta(ge=1, le=50)]) -> None:
        called.append(count)

    answer = (await answers(qq, bot_with(("top", strict)), f"/top {text}"))[0]
    assert called == []
    assert answer is not None
    assert "/top count" in answer
    assert not [record for record in caplog.records if record.exc_info]


async def test_help_lists_what_the_user_may_use(qq: Simulator) -> None:
    bot = Bot()
    bot.help()
    bot.command("排行", "top", summary="积分排行")(top)

    @bot.command("clear", summary="clear all", allow=members("owner"))
    async def clear(ctx: Context[GroupMessageEvent]) -> None: ...

    @bot.command("mine", allow=users("nobody"))
    async def mine(ctx: Context[C2CMessageCreate]) -> None: ...

    listed = "/help [command]\n/排行 [count]  积分排行"
    assert await answers(qq, bot, "/help", "/帮助 top", "/help clear") == [
        listed,
        "/排行 [count]  积分排行\n= /top",
        "There is no such command",
    ]
    assert await answers(qq, bot, "/help", role="owner") == [f"{listed}\n/clear  clear all"]


async def test_panels_are_made_once(qq: Simulator) -> None:
    bot = Bot()
    bot.command("排行", summary="积分排行")(top)
    async with qq.run(bot):
        await bot.sync_panels()
        changes = [(call["method"], call["path"]) for call in qq.calls if call["method"] in ("POST", "PUT")]
        await bot.sync_panels()
        assert [(call["method"], call["path"]) for call in qq.calls if call["method"] in ("POST", "PUT")] == changes
    assert changes.count(("POST", "/v2/panels")) == 4
    assert changes.count(("PUT", "/v2/menu")) == 1


async def test_a_command_is_in_the_panels_of_its_scenes_only(qq: Simulator) -> None:
    bot = Bot()
    bot.command("top")(_no_arguments)
    async with qq.run(bot):
        await bot.sync_panels()
        shown = {
            scope: [item.name async for record in bot.api.panels.iter(scope) for item in record.panel.items]
            for scope in PanelScope
        }
    assert shown == {PanelScope.GROUP: ["top"], PanelScope.C2C: [], PanelScope.CHANNEL: [], PanelScope.DM: []}


async def test_what_a_command_has_taken_goes_nowhere_under_its_second_name(qq: Simulator) -> None:
    bot, seen = Bot(), []

    @bot.command("a")
    async def command(ctx: Context[GroupAtMessageCreate]) -> None:
        seen.append("command")

    @bot.on(GroupMessageCreate)
    async def other(ctx: Context[GroupMessageCreate]) -> None:
        seen.append(ctx.text)

    async with qq.run(bot):
        for number, text in enumerate(("/a", "hello")):
            for name in ("GROUP_AT_MESSAGE_CREATE", "GROUP_MESSAGE_CREATE"):
                await bot.handle(envelope(name, str(number), text))
    assert seen == ["command", "hello"]


def envelope(name: str, message: str, text: str) -> Envelope:
    payload = {"id": message, "group_openid": "G", "content": text, "author": {"member_openid": "U"}}
    raw = json.dumps({"op": 0, "s": 1, "t": name, "id": f"{name}:{message}", "d": payload}).encode()
    return Envelope(id=f"{name}:{message}", type=name, shard=0, session="s", seq=1, key="G", ts=0, raw=raw)


async def test_middleware_is_around_handlers_and_commands(qq: Simulator) -> None:
    bot, router, order = Bot(), Router(), []
    bot.include(router)

    @bot.middleware
    async def outer(ctx: Context[Event], call_next: CallNext) -> None:
        order.append("outer in")
        await call_next()
        order.append("outer out")

    @router.middleware
    async def inner(ctx: Context[Event], call_next: CallNext) -> None:
        order.append("inner in")
        if ctx.event.content != "stop":  # type: ignore[attr-defined]
            await call_next()
        order.append("inner out")

    @router.command("a")
    async def a(ctx: Context[MessageEvent]) -> None:
        order.append("a")

    @bot.on(C2CMessageCreate)
    async def plain(ctx: Context[C2CMessageCreate]) -> None:
        order.append("plain")

    @router.on(C2CMessageCreate)
    async def routed(ctx: Context[C2CMessageCreate]) -> None:
        order.append("routed")

    async with qq.run(bot):
        alice = qq.user("Alice")
        await alice.say("/a")
        assert order == ["outer in", "inner in", "a", "inner out", "outer out"]
        order.clear()
        await alice.say("hi")
        assert order == ["outer in", "plain", "inner in", "routed", "inner out", "outer out"]
        order.clear()
        await alice.say("stop")
        assert "routed" not in order


async def test_what_a_handler_raises_passes_the_middleware_and_is_reported_once(qq: Simulator) -> None:
    bot, seen, reported = Bot(), [], []

    @bot.middleware
    async def watch(ctx: Context[Event], call_next: CallNext) -> None:
        try:
            await call_next()
        except ValueError as error:
            seen.append(str(error))
            raise

    @bot.on(C2CMessageCreate)
    async def fails(ctx: Context[C2CMessageCreate]) -> None:
        raise ValueError(ctx.text)

    @bot.on(C2CMessageCreate)
    async def runs(ctx: Context[C2CMessageCreate]) -> None:
        seen.append("runs")

    @bot.on_error
    async def report(ctx: Context[Event], error: Exception) -> None:
        reported.append(error)

    async with qq.run(bot):
        with qq.expect_error(ValueError):
            said = await qq.user("Alice").say("broken")
    assert said.outcome == "failed"
    assert seen == ["runs", "broken"]
    assert len(reported) == 1


async def test_a_middleware_that_raises_fails_the_event(qq: Simulator) -> None:
    bot = Bot()

    @bot.middleware
    async def broken(ctx: Context[Event], call_next: CallNext) -> None:
        raise LookupError("no database")

    @bot.on(C2CMessageCreate)
    async def never(ctx: Context[C2CMessageCreate]) -> None:
        raise AssertionError

    async with qq.run(bot):
        with qq.expect_error(LookupError):
            assert (await qq.user("Alice").say("hi")).outcome == "failed"


@pytest.mark.parametrize(
    "declare",
    [
        lambda bot: bot.command("a b"),
        lambda bot: bot.command(""),
        lambda bot: bot.command("/"),
        lambda bot: bot.command("a", "A"),
        lambda bot: bot.command("a", refuse="no"),
        lambda bot: Router(prefix="/"),
        lambda bot: Cooldown(0, per=1),
        lambda bot: Cooldown(1, per=0),
        lambda bot: members(),
        lambda bot: says(),
        lambda bot: bot.on(MessageEvent, allow="admin"),
    ],
)
def test_declarations_that_cannot_be_right(declare: Any) -> None:
    with pytest.raises(ConfigError):
        declare(Bot())


async def _unfillable(ctx: Context[MessageEvent], data: dict[str, int]) -> None: ...
async def _keyword(ctx: Context[MessageEvent], *, flag: bool = False) -> None: ...
async def _options(ctx: Context[MessageEvent], **options: str) -> None: ...
async def _two(ctx: Context[MessageEvent], what: int | str) -> None: ...
async def _no_message(ctx: Context[Event]) -> None: ...
async def _unannotated(ctx) -> None: ...  # type: ignore[no-untyped-def]
async def _unreadable(ctx: "Context[Nowhere]") -> None: ...  # type: ignore[name-defined]  # noqa: F821
def _sync(ctx: Context[MessageEvent]) -> None: ...


@pytest.mark.parametrize(
    "function", [_unfillable, _keyword, _options, _two, _no_message, _unannotated, _unreadable, _sync]
)
def test_a_function_that_no_message_fits(function: Any) -> None:
    with pytest.raises(ConfigError):
        Bot().command("a")(function)


def test_a_name_is_taken_once_for_each_kind_of_message() -> None:
    bot, router = Bot(), Router(prefix="mod")
    bot.command("top")(top)
    with pytest.raises(ConfigError, match="registered twice"):
        bot.command("Top")(_no_arguments)
    router.command("top")(_no_arguments)
    bot.include(router)
    assert [command.command.label for command in bot._handlers.registrations if command.command] == ["/top", "/mod top"]


async def _no_arguments(ctx: Context[GroupAtMessageCreate]) -> None: ...


def test_predicates_and_handlers_are_checked_at_registration() -> None:
    bot = Bot()

    async def later(event: MessageEvent) -> bool:
        return True

    async def two(ctx: Context[MessageEvent], more: int) -> None: ...

    with pytest.raises(ConfigError, match="allow="):
        bot.on(MessageEvent, when=later)(_no_arguments)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"bot\.command"):
        bot.on(MessageEvent)(two)  # type: ignore[arg-type]


def test_words() -> None:
    assert [word.text for word in split_words('a "b c" “d e” it\'s "f"g <@1>2')] == [
        *("a", "b c", "d e", "it's", '"f"g', "<@1>", "2")
    ]
    assert signature_of(top, "/top").usage == "[count]"
