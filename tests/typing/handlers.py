"""Only type-checked, never run: what registering and answering accepts, and what it refuses."""

from typing import assert_type

from qqbot import Bot, C2CMessageCreate, Context, Event, GroupAtMessageCreate, MessageEvent, Ready, Router

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
