"""An echo bot made with nonebot-adapter-qq. The environment points it at a platform: QQ_API_BASE, QQ_AUTH_BASE."""

import os

import nonebot
from nonebot import on_message
from nonebot.adapters.qq import Adapter, Bot, MessageEvent

BOT = {
    "id": os.environ["APP_ID"],
    "secret": os.environ["SECRET"],
    "intent": {"c2c_group_at_messages": True},
    "use_websocket": True,
}

nonebot.init(driver="~httpx+~websockets", qq_bots=[BOT], log_level="INFO")
nonebot.get_driver().register_adapter(Adapter)
echo = on_message()


@echo.handle()
async def answer(bot: Bot, event: MessageEvent) -> None:
    await bot.send(event, event.get_plaintext().strip())


nonebot.run()
