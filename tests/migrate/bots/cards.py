"""Sends arks and embeds."""

import os

import botpy
from botpy import logging
from botpy.message import Message
from botpy.types.message import Ark, ArkKv, ArkObj, ArkObjKv, Embed, EmbedField

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_at_message_create(self, message: Message):
        if "embed" in message.content:
            await self.embed(message)
        elif "dict" in message.content:
            payload = {
                "template_id": 37,
                "kv": [{"key": "#METATITLE#", "value": message.author.username}, {"key": "#PROMPT#", "value": "提示"}],
            }
            await message.reply(ark=payload)
        else:
            await self.list_card(message)

    async def list_card(self, message):
        payload: Ark = Ark(
            template_id=23,
            kv=[
                ArkKv(key="#DESC#", value="descaaaaaa"),
                ArkKv(key="#PROMPT#", value="promptaaaa"),
                ArkKv(
                    key="#LIST#",
                    obj=[
                        ArkObj(obj_kv=[ArkObjKv(key="desc", value="需求标题：UI问题解决")]),
                        ArkObj(
                            obj_kv=[
                                ArkObjKv(key="desc", value="点击下列动作"),
                                ArkObjKv(key="link", value="https://bot.q.qq.com"),
                            ]
                        ),
                    ],
                ),
            ],
        )
        await self.api.post_message(channel_id=message.channel_id, ark=payload)

    async def embed(self, message: Message):
        embed = Embed(
            title="embed消息",
            prompt="消息透传显示",
            thumbnail={"url": "https://bot.q.qq.com/logo.png"},
            fields=[
                EmbedField(name="<@!1234>hello world"),
                EmbedField(name=message.author.username),
            ],
        )
        await self.api.post_message(channel_id=message.channel_id, embed=embed)


if __name__ == "__main__":
    intents = botpy.Intents(public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
