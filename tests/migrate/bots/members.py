"""Greets members, and lists them."""

import os

import botpy
from botpy import logging
from botpy.message import Message
from botpy.user import Member

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_guild_member_add(self, member: Member):
        _log.info("%s 加入频道" % member.nick)
        dms_payload = await self.api.create_dms(member.guild_id, member.user.id)
        await self.api.post_dms(guild_id=dms_payload["guild_id"], content="welcome join guild")

    async def on_guild_member_update(self, member: Member):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content=f"now {member.nick}")

    async def on_guild_member_remove(self, member: Member):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content=f"bye {member.user.username}")

    async def on_at_message_create(self, message: Message):
        one = await self.api.get_guild_member(guild_id=message.guild_id, user_id=message.author.id)
        members = await self.api.get_guild_members(guild_id=message.guild_id, limit=100)
        people = sorted(m["user"]["username"] for m in members if not m["user"].get("bot"))
        await message.reply(content=f"{one['user']['username']} of {', '.join(people)}")
        if "remove" in message.content:
            await self.api.get_delete_member(message.guild_id, message.author.id, add_blacklist=True)


if __name__ == "__main__":
    intents = botpy.Intents(guild_members=True, public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
