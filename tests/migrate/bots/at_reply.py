"""Answers a mention in a channel twice; reads its credentials from config.yaml."""

# -*- coding: utf-8 -*-
import asyncio
import os

import botpy
from botpy import logging
from botpy.ext.cog_yaml import read
from botpy.message import Message

test_config = read(os.path.join(os.path.dirname(__file__), "config.yaml"))

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_ready(self):
        _log.info(f"robot 「{self.robot.name}」 on_ready!")

    async def on_at_message_create(self, message: Message):
        _log.info(message.author.avatar)
        if "sleep" in message.content:
            await asyncio.sleep(0.1)
        _log.info(message.author.username)
        await message.reply(content=f"机器人{self.robot.name}收到了: {message.content}, {message.member.nick}")
        await self.api.post_message(channel_id=message.channel_id, content="再次回复", msg_id=message.id)
        if message.message_reference.message_id is None:
            await self.api.post_message(channel_id=message.channel_id, content="主动消息")


if __name__ == "__main__":
    # intents = botpy.Intents.none()
    # intents.public_guild_messages = True
    intents = botpy.Intents(public_guild_messages=True)
    client = MyClient(intents=intents)
    client.run(appid=test_config["appid"], secret=test_config["secret"])
