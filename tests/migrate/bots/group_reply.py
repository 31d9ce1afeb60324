"""Answers in groups, with the call and with `reply`."""

import os

import botpy
from botpy import logging
from botpy.message import GroupMessage

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_ready(self):
        _log.info(f"robot 「{self.robot.name}」 on_ready!")

    async def on_group_at_message_create(self, message: GroupMessage):
        messageResult = await message._api.post_group_message(
            group_openid=message.group_openid,
            msg_type=0,
            msg_id=message.id,
            content=f"收到了消息：{message.content.strip()} {message.author.member_openid}",
        )
        _log.info(messageResult)
        await message.reply(
            msg_seq=2, content=f"id {bool(messageResult['id'])} {messageResult.get('id') != message.id}"
        )


if __name__ == "__main__":
    intents = botpy.Intents(public_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
