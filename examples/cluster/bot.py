"""A bot that shares its shards with every process that names the same Redis: start it as often as you like.

QQBOT_REDIS_URL=redis://localhost:6379 QQBOT_SHARDS=20 python examples/cluster/bot.py
"""

import os

from qqbot import Bot, Context, UnknownEvent
from qqbot.sessions import RedisSessionManager, Timings

SCALE = float(os.environ.get("CLUSTER_SCALE", "1"))  # demo.py makes all waiting shorter; leave the default otherwise

bot = Bot(
    sessions=RedisSessionManager(
        os.environ["QQBOT_REDIS_URL"],
        cluster=os.environ.get("QQBOT_CLUSTER", "default"),
        name=os.environ.get("CLUSTER_NODE"),
        timings=Timings().scaled(SCALE),
    )
)


@bot.on("DEMO_EVENT", intent=1 << 0)
async def note(ctx: Context[UnknownEvent]) -> None:
    print(ctx.event_id, flush=True)


if __name__ == "__main__":
    bot.run()
