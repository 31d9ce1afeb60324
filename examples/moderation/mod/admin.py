"""Commands that only administrators may use."""

from qqbot import ChannelMessageEvent, Context, Mention, Router, members

router = Router(allow=members("owner", "admin", "channel_admin"), refuse="没有权限")


@router.command("禁言", summary="禁言 10 分钟")
async def mute(ctx: Context[ChannelMessageEvent], member: Mention, *more: Mention) -> None:
    for each in (member, *more):
        await ctx.api.mute.member(ctx.event.guild_id, each.user_id, seconds=600)
    await ctx.reply("已禁言 " + "、".join(each.name for each in (member, *more)))


@router.command("崩溃", summary="出一次错")
async def crash(_: Context[ChannelMessageEvent]) -> None:
    raise RuntimeError("故意")
