"""The smallest bot. Try it: `qqbot simulate examples/echo.py`."""

from qqbot import Bot, C2CMessageCreate, Context, GroupAtMessageCreate

bot = Bot()


@bot.on
async def echo(ctx: Context[GroupAtMessageCreate | C2CMessageCreate]) -> None:
    await ctx.reply(ctx.text)
