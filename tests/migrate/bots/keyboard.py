"""Sends Markdown with buttons, and answers the click."""

import os

import botpy
from botpy import logging
from botpy.interaction import Interaction
from botpy.message import GroupMessage, Message
from botpy.types.inline import Action, Button, Keyboard, KeyboardRow, Permission, RenderData
from botpy.types.message import KeyboardPayload, MarkdownPayload, MessageMarkdownParams

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_at_message_create(self, message: Message):
        if "template" in message.content:
            await self.send_template(message.channel_id, message.id)
        elif "built" in message.content:
            await self.send_built(message)
        else:
            await self.send_keyboard(message)

    async def send_template(self, channel_id, msg_id):
        params = [
            MessageMarkdownParams(key="title", values=["标题"]),
            MessageMarkdownParams(key="content", values=["为了成为一名合格的巫师", "请遵守校规"]),
        ]
        markdown = MarkdownPayload(custom_template_id="65", params=params)
        await self.api.post_message(channel_id, markdown=markdown)

    async def send_keyboard(self, message: Message):
        markdown = MarkdownPayload(content="# 标题 \n## 简介")
        keyboard = KeyboardPayload(id="62")
        await self.api.post_keyboard_message(message.channel_id, keyboard=keyboard, markdown=markdown)

    async def send_built(self, message: Message):
        markdown = MarkdownPayload(content="# built")
        keyboard = KeyboardPayload(content=self.build_a_demo_keyboard())
        await self.api.post_keyboard_message(message.channel_id, keyboard=keyboard, markdown=markdown)

    def build_a_demo_keyboard(self) -> Keyboard:
        button1 = Button(
            id="1",
            render_data=RenderData(label="button", visited_label="BUTTON", style=0),
            action=Action(
                type=2,
                permission=Permission(type=2, specify_role_ids=["1"], specify_user_ids=["1"]),
                click_limit=10,
                data="/搜索",
                at_bot_show_channel_list=True,
            ),
        )
        row1 = KeyboardRow(buttons=[button1])
        return Keyboard(rows=[row1])

    async def on_group_at_message_create(self, message: GroupMessage):
        more = {
            "id": "more",
            "render_data": {"label": "More", "visited_label": "More", "style": 1},
            "action": {"type": 1, "permission": {"type": 2}, "data": "more", "unsupport_tips": "升级 QQ"},
        }
        link = {
            "id": "link",
            "render_data": {"label": "Site", "visited_label": "Site", "style": 0},
            "action": {"type": 0, "permission": {"type": 1}, "data": "https://bot.q.qq.com"},
        }
        await message.reply(
            msg_type=2, markdown={"content": "# Tea"}, keyboard={"content": {"rows": [{"buttons": [more, link]}]}}
        )

    async def on_interaction_create(self, interaction: Interaction):
        await self.api.on_interaction_result(interaction.id, 0)
        await self.api.post_group_message(
            group_openid=interaction.group_openid,
            event_id=interaction.event_id,
            content=f"clicked {interaction.data.resolved.button_data} {interaction.type}",
        )


if __name__ == "__main__":
    intents = botpy.Intents(public_guild_messages=True, public_messages=True, interaction=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
