"""Mutes a guild, and members of it."""

import os

import botpy
from botpy import logging
from botpy.message import Message

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_at_message_create(self, message: Message):
        await self.api.mute_all(guild_id=message.guild_id, mute_seconds="20")
        await self.api.cancel_mute_all(guild_id=message.guild_id)
        await self.api.mute_member(guild_id=message.guild_id, user_id=message.author.id, mute_seconds="10")
        await self.api.mute_multi_member(message.guild_id, [message.author.id], mute_end_timestamp="4102444800")
        await self.api.cancel_mute_multi_member(message.guild_id, [message.author.id])
        await message.reply(content="muted")


if __name__ == "__main__":
    intents = botpy.Intents(public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
