"""An approval: a member asks for something, and an administrator of the group decides with a button.

Try it: `qqbot simulate examples/approval.py`, then "@bot /leave 3 a wedding" in a group; only administrators may press.
"""

from typing import Annotated

from msgspec import Meta

from qqbot import Bot, Context, GroupMessageEvent, UserMention

PATIENCE = 240.0  # seconds; later, the platform takes no answer to the message

bot = Bot()
bot.help()


@bot.command("leave", "请假", summary="ask for days off 请假", asks=True)
async def leave(ctx: Context[GroupMessageEvent], days: Annotated[int, Meta(ge=1, le=30)], reason: str) -> None:
    who = UserMention(ctx.event.author.openid)
    question = f"{who}: {days} days off, {reason}. Agreed? 同意吗？"
    try:
        agreed = await ctx.confirm(question, yes="同意 yes", no="拒绝 no", admins=True, timeout=PATIENCE)
    except TimeoutError:
        await ctx.reply(f"{who} No administrator has decided. 没有管理员回应")
        return
    await ctx.reply(f"{who} Have a good time! 已批准" if agreed else f"{who} Not this time. 未批准")


if __name__ == "__main__":
    bot.run()
