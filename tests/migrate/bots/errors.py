"""Answers what the platform refused."""

import asyncio
import os

import botpy
from botpy.errors import NotFoundError, ServerError
from botpy.message import C2CMessage


class Bot4U(botpy.Client):
    async def on_c2c_message_create(self, message: C2CMessage):
        try:
            await self.api.get_guild(guild_id="1")
        except (NotFoundError, ServerError):
            await message.reply(content="no such guild")

    async def close_soon(self):
        await asyncio.sleep(0)
        await self.close()


def main():
    appid = os.environ["QQBOT_APP_ID"]
    secret = os.environ["QQBOT_SECRET"]
    intents = botpy.Intents.none()
    intents.public_messages = True
    client = Bot4U(intents=intents, timeout=10, bot_log=None, ext_handlers=False)
    client.run(appid=appid, secret=secret)


if __name__ == "__main__":
    main()
