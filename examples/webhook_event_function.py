"""A bot as an event function of a cloud: each call is an event with headers and body, and the answer is a dict.

The entry point is `webhook_event_function.main_handler`. Set QQBOT_APP_ID and QQBOT_SECRET in the function's
environment; the callback address is that of its HTTP trigger. Nothing runs between the calls: the bot is served for
each, and answers after its handlers. Give the function at least 256 MB and 15 s.
"""

import asyncio
import base64
from typing import Any

from qqbot import Bot, C2CMessageCreate, Context, GroupMessageEvent, meant_for_me

bot = Bot()  # at module level: a warm instance remembers what it has handled


@bot.on(C2CMessageCreate, GroupMessageEvent, when=meant_for_me)
async def echo(ctx: Context[C2CMessageCreate | GroupMessageEvent]) -> None:
    await ctx.reply(ctx.text)


def main_handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer one call. The signature is over the bytes of the body: take them as they came."""
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    status, headers, answer = asyncio.run(bot.handle_webhook(event["headers"], body))
    return {"isBase64Encoded": False, "statusCode": status, "headers": headers, "body": answer.decode()}
