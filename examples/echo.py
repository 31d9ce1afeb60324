"""The smallest bot. Try it: `qqbot simulate examples/echo.py`."""

from qqbot import Bot, C2CMessageCreate, Context, GroupMessageEvent, meant_for_me

bot = Bot()


@bot.on(GroupMessageEvent, C2CMessageCreate, when=meant_for_me)
async def echo(ctx: Context[GroupMessageEvent | C2CMessageCreate]) -> None:
    await ctx.reply(ctx.text)
