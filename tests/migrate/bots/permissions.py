"""Asks what it may do, and gives rights in a channel."""

import os

import botpy
from botpy import logging
from botpy.flags import Permission
from botpy.message import Message
from botpy.types.permission import APIPermissionDemandIdentify

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_at_message_create(self, message: Message):
        apis = await self.api.get_permissions(message.guild_id)
        paths = [api["path"] for api in apis if api["auth_status"]]
        demand_identity = APIPermissionDemandIdentify(path="/guilds/{guild_id}/members", method="GET")
        demand = await self.api.post_permission_demand(
            message.guild_id, message.channel_id, demand_identity, "获取当前频道成员信息"
        )
        await self.api.update_channel_user_permissions(
            message.channel_id, message.author.id, add=Permission(view_permission=True, speak_permission=True)
        )
        rights = await self.api.get_channel_user_permissions(message.channel_id, message.author.id)
        await message.reply(content=f"{len(paths) > 0} {demand['desc']} {rights['channel_id'] == message.channel_id}")


if __name__ == "__main__":
    intents = botpy.Intents(public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
