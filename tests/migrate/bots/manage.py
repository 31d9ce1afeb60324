"""Reports groups and friends."""

import os

import botpy
from botpy import logging
from botpy.manage import C2CManageEvent, GroupManageEvent

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_group_add_robot(self, event: GroupManageEvent):
        await self.api.post_group_message(
            group_openid=event.group_openid,
            msg_type=0,
            event_id=event.event_id,
            content=f"hello, {event.op_member_openid}",
        )

    async def on_group_del_robot(self, event: GroupManageEvent):
        _log.info("机器人退出群聊 %s", event.group_openid)
        await self.tell(f"left by {event.op_member_openid}")

    async def on_group_msg_reject(self, event: GroupManageEvent):
        await self.tell(f"silent {event.op_member_openid}")

    async def on_group_msg_receive(self, event: GroupManageEvent):
        await self.tell(f"welcome {event.op_member_openid}")

    async def on_friend_add(self, event: C2CManageEvent):
        await self.api.post_c2c_message(openid=event.openid, msg_type=0, event_id=event.event_id, content="hello")

    async def on_friend_del(self, event: C2CManageEvent):
        await self.tell(f"lost {event.openid}")

    async def on_c2c_msg_reject(self, event: C2CManageEvent):
        await self.tell(f"no more {event.openid}")

    async def on_c2c_msg_receive(self, event: C2CManageEvent):
        await self.tell(f"again {event.openid}")

    async def tell(self, text):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content=text)


if __name__ == "__main__":
    intents = botpy.Intents(public_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
