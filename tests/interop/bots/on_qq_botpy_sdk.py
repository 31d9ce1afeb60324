"""An echo bot made with qq-botpy-sdk; its client takes both base addresses."""

import os

import botpy


class Echo(botpy.Client):
    async def on_group_at_message_create(self, message):
        await message.reply(content=message.content.strip())


client = Echo(
    intents=botpy.Intents(public_messages=True),
    base_url=os.environ["QQ_API_BASE"],
    token_base_url=os.environ["QQ_API_BASE"],
    ext_handlers=False,
)
client.run(appid=os.environ["APP_ID"], secret=os.environ["SECRET"])
