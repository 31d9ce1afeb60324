"""Answers in private chats, and counts."""

import os

import botpy
from botpy import logging
from botpy.message import C2CMessage

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    greeting = "你好"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = {}
        self.last = None

    async def on_c2c_message_create(self, message: C2CMessage):
        await self.count(message)
        await message._api.post_c2c_message(
            openid=message.author.user_openid,
            msg_type=0,
            msg_id=message.id,
            content=f"{self.greeting} {self.seen[message.author.user_openid]} {self.last}",
        )

    async def count(self, message):
        user = message.author.user_openid
        self.seen[user] = self.seen.get(user, 0) + 1
        self.last = self.shout(message.content)

    @staticmethod
    def shout(text):
        return text.strip().upper()


if __name__ == "__main__":
    intents = botpy.Intents(public_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
