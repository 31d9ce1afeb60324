"""Reacts, and reports reactions."""

import os

import botpy
from botpy import logging
from botpy.message import Message
from botpy.reaction import Reaction

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_at_message_create(self, message: Message):
        await self.api.put_reaction(message.channel_id, message.id, 1, "4")
        users = await self.api.get_reaction_users(
            channel_id=message.channel_id, message_id=message.id, emoji_type=1, emoji_id="4"
        )
        await message.reply(content=f"{len(users['users'])} reacted")
        await self.api.delete_reaction(message.channel_id, message.id, 1, "4")

    async def on_message_reaction_add(self, reaction: Reaction):
        await self.api.post_message(
            channel_id=reaction.channel_id,
            content=f"{reaction.user_id} added {reaction.emoji.id} {reaction.emoji.type}",
        )

    async def on_message_reaction_remove(self, reaction: Reaction):
        await self.api.post_message(
            channel_id=reaction.channel_id, content=f"{reaction.user_id} removed {reaction.emoji.id}"
        )


if __name__ == "__main__":
    intents = botpy.Intents(guild_message_reactions=True, public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
