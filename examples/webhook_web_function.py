"""A bot as a web function of a cloud: the platform of the functions sends HTTP requests to port 9000.

The function's start file, `scf_bootstrap`, runs this one: `python3 -u webhook_web_function.py`. An instance may be
frozen as soon as it has answered, so the answer waits for the handlers: `awaited=True`. Set QQBOT_APP_ID and
QQBOT_SECRET in the function's environment; the callback address is that of its HTTPS trigger.
"""

from qqbot import Bot, C2CMessageCreate, Context, GroupMessageEvent, meant_for_me

bot = Bot()


@bot.on(C2CMessageCreate, GroupMessageEvent, when=meant_for_me)
async def echo(ctx: Context[C2CMessageCreate | GroupMessageEvent]) -> None:
    await ctx.reply(ctx.text)


if __name__ == "__main__":
    bot.run(webhook="0.0.0.0:9000", awaited=True)
