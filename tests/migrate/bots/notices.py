"""Announces, recommends and pins messages."""

import os

import botpy
from botpy import logging
from botpy.message import Message
from botpy.types.announce import AnnouncesType, RecommendChannel

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_at_message_create(self, message: Message):
        message_id = message.id
        await self.api.create_announce(message.guild_id, message.channel_id, message_id)
        await self.api.delete_announce(message.guild_id, message_id)
        channel_list = [{"channel_id": message.channel_id, "introduce": "introduce"}]
        await self.api.create_recommend_announce(message.guild_id, AnnouncesType.MEMBER, channel_list)
        await self.api.create_recommend_announce(
            message.guild_id, 1, [RecommendChannel(channel_id=message.channel_id, introduce="again")]
        )
        pin = await self.api.put_pin(message.channel_id, message_id)
        pins = await self.api.get_pins(message.channel_id)
        await self.api.delete_pin(message.channel_id, message_id)
        await message.reply(content=f"{pin['message_ids'] == pins['message_ids']} {len(pins['message_ids'])}")


if __name__ == "__main__":
    intents = botpy.Intents(public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
