"""A bot made with nonebot-adapter-qq. The environment points it at a platform: QQ_API_BASE, QQ_AUTH_BASE."""

import os
from pathlib import Path

import nonebot
from nonebot import on_message
from nonebot.adapters.qq import Adapter, Bot, MessageEvent, MessageSegment
from nonebot.adapters.qq.models import (
    Action,
    Button,
    InlineKeyboard,
    InlineKeyboardRow,
    MessageKeyboard,
    Permission,
    RenderData,
)

PORT = os.environ.get("WEBHOOK_PORT")
BOT = {
    "id": os.environ["APP_ID"],
    "secret": os.environ["SECRET"],
    "intent": {"c2c_group_at_messages": True, "direct_message": True},
    "use_websocket": PORT is None,
}
MORE = Button(
    id="1",
    render_data=RenderData(label="More", visited_label="More", style=1),
    action=Action(type=1, permission=Permission(type=2), data="more"),
)
IMAGE = Path(os.environ["IMAGE_FILE"]).read_bytes()
KEYBOARD = MessageKeyboard(content=InlineKeyboard(rows=[InlineKeyboardRow(buttons=[MORE])]))

nonebot.init(
    driver="~httpx+~websockets" if PORT is None else "~fastapi+~httpx",
    host="127.0.0.1",
    port=int(PORT or 8080),
    qq_bots=[BOT],
    log_level="INFO",
)
nonebot.get_driver().register_adapter(Adapter)
answers = on_message()


@answers.handle()
async def answer(bot: Bot, event: MessageEvent) -> None:
    match event.get_plaintext().strip():
        case "markdown":
            await bot.send(event, MessageSegment.markdown("# Tea") + MessageSegment.keyboard(KEYBOARD))
        case "image":
            await bot.send(event, MessageSegment.file_image(IMAGE))
        case text:
            await bot.send(event, text)


nonebot.run()
