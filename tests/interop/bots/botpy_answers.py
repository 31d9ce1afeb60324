"""What the bots on qq-botpy and on qq-botpy-sdk answer: both packages are called botpy and take the same calls."""

import os
import re
from pathlib import Path

import botpy

INTENTS = botpy.Intents(public_guild_messages=True, direct_message=True, public_messages=True)
MARKDOWN = {"content": "# Tea"}
MORE = {
    "id": "1",
    "render_data": {"label": "More", "visited_label": "More", "style": 1},
    "action": {"type": 1, "permission": {"type": 2}, "data": "more"},
}
KEYBOARD = {"content": {"rows": [{"buttons": [MORE]}]}}


def words(message):
    return re.sub(r"<@!\d+>", "", message.content).strip()


class Answers(botpy.Client):
    def guild_image(self):
        return {"file_image": Path(os.environ["IMAGE_FILE"]).read_bytes()}

    async def in_guild(self, message):
        match words(message):
            case "markdown":
                await message.reply(markdown=MARKDOWN, keyboard=KEYBOARD)
            case "image":
                await message.reply(content="tea", **self.guild_image())
            case text:
                await message.reply(content=text)

    async def in_chat(self, message, upload):
        match words(message):
            case "markdown":
                await message.reply(msg_type=2, markdown=MARKDOWN, keyboard=KEYBOARD)
            case "image":
                await message.reply(msg_type=7, media=await upload(file_type=1, url=os.environ["IMAGE_URL"]))
            case text:
                await message.reply(content=text)

    async def on_at_message_create(self, message):
        await self.in_guild(message)

    async def on_direct_message_create(self, message):
        await self.in_guild(message)

    async def on_group_at_message_create(self, message):
        async def upload(**file):
            return await self.api.post_group_file(group_openid=message.group_openid, **file)

        await self.in_chat(message, upload)

    async def on_c2c_message_create(self, message):
        async def upload(**file):
            return await self.api.post_c2c_file(openid=message.author.user_openid, **file)

        await self.in_chat(message, upload)
