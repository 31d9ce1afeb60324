"""FastAPI with a bot by webhook. Try it: `uvicorn shop:app --app-dir examples --env-file .env`."""

import os
import secrets
from typing import Annotated, Any

import aiosqlite
from fastapi import Body, FastAPI, Header, HTTPException

from qqbot import ApiError, Bot, C2CMessageCreate, Context, GroupMessageEvent, QuotaExceeded, Target

DATABASE = os.environ.get("DATABASE", "shop.db")
PUSH_TOKEN = os.environ.get("PUSH_TOKEN") or secrets.token_urlsafe()  # without it, no push is allowed

bot = Bot()


async def query(sql: str, *values: object) -> list[Any]:
    async with aiosqlite.connect(DATABASE, isolation_level=None) as db:  # each statement is a transaction of its own
        await db.execute("CREATE TABLE IF NOT EXISTS subscribers (name PRIMARY KEY, target)")
        return list(await db.execute_fetchall(sql, values))


@bot.command("订阅", summary="有消息时通知我")
async def subscribe(ctx: Context[C2CMessageCreate | GroupMessageEvent]) -> None:
    user = ctx.event.author.openid
    await query("INSERT OR REPLACE INTO subscribers VALUES (?, ?)", user, ctx.target.to_json())
    await ctx.reply(f"已订阅，你的编号 {user}")


webhook = bot.asgi()
app = FastAPI(lifespan=webhook.lifespan)
app.mount("/qq", webhook)


@app.get("/subs")
async def subs() -> list[str]:
    return [name for (name,) in await query("SELECT name FROM subscribers")]


@app.post("/push/{name}")
async def push(
    name: str, text: Annotated[str, Body(embed=True)], authorization: Annotated[str, Header()] = ""
) -> dict[str, str]:
    if not secrets.compare_digest(authorization.encode(), f"Bearer {PUSH_TOKEN}".encode()):
        raise HTTPException(401)
    found = await query("SELECT target FROM subscribers WHERE name = ?", name)
    if not found:
        raise HTTPException(404, "没有这个订阅")
    try:
        sent = await bot.send(Target.from_json(found[0][0]), text)
    except ApiError as error:
        raise HTTPException(429 if isinstance(error, QuotaExceeded) else 502, str(error)) from error
    return {"id": sent.id}


@app.get("/healthz")
async def healthz() -> dict[str, int]:
    return {"inflight": bot.stats().inflight}
