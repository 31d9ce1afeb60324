"""Logs as JSON, one object a line, by python-json-logger: for programs that collect logs.

Try it: `pip install python-json-logger`, `qqbot simulate examples/json_log.py`. If a program configures logging, qqbot
leaves it alone. Its records have the fields event, event_id, conversation, user, shard, handler and trace_id; the
filter adds them to what handlers log.
"""

import logging

from pythonjsonlogger.json import JsonFormatter

from qqbot import Bot, C2CMessageCreate, Context, GroupMessageEvent, LogFields, meant_for_me

stream = logging.StreamHandler()
stream.setFormatter(
    JsonFormatter(
        ["levelname", "name", "message"],
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "error"},
        timestamp="time",  # in UTC
        json_ensure_ascii=False,
    )
)
stream.addFilter(LogFields())
logging.basicConfig(level=logging.INFO, handlers=[stream])

log = logging.getLogger("json_log")
bot = Bot()


@bot.on(GroupMessageEvent, C2CMessageCreate, when=meant_for_me)
async def answer(ctx: Context[GroupMessageEvent | C2CMessageCreate]) -> None:
    """Answer a number with its square; what is no number makes an error, to be seen in the log."""
    log.info("asked about %s", ctx.text, extra={"words": len(ctx.text.split())})
    await ctx.reply(str(float(ctx.text) ** 2))


if __name__ == "__main__":
    bot.run()
