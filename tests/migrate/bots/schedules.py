"""Creates, changes and deletes a schedule."""

import os

import botpy
from botpy import logging
from botpy.message import Message

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_at_message_create(self, message: Message):
        schedule = await self.api.create_schedule(
            message.channel_id,
            name="test",
            start_timestamp="4102444800000",
            end_timestamp="4102448400000",
            jump_channel_id=message.channel_id,
            remind_type="0",
        )
        await self.api.update_schedule(
            channel_id=message.channel_id,
            schedule_id=schedule["id"],
            name="update",
            start_timestamp="4102444800000",
            end_timestamp="4102448400000",
            jump_channel_id=message.channel_id,
            remind_type="1",
        )
        read = await self.api.get_schedule(message.channel_id, schedule["id"])
        await message.reply(content=f"{read['name']}")
        await self.api.delete_schedule(message.channel_id, schedule["id"])


if __name__ == "__main__":
    intents = botpy.Intents(public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
