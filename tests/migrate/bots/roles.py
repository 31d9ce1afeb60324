"""Creates a role, gives it, takes it, and deletes it."""

import os

import botpy
from botpy import logging
from botpy.message import Message

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_at_message_create(self, message: Message):
        guild_id = message.guild_id
        made = await self.api.create_guild_role(guild_id, name="readers", color=4278245297, hoist=1)
        role_id = made["role_id"]
        await self.api.update_guild_role(guild_id=guild_id, role_id=role_id, name="writers", hoist=0)
        await self.api.create_guild_role_member(guild_id, role_id, message.author.id)
        holders = await self.api.get_guild_role_members(guild_id, role_id, limit=10)
        roles = await self.api.get_guild_roles(guild_id=guild_id)
        mine = [role["name"] for role in roles["roles"] if role["id"] == role_id]
        await message.reply(content=f"{mine} {[one['user']['username'] for one in holders['data']]}")
        await self.api.delete_guild_role_member(guild_id, role_id, message.author.id)
        await self.api.delete_guild_role(guild_id=guild_id, role_id=role_id)


if __name__ == "__main__":
    intents = botpy.Intents(public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
