"""Quotes the message that it answers, and recalls its own."""

import os

import botpy
from botpy import logging
from botpy.message import Message
from botpy.types.message import Reference

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_at_message_create(self, message: Message):
        if "recall" in message.content:
            _message = await self.api.post_message(
                channel_id=message.channel_id, content="soon gone", msg_id=message.id
            )
            await self.api.recall_message(message.channel_id, _message.get("id"), hidetip=True)
            return
        message_reference = Reference(message_id=message.id, ignore_get_message_error=True)
        sent = await self.api.post_message(
            channel_id=message.channel_id,
            content="<emoji:4>这是一条引用消息",
            msg_id=message.id,
            message_reference=message_reference,
        )
        read = await self.api.get_message(channel_id=message.channel_id, message_id=sent["id"])
        await message.reply(content=f"quoted {read['message']['content']}")


if __name__ == "__main__":
    intents = botpy.Intents(public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
