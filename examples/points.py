"""Points for signing in, a daily message, commands, dialogs. Try it: `qqbot simulate examples/points.py`."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import aiosqlite
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
from msgspec import Meta

from qqbot import ApiError, Bot, Context, Cooldown, GroupMessageEvent, InteractionCreate, Mention, button, members
from qqbot.models import Button, Keyboard, Markdown, Target

DATABASE = os.environ.get("DATABASE", "points.db")
MENU = Keyboard([[Button.callback("签到", "sign"), Button.callback("排行", "rank"), Button.command("积分", "/积分")]])


async def query(sql: str, *values: object) -> list[Any]:
    async with aiosqlite.connect(DATABASE, isolation_level=None) as db:  # each statement is a transaction of its own
        return list(await db.execute_fetchall(sql, values))


async def daily() -> None:
    for (target,) in await query("SELECT target FROM subscribers"):
        try:
            await bot.send(Target.from_json(target), "早上好，记得 /签到")
        except ApiError as error:
            print("no daily message:", error)


@asynccontextmanager
async def lifespan(_: Bot) -> AsyncGenerator[None]:
    await query("CREATE TABLE IF NOT EXISTS points (grp, user, nick, points, last, PRIMARY KEY (grp, user))")
    await query("CREATE TABLE IF NOT EXISTS subscribers (target PRIMARY KEY)")
    scheduler: Any = AsyncIOScheduler()
    scheduler.add_job(daily, "cron", hour=8)
    scheduler.start()
    yield
    scheduler.shutdown(wait=False)


bot = Bot(lifespan=lifespan, auto_ack=True)
bot.help()


async def sign_in(group: str, user: str, nick: str = "") -> str:
    signed = await query(
        "INSERT INTO points VALUES (?1, ?2, ?3, 10, date('now', 'localtime')) ON CONFLICT DO UPDATE SET"
        " nick = coalesce(nullif(nick, ''), ?3), points = points + 10, last = excluded.last"
        " WHERE last < excluded.last RETURNING points",
        *(group, user, nick),
    )
    return f"签到成功 +10，积分 {signed[0][0]}" if signed else f"今天已签到，积分 {await points_of(group, user)}"


async def points_of(group: str, user: str) -> int:
    return sum(row[3] for row in await query("SELECT * FROM points WHERE grp = ? AND user = ?", group, user))


async def ranking(group: str, count: int = 10) -> str:
    rows = await query("SELECT * FROM points WHERE grp = ? ORDER BY points DESC LIMIT ?", group, count)
    return "\n".join(f"{n}. {row[2] or row[1][:6]} {row[3]}" for n, row in enumerate(rows, 1)) or "还没有人签到"


@bot.command("签到", summary="每天 10 分", cooldown=Cooldown(per=5, refuse="太快了，{seconds} 秒后再试"))
async def sign(ctx: Context[GroupMessageEvent]) -> None:
    await query("INSERT OR IGNORE INTO subscribers VALUES (?)", ctx.target.to_json())
    answer = await sign_in(ctx.event.group_openid, ctx.event.author.openid, ctx.event.author.username)
    await ctx.reply(Markdown(f"**{answer}**", keyboard=MENU))


@bot.command("积分", summary="查看积分")
async def points(ctx: Context[GroupMessageEvent], member: Mention | None = None) -> None:
    who = member or Mention(ctx.event.author.openid)
    await ctx.reply(f"{who} 积分 {await points_of(ctx.event.group_openid, who.user_id)}")


@bot.command("排行", summary="积分排行")
async def rank(ctx: Context[GroupMessageEvent], count: Annotated[int, Meta(ge=1, le=50, title="人数")] = 10) -> None:
    await ctx.reply(await ranking(ctx.event.group_openid, count))


@bot.command("清空", summary="清空积分", allow=members("admin", "owner"), refuse="只有管理员可以用", asks=True)
async def clear(ctx: Context[GroupMessageEvent]) -> None:
    sure = await ctx.confirm("确定清空？", timeout=60, late="超时，已取消")
    if sure:
        await query("DELETE FROM points WHERE grp = ?", ctx.event.group_openid)
    if sure is not None:
        await ctx.reply("已清空" if sure else "已取消")


@bot.command("改名", summary="改排行里的名字")
async def rename(ctx: Context[GroupMessageEvent]) -> None:
    if (name := await ctx.ask("你想叫什么？", timeout=60, late="超时")) is not None:
        place = ctx.event.group_openid, ctx.event.author.openid
        await query("UPDATE points SET nick = ? WHERE grp = ? AND user = ?", name, *place)
        await ctx.reply(f"好的，{name}")


@bot.on(InteractionCreate, when=button("sign"))
async def click_sign(ctx: Context[InteractionCreate]) -> None:
    await ctx.reply(await sign_in(ctx.event.group_openid, ctx.event.group_member_openid))


@bot.on(InteractionCreate, when=button("rank"))
async def click_rank(ctx: Context[InteractionCreate]) -> None:
    await ctx.reply(await ranking(ctx.event.group_openid))


if __name__ == "__main__":
    bot.run()
