"""Uploads pictures, and sends them to a group, to a user and to a channel."""

import os

import botpy
from botpy import logging
from botpy.message import C2CMessage, GroupMessage, Message

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_group_at_message_create(self, message: GroupMessage):
        file_url = os.environ["IMAGE_URL"]
        uploadMedia = await message._api.post_group_file(
            group_openid=message.group_openid,
            file_type=1,  # 文件类型要对应上，具体支持的类型见方法说明
            url=file_url,
        )
        await message._api.post_group_message(
            group_openid=message.group_openid,
            msg_type=7,  # 7表示富媒体类型
            msg_id=message.id,
            media=uploadMedia,
        )

    async def on_c2c_message_create(self, message: C2CMessage):
        media = await self.api.post_c2c_file(
            openid=message.author.user_openid, file_type=1, url=os.environ["IMAGE_URL"]
        )
        await message.reply(msg_type=7, media=media, content="茶")

    async def on_at_message_create(self, message: Message):
        await message.reply(content="图", image=os.environ["IMAGE_URL"])


if __name__ == "__main__":
    intents = botpy.Intents(public_messages=True, public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
