"""Reports reviews, and messages that were recalled."""

import os

import botpy
from botpy import logging
from botpy.message import DirectMessage, Message, MessageAudit

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_message_audit_pass(self, message: MessageAudit):
        _log.info(f"{message.audit_id} {message.event_id}")
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content=f"passed {message.audit_id}")

    async def on_message_audit_reject(self, message: MessageAudit):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content=f"rejected {message.audit_id}")

    async def on_public_message_delete(self, message: Message):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content="a message was recalled")

    async def on_direct_message_delete(self, message: DirectMessage):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content="a private message was recalled")


if __name__ == "__main__":
    intents = botpy.Intents(message_audit=True, public_guild_messages=True, direct_message=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
