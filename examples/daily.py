"""A daily message from one process of several: the process that holds the lock runs the scheduler.

Try it: start it twice with QQBOT_APP_ID, QQBOT_SECRET and QQBOT_REDIS_URL=redis://127.0.0.1:6379, so that the two share
the shards; write "/subscribe" to the bot. Kill either of them: the other one sends.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
from redis.asyncio import Redis

from qqbot import ApiError, Bot, Context, LockLost, MessageEvent, RedisLock, Target

REDIS_URL = os.environ.get("QQBOT_REDIS_URL", "redis://127.0.0.1:6379")
TTL = float(os.environ.get("LOCK_TTL", "30"))  # seconds that a dead process keeps the others waiting
EVERY: dict[str, Any] = {"trigger": "cron", "hour": 8, "misfire_grace_time": 3600}
SUBSCRIBERS = "daily: subscribers"


@asynccontextmanager
async def lifespan(_: Bot) -> AsyncGenerator[None]:
    async with asyncio.TaskGroup() as tasks:
        scheduling = tasks.create_task(schedule())
        yield
        scheduling.cancel()


async def schedule() -> None:
    """Run the scheduler while this process holds the lock; when the lock is lost, wait for it again."""
    while True:
        try:
            async with RedisLock(REDIS_URL, "daily: scheduler", ttl=TTL):
                scheduler: Any = AsyncIOScheduler()
                scheduler.add_job(send_daily, **EVERY)
                scheduler.start()
                try:
                    await asyncio.Event().wait()
                finally:
                    scheduler.shutdown(wait=False)
        except LockLost as error:
            print(error)


def store() -> Redis:
    return Redis.from_url(REDIS_URL, decode_responses=True)  # pyright: ignore[reportUnknownMemberType]


bot = Bot(lifespan=lifespan)


@bot.command("subscribe", "订阅", summary="get the daily message 每天收到消息")
async def subscribe(ctx: Context[MessageEvent]) -> None:
    async with store() as redis:
        await redis.sadd(SUBSCRIBERS, ctx.target.to_json())
    await ctx.reply("Until tomorrow! 明天见")


async def send_daily() -> None:
    async with store() as redis:
        targets = await redis.smembers(SUBSCRIBERS)
    for target in targets:
        try:
            await bot.send(Target.from_json(str(target)), "Good morning! 早上好")
        except ApiError as error:
            print("no daily message:", error)


if __name__ == "__main__":
    bot.run()
