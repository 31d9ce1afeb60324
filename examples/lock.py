"""Two processes, one bot: the one that holds the lock serves, the other stands by and takes over when it is gone.

Try it: start it twice with QQBOT_APP_ID, QQBOT_SECRET and LOCK_URL=redis://127.0.0.1:6379; kill the one that serves.
"""

import asyncio
import contextlib
import logging
import os
import signal

from qqbot import Bot, Context, LockLost, MessageEvent, RedisLock, meant_for_me
from qqbot.sessions import LocalSessionManager

LOCK_URL = os.environ.get("LOCK_URL", "redis://127.0.0.1:6379")
TTL = float(os.environ.get("LOCK_TTL", "10"))  # seconds that a dead process keeps the others waiting

bot = Bot(sessions=LocalSessionManager())


@bot.on(MessageEvent, when=meant_for_me)
async def answer(ctx: Context[MessageEvent]) -> None:
    """Say which process answers."""
    await ctx.reply(f"process {os.getpid()}: {ctx.text}")


async def serve() -> None:
    """Serve while the lock is ours; losing it drains the bot and begins to wait again."""
    while True:
        print(f"process {os.getpid()} stands by", flush=True)
        try:
            async with RedisLock(LOCK_URL, "my bot", ttl=TTL) as lock, bot:
                print(f"process {os.getpid()} serves, fencing token {lock.token}", flush=True)
                await bot.wait()
        except LockLost as error:
            print(error, flush=True)


async def main() -> None:
    """Serve until SIGTERM: the bot drains and the lock is given back, so that the other one goes on at once."""
    serving = asyncio.create_task(serve())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
