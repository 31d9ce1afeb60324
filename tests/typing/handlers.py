"""Only type-checked, never run: what registering and answering accepts, and what it refuses."""

from typing import assert_type

from qqbot import (
    AtMessageCreate,
    Bot,
    C2CMessageCreate,
    Context,
    Event,
    ForumNotice,
    ForumThreadCreate,
    GroupAtMessageCreate,
    Intents,
    InteractionCreate,
    MessageDelete,
    MessageEvent,
    Ready,
    Router,
    button,
    command,
    parse_command,
)
from qqbot.models.rich_text import RichText

bot = Bot()
router = Router()


@bot.on
async def annotated(ctx: Context[GroupAtMessageCreate]) -> None:
    assert_type(ctx.event, GroupAtMessageCreate)
    await ctx.reply(ctx.text)


@router.on(GroupAtMessageCreate, C2CMessageCreate)
async def two(ctx: Context[GroupAtMessageCreate | C2CMessageCreate]) -> None:
    assert_type(ctx.event, GroupAtMessageCreate | C2CMessageCreate)


@bot.on(GroupAtMessageCreate)
async def of_a_base(ctx: Context[MessageEvent]) -> None:
    """`Context` is covariant: a handler of a base class takes its events."""


@bot.on(Event)
async def tap(ctx: Context[Event]) -> None:
    assert_type(ctx.event, Event)


@bot.on(Ready)
async def no_reply_to_ready(ctx: Context[Ready]) -> None:
    await ctx.reply("x")  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


@bot.on(C2CMessageCreate)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
async def wrong_event(ctx: Context[GroupAtMessageCreate]) -> None: ...


@bot.on(C2CMessageCreate)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
def not_async(ctx: Context[C2CMessageCreate]) -> None: ...


@bot.on(GroupAtMessageCreate, AtMessageCreate, when=command("weather"))
async def weather(ctx: Context[GroupAtMessageCreate | AtMessageCreate]) -> None:
    assert_type(parse_command(ctx.text), tuple[str, str])


@bot.on(InteractionCreate, when=button("vote:"))
async def vote(ctx: Context[InteractionCreate]) -> None: ...


@bot.on(ForumThreadCreate)
async def thread(ctx: Context[ForumThreadCreate]) -> None:
    assert_type(ctx.event.thread_info.title, RichText)
    await ctx.reply(ctx.event.thread_info.title.text)


@bot.on(ForumNotice)
async def of_a_family(ctx: Context[ForumNotice]) -> None:
    assert_type(ctx.event.channel_id, str)


@bot.on(MessageDelete)
async def no_reply_to_a_deletion(ctx: Context[MessageDelete]) -> None:
    await ctx.reply("x")  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


@bot.on(InteractionCreate, when=command("weather"))  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportUntypedFunctionDecorator, reportArgumentType]
async def no_command_in_a_click(ctx: Context[InteractionCreate]) -> None: ...


bot.include(router)
bot.match_for("READY")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
assert_type(bot.intents, Intents)
