"""Holds the connections and stores the events: deploy it rarely, and start it twice with QQBOT_REDIS_URL.

QQBOT_BROKER_URL=redis://localhost:6379 python examples/intake/intake.py

The same without a program: `qqbot intake`, which takes the URL of any broker in docs/ingest.md.
"""

import os

from qqbot import Bot, Intents
from qqbot.ingest import RedisStreamSink

bot = Bot(
    sink=RedisStreamSink.from_url(os.environ["QQBOT_BROKER_URL"]),
    intents=Intents.GROUP_AND_C2C_EVENT | Intents.PUBLIC_GUILD_MESSAGES,
)

if __name__ == "__main__":
    bot.run()
