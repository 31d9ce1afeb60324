"""A bot inside an aiohttp application: it starts and ends with it, and a route sends messages through it.

Run it with the environment of `qqbot run`, ask the bot in a group for that group's openid, and then:
`curl -d "build finished" http://127.0.0.1:8080/groups/GROUP_OPENID`. The route asks nobody who they are: keep it on
127.0.0.1, or put your application's own check in front.
"""

from collections.abc import AsyncIterator

from aiohttp import web

from qqbot import ApiError, Bot, Context, GroupMessageEvent, meant_for_me

bot = Bot()


@bot.on(GroupMessageEvent, when=meant_for_me)
async def tell_openid(ctx: Context[GroupMessageEvent]) -> None:
    """Reply with the openid of the group."""
    await ctx.reply(f"This group is {ctx.event.group_openid}")


async def serve_bot(_: web.Application) -> AsyncIterator[None]:
    """Serve the bot from the start of the application to its end, in the application's loop."""
    async with bot:
        yield


async def send(request: web.Request) -> web.Response:
    """Send the body of the request to a group."""
    text = (await request.text()).strip()
    if not text:
        raise web.HTTPBadRequest(text="the body is the message: it must not be empty\n")
    try:
        sent = await bot.api.groups.send_message(request.match_info["group_openid"], text)
    except ApiError as error:
        raise web.HTTPBadGateway(text=f"{error}\n") from error
    return web.json_response({"id": sent.id})


def make_app() -> web.Application:
    """Return the application."""
    app = web.Application()
    app.cleanup_ctx.append(serve_bot)
    app.router.add_post("/groups/{group_openid}", send)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=8080)
