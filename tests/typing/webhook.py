"""What type checkers accept and refuse of the webhook's methods. Never run."""

from typing import assert_type

from aiohttp import web

from qqbot import Bot, ButtonClick, Context, InteractionCreate, interaction
from qqbot.models.interactions import InteractionDetail
from qqbot.webhook import WebhookApp, application
from qqbot.webhook.asgi import AsgiApplication

bot = Bot()

assert_type(bot.webhook(), web.Application)
assert_type(bot.asgi(awaited=True, window=60, max_bytes=1000), AsgiApplication)
assert_type(application({"1": bot}, awaited=True), WebhookApp)
bot.webhook(verify=False)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
bot.asgi(awaited="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
application({"1": "bot"})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]


async def answer(headers: dict[str, str], body: bytes) -> None:
    assert_type(await bot.handle_webhook(headers, body, awaited=True), tuple[int, dict[str, str], bytes])
    await bot.handle_webhook(headers, "text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@bot.on(InteractionCreate, when=interaction(ButtonClick))
async def clicked(ctx: Context[InteractionCreate]) -> None:
    assert_type(ctx.event.detail, InteractionDetail)
    match ctx.event.detail:
        case ButtonClick(button_data=data):
            assert_type(data, str)
        case _:
            pass
