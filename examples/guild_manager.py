"""A guild's manager: welcomes who joins, gives a role, mutes, pins and opens channels for administrators.

Only private bots may open channels. Try it: `qqbot simulate --profile private examples/guild_manager.py`, then write
"@bot /help" in a channel as an administrator.
"""

from qqbot import (
    ApiError,
    AtMessageCreate,
    Bot,
    Context,
    Event,
    GuildMemberAdd,
    PermissionMissing,
    command,
    parse_command,
)

ADMINS = {"2", "4", "5"}  # ids of the built-in roles: administrator, owner, channel administrator
NEWCOMER = "newcomer"
HELP = """\
/mute @somebody 10 - for 10 minutes 禁言
/pin - the message that you quote 精华
/open NAME - another channel 新建子频道"""

bot = Bot()


@bot.on
async def welcome(ctx: Context[GuildMemberAdd]) -> None:
    """Give the role of newcomers to who joined, and say hello in the guild's first channel."""
    guild, user = ctx.event.guild_id, ctx.event.user
    await ctx.api.roles.add_member(guild, user.id, await newcomers(ctx, guild))
    first, *_ = await ctx.api.channels.of_guild(guild)
    await ctx.api.channels.send_message(first.id, f"Welcome, {user.username}! 欢迎加入")


async def newcomers(ctx: Context[GuildMemberAdd], guild: str) -> str:
    """Return the id of the role, which is made for the first one who joins."""
    for role in (await ctx.api.roles.of_guild(guild)).roles:
        if role.name == NEWCOMER:
            return role.id
    return (await ctx.api.roles.create(guild, name=NEWCOMER, color=0xFF2E7D32)).role_id


def is_admin(event: AtMessageCreate) -> bool:
    """Whether an administrator wrote this."""
    return event.member is not None and bool(ADMINS & set(event.member.roles))


@bot.on(AtMessageCreate, when=command("help"))
async def say_how(ctx: Context[AtMessageCreate]) -> None:
    await ctx.reply(HELP)


@bot.on(AtMessageCreate, when=lambda event: is_admin(event) and command("mute")(event))
async def mute(ctx: Context[AtMessageCreate]) -> None:
    """Mute whom the message mentions."""
    minutes = next((int(word) for word in ctx.text.split() if word.isdecimal()), 10)
    named = [user for user in ctx.event.mentions if not user.bot]
    for user in named:
        await ctx.api.mute.member(ctx.event.guild_id, user.id, seconds=60 * minutes)
    names = ", ".join(user.username for user in named) or "nobody"
    await ctx.reply(f"Muted for {minutes} minutes 已禁言: {names}")


@bot.on(AtMessageCreate, when=lambda event: is_admin(event) and command("pin")(event))
async def pin(ctx: Context[AtMessageCreate]) -> None:
    """Pin the message that is quoted."""
    quoted = ctx.event.message_reference
    if quoted is None:
        await ctx.reply("Quote the message that is to be pinned. 请引用要设为精华的消息")
        return
    await ctx.api.pins.add(ctx.event.channel_id, quoted.message_id)
    await ctx.reply("Pinned 已设为精华")


@bot.on(AtMessageCreate, when=lambda event: is_admin(event) and command("open")(event))
async def open_channel(ctx: Context[AtMessageCreate]) -> None:
    """Open a channel."""
    _, name = parse_command(ctx.text)
    made = await ctx.api.channels.create(ctx.event.guild_id, name)
    await ctx.reply(f"Opened {made.name} 已新建")


@bot.on_error
async def explain(ctx: Context[Event], error: Exception) -> None:
    """Say in the channel what the platform did not allow."""
    if not isinstance(ctx.event, AtMessageCreate) or not isinstance(error, ApiError):
        return
    why = (
        "I need more rights for that. 我没有权限"
        if isinstance(error, PermissionMissing)
        else f"QQ said no: {error.message}"
    )
    await ctx.api.channels.send_message(ctx.event.channel_id, why)


if __name__ == "__main__":
    bot.run()
