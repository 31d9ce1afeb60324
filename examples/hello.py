"""A bot for all four scenes: it greets, offers buttons, sends attachments back, and says when a send failed.

Try it: `qqbot simulate examples/hello.py`.
"""

import logging

from qqbot import (
    ApiError,
    AtMessageCreate,
    Bot,
    Button,
    C2CMessageCreate,
    Context,
    DirectMessageCreate,
    GroupMessageEvent,
    InteractionCreate,
    Keyboard,
    Markdown,
    Media,
    MessageAttachment,
    Outgoing,
    Text,
    meant_for_me,
)

log = logging.getLogger("hello")
bot = Bot()

V2Question = GroupMessageEvent | C2CMessageCreate
GuildQuestion = AtMessageCreate | DirectMessageCreate

MOODS = Keyboard([[Button.callback("很好 fine", "fine"), Button.callback("不太好 so-so", "so-so")]])
ANSWERS = {"fine": "Glad to hear it! 真好！", "so-so": "Tomorrow will be better. 明天会更好的。"}


@bot.on(GroupMessageEvent, C2CMessageCreate, when=meant_for_me)
async def greet(ctx: Context[V2Question]) -> None:
    """Greet in a group or in private, where every bot may send Markdown with buttons."""
    for attachment in ctx.event.attachments:
        await deliver(ctx, as_media(attachment))
    if ctx.text:
        await deliver(ctx, Markdown(f"**Hello!** You said: {ctx.text}\n\nHow are you? 你好吗？", keyboard=MOODS))


@bot.on
async def greet_in_guild(ctx: Context[GuildQuestion]) -> None:
    """Greet in a guild channel or a guild private chat, where few bots may send buttons."""
    await deliver(ctx, Text(f"Hello, {ctx.event.author.username}! You said: {ctx.text}"))


@bot.on(InteractionCreate, when=lambda click: click.button_data in ANSWERS)
async def react(ctx: Context[InteractionCreate]) -> None:
    """Answer a click; the acknowledgement comes first, the user's client waits for it."""
    await ctx.ack()
    await ctx.reply(ANSWERS[ctx.event.button_data])


async def deliver(ctx: Context[V2Question | GuildQuestion], message: Outgoing) -> None:
    """Reply; if the platform refuses, log why, with the trace id that its support asks for, and inform the user."""
    try:
        await ctx.reply(message)
    except ApiError as error:
        log.warning("a reply was refused: %s", error)
        await ctx.reply(f"QQ did not take my answer (code {error.code}). QQ 拒绝了我的回复")


def as_media(attachment: MessageAttachment) -> Media:
    """Return what sends the attachment back: the platform fetches it from its address by itself."""
    match attachment.content_type.partition("/")[0]:
        case "image":
            return Media.image(attachment.address)
        case "video":
            return Media.video(attachment.address)
        case "voice":
            return Media.voice(attachment.address)
        case _:
            return Media.file(attachment.address, name=attachment.filename or None)


if __name__ == "__main__":
    bot.run()
