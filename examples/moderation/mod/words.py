"""Words that are not wanted: what has one is recalled, and its author may not write for a minute."""

from qqbot import ChannelMessageEvent, Context, MessageCreate, Router, members

router = Router()
banned = {"赌博"}


@router.on(MessageCreate, when=lambda event: any(word in event.content for word in banned))
async def recall(ctx: Context[MessageCreate]) -> None:
    await ctx.api.channels.recall(ctx.event.channel_id, ctx.event.id, hide_tip=True)
    await ctx.api.mute.member(ctx.event.guild_id, ctx.event.author.id, seconds=60)


@router.command("加词", summary="不许说一个词", allow=members("owner", "admin"), refuse="没有权限")
async def add(ctx: Context[ChannelMessageEvent], word: str) -> None:
    banned.add(word)
    await ctx.reply(f"已加 {word}")
