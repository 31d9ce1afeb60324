"""Puts an id of your own on every call, and prints it beside the platform's trace id.

With both, one call can be found in your logs and by Tencent's support. Try it:
`qqbot simulate examples/request_id.py`.
"""

import uuid
from contextvars import ContextVar

from qqbot import Bot, C2CMessageCreate, Context, GroupMessageEvent, Request, ResponseInfo, meant_for_me

request_id: ContextVar[str] = ContextVar("request_id")  # calls run side by side: each has its own


def set_request_id(request: Request) -> None:
    """Add the header before the call; a hook that raises refuses the call."""
    request_id.set(uuid.uuid4().hex)
    request.headers["X-Request-Id"] = request_id.get()


def print_ids(response: ResponseInfo) -> None:
    """Print both ids after the call."""
    print(
        f"{response.method} {response.path} {response.status} in {response.elapsed:.3f} s: "
        f"request id {request_id.get()}, trace id {response.trace_id}"
    )


bot = Bot(on_request=[set_request_id], on_response=[print_ids])


@bot.on(GroupMessageEvent, C2CMessageCreate, when=meant_for_me)
async def echo(ctx: Context[GroupMessageEvent | C2CMessageCreate]) -> None:
    """Repeat what was said: two calls with ids, one to find the gateway and one for the reply."""
    await ctx.reply(ctx.text)


if __name__ == "__main__":
    bot.run()
