"""Runs the handlers: deploy it as often as you like, and start as many as you need.

QQBOT_BROKER_URL=redis://localhost:6379 python examples/intake/logic.py

The same without a program: `qqbot work examples/intake/logic.py`, which takes the URL of any broker in docs/ingest.md,
and lets handlers finish when it gets a signal.
"""

import asyncio
import os

from qqbot import Bot, C2CMessageCreate, ChannelMessageEvent, Context, GroupMessageEvent, meant_for_me
from qqbot.ingest import RedisStreamSource

bot = Bot()


@bot.on(GroupMessageEvent, ChannelMessageEvent, C2CMessageCreate, when=meant_for_me)
async def echo(ctx: Context[GroupMessageEvent | ChannelMessageEvent | C2CMessageCreate]) -> None:
    if not ctx.again:  # else a worker may have been killed after its reply
        print(f"{ctx.text!r} for the first time", flush=True)
    await ctx.reply(f"You said: {ctx.text}")


async def main() -> None:
    await bot.work(RedisStreamSource.from_url(os.environ["QQBOT_BROKER_URL"]), max_age=300)


if __name__ == "__main__":
    asyncio.run(main())
