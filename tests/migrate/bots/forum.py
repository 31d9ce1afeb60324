"""Reads and writes threads."""

import os

import botpy
from botpy import logging
from botpy.forum import OpenThread, Thread
from botpy.message import Message
from botpy.types.channel import ChannelSubType, ChannelType

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_forum_thread_create(self, thread: Thread):
        title = ""
        for paragraph in thread.thread_info.title.paragraphs:
            for elem in paragraph.elems:
                if elem.type == 1:
                    title += elem.text.text
        await self.tell(f"thread {title} by {thread.author_id}")

    async def on_forum_post_create(self, post):
        await self.tell(f"post {post['post_info']['post_id']}")

    async def on_forum_reply_create(self, reply):
        await self.tell(f"reply {reply['reply_info']['reply_id']}")

    async def on_forum_publish_audit_result(self, result):
        await self.tell(f"audit {result['result']}")

    async def on_open_forum_thread_create(self, thread: OpenThread):
        await self.tell(f"open {thread.author_id}")

    async def tell(self, text):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content=text)

    async def on_at_message_create(self, message: Message):
        channel = await self.api.create_channel(
            message.guild_id, "forum", type=ChannelType.DISCUSSION_CHANNEL, sub_type=ChannelSubType.TALK
        )
        forum = channel["id"]
        made = await self.api.post_thread(forum, "title", "content", 1)
        threads = await self.api.get_threads(forum)
        await message.reply(content=f"{made['task_id'] != ''} {len(threads['threads'])}")


if __name__ == "__main__":
    intents = botpy.Intents(forums=True, open_forum_event=True, public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
