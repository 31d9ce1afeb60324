"""A dialog: the handler asks, waits for the answers, and goes on where it was.

Try it: `qqbot simulate examples/dialog.py`, then write "/order" to the bot, in private or in a group ("@bot /order").
"""

from qqbot import (
    Bot,
    Button,
    ButtonPermission,
    C2CMessageCreate,
    Context,
    GroupMessageEvent,
    InteractionCreate,
    Keyboard,
    Markdown,
    button,
    command,
    meant_for_me,
)

Question = C2CMessageCreate | GroupMessageEvent

PATIENCE = 120.0  # seconds for each answer

bot = Bot()
bot.expect(InteractionCreate)  # no handler of its own asks for clicks: `wait_for` does


@bot.on(C2CMessageCreate, GroupMessageEvent, when=command("order"))
async def order(ctx: Context[Question]) -> None:
    """Take an order in three steps."""

    def from_same_user(answer: Question) -> bool:
        return meant_for_me(answer) and answer.author.openid == ctx.event.author.openid

    try:
        await ctx.reply("What would you like? 您想喝点什么？")
        drink = await ctx.wait_for(C2CMessageCreate, GroupMessageEvent, when=from_same_user, timeout=PATIENCE)
        if drink.text == "nothing":
            await drink.reply("Then not. 好的，下次再来")
            return
        size = await ask_size(drink)
        await size.reply(f"One {size.event.button_data.removeprefix('size:')} {drink.text}, coming up! 马上就好")
    except TimeoutError:
        await ctx.reply("I will not keep you. Write /order when you are ready. 想好了再告诉我")


async def ask_size(ctx: Context[Question]) -> Context[InteractionCreate]:
    """Offer the sizes as buttons, and return the click on one of them."""
    asker = ButtonPermission.users(ctx.event.author.openid)
    small = Button.callback("小 small", "size:small", permission=asker)
    large = Button.callback("大 large", "size:large", permission=asker)
    sizes = Keyboard([[small, large]])
    await ctx.reply(Markdown("Small or large? 小杯还是大杯？", keyboard=sizes))
    click = await ctx.wait_for(InteractionCreate, when=button("size:"), timeout=PATIENCE)
    await click.ack()
    return click


@bot.on(C2CMessageCreate, GroupMessageEvent, when=meant_for_me)
async def otherwise(ctx: Context[Question]) -> None:
    """Say what this bot is for; the answers in a dialog never come here."""
    if ctx.text != "/order":
        await ctx.reply("Write /order. 请发送 /order")


if __name__ == "__main__":
    bot.run()
