"""Reports its guilds."""

import os

import botpy
from botpy import logging
from botpy.guild import Guild
from botpy.message import Message

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_guild_create(self, guild: Guild):
        await self.tell(f"joined {guild.name} {guild.member_count} {guild.event_id is not None}")

    async def on_guild_update(self, guild: Guild):
        await self.tell(f"changed {guild.name}")

    async def on_guild_delete(self, guild: Guild):
        await self.tell(f"left {guild.id}")

    async def tell(self, text):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content=text)

    async def on_at_message_create(self, message: Message):
        guild = await self.api.get_guild(guild_id=message.guild_id)
        guilds = await self.api.me_guilds(limit=10)
        names = [each["name"] for each in guilds]
        me = await self.api.me()
        await message.reply(content=f"{guild['name']} {guild['owner_id'] != ''} {names} {me['username']}")


if __name__ == "__main__":
    intents = botpy.Intents(guilds=True, public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
