"""Takes all messages of a channel, as a private bot does, and talks to a page of its own."""

import os

import botpy
from botpy import logging
from botpy.http import Route
from botpy.message import Message

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_message_create(self, message: Message):
        pages = await self.http.request(Route("GET", "/users/@me"))
        await message.reply(content=f"{pages['username']} read {message.content}")

    async def on_message_delete(self, message: Message):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content="recalled")

    async def on_error(self, event_method, *args, **kwargs):
        _log.error("%s failed", event_method)


if __name__ == "__main__":
    intents = botpy.Intents(guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
