"""Creates, changes and deletes channels."""

import os

import botpy
from botpy import logging
from botpy.channel import Channel
from botpy.message import Message
from botpy.types.channel import ChannelSubType, ChannelType

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_channel_create(self, channel: Channel):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content=f"new {channel.name} {channel.type}")

    async def on_channel_update(self, channel: Channel):
        await self.api.post_message(os.environ["CHANNEL"], f"changed {channel.name}")

    async def on_channel_delete(self, channel: Channel):
        await self.api.post_message(os.environ["CHANNEL"], content=f"gone {channel.name}")

    async def on_at_message_create(self, message: Message):
        channel = await self.api.create_channel(
            guild_id=message.guild_id,
            name="channel_test",
            type=ChannelType.TEXT_CHANNEL,
            sub_type=ChannelSubType.TALK,
        )
        await self.api.update_channel(channel_id=channel["id"], name="update", private_type=1)
        for each in await self.api.get_channels(message.guild_id):
            if each["name"] == "update":
                found = await self.api.get_channel(channel_id=each["id"])
                await message.reply(content=f"{found['name']} {found['private_type']}")
                await self.api.delete_channel(channel_id=found["id"])


if __name__ == "__main__":
    intents = botpy.Intents(guilds=True, public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
