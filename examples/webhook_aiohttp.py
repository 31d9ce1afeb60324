"""A bot's webhook in an aiohttp application: the application serves the bot while it runs.

Run it with the environment of `qqbot run`, and `pip install 'aioqqbot[webhook]'`. In the console the callback address
is https://YOUR.HOST/qq; a proxy in front of port 8080 speaks HTTPS.
"""

from aiohttp import web

from qqbot import Bot, C2CMessageCreate, Context, GroupMessageEvent, meant_for_me

bot = Bot()


@bot.on(C2CMessageCreate, GroupMessageEvent, when=meant_for_me)
async def echo(ctx: Context[C2CMessageCreate | GroupMessageEvent]) -> None:
    await ctx.reply(ctx.text)


async def index(_: web.Request) -> web.Response:
    return web.Response(text="a page of the application\n")


def make_app() -> web.Application:
    """Return the application."""
    app = web.Application()
    app.router.add_get("/", index)
    app.add_subapp("/qq", bot.webhook())
    app.add_subapp("/health", bot.health())
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=8080)
