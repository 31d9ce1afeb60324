"""Answers commands."""

import os

import botpy
from botpy import BotAPI, logging
from botpy.ext.command_util import Commands
from botpy.message import GroupMessage, Message

_log = logging.get_logger()


@Commands("你好", "hello")
async def hello(api: BotAPI, message: Message, params=None):
    _log.info(params)
    # 第一种用reply发送消息
    await message.reply(content=f"first {params}")
    # 第二种用api.post_message发送消息
    await api.post_message(channel_id=message.channel_id, content=f"second {params}", msg_id=message.id)
    return True


@Commands("晚安")
async def good_night(api: BotAPI, message: Message, params=None):
    await api.post_message(channel_id=message.channel_id, content="晚安", msg_id=message.id)
    return True


@Commands("/roll")
async def roll(api: BotAPI, message: GroupMessage, params=None):
    await message.reply(content=f"rolled {params or 6}")
    return True


class MyClient(botpy.Client):
    async def on_at_message_create(self, message: Message):
        handlers = [
            hello,
            good_night,
        ]
        for handler in handlers:
            if await handler(api=self.api, message=message):
                return
        await message.reply(content="unknown")

    async def on_group_at_message_create(self, message: GroupMessage):
        if not await roll(api=message._api, message=message):
            await message.reply(content="unknown")


if __name__ == "__main__":
    client = MyClient(intents=botpy.Intents(public_guild_messages=True, public_messages=True), ext_handlers=False)
    client.run(appid=os.environ["QQBOT_APP_ID"], secret=os.environ["QQBOT_SECRET"])
