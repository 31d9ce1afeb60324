"""The demo bot of `qqbot simulate`: it echoes, and shows Markdown and buttons.

It is written like any bot: nothing here depends on the simulator.
"""

from qqbot import (
    Bot,
    Button,
    ContentRejected,
    Context,
    InteractionCreate,
    Keyboard,
    Markdown,
    MessageEvent,
    meant_for_me,
)

HELP = """\
I repeat what you write. I also know 我会复读，也认识以下指令:
help / 帮助 - this text 显示本说明
markdown - formatted text 带格式的文字
buttons / 按钮 - buttons to click 可以点击的按钮"""

STYLED = Markdown("""\
# Markdown
**bold 粗体**, *italic 斜体*, ~~struck out 删除线~~
1. first 第一
2. second 第二
> quoted 引用""")

QUESTION = Markdown(
    "**Tea or coffee?** 喝茶还是喝咖啡？",
    keyboard=Keyboard([[Button.callback("茶 tea", "tea 茶"), Button.callback("咖啡 coffee", "coffee 咖啡")]]),
)

bot = Bot()


@bot.on(MessageEvent, when=meant_for_me)
async def answer(ctx: Context[MessageEvent]) -> None:
    """Answer a private message, or one that mentions the bot in a group or a channel."""
    match ctx.text.casefold():
        case "help" | "帮助":
            await ctx.reply(HELP)
        case "markdown":
            await ctx.reply(STYLED)
        case "buttons" | "按钮":
            await ctx.reply(QUESTION)
        case "":
            await ctx.reply("Say something, or help. 说点什么，或发送“帮助”")
        case _:
            await echo(ctx)


async def echo(ctx: Context[MessageEvent]) -> None:
    """Repeat a text; the platform rejects some of them, for example with a link."""
    try:
        await ctx.reply(ctx.text)
    except ContentRejected as error:
        await ctx.reply(f"I may not say that (code {error.code}): {error.hint}")


@bot.on(InteractionCreate, when=lambda click: click.button_data != "")
async def choose(ctx: Context[InteractionCreate]) -> None:
    """Answer a click; acknowledge it first, because the client of the user waits for that."""
    await ctx.ack()
    await ctx.reply(f"You chose {ctx.event.button_data}. 收到你的选择")
