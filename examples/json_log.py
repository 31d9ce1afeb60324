"""Logs as JSON, one object a line, with the standard library alone: for programs that collect logs.

Try it: `qqbot simulate examples/json_log.py`. Where a program configures logging, qqbot leaves it alone.
"""

import json
import logging
from datetime import UTC, datetime

from qqbot import Bot, C2CMessageCreate, Context, GroupMessageEvent, meant_for_me


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


handler = logging.StreamHandler()
handler.setFormatter(JsonFormatter())
logging.basicConfig(level=logging.INFO, handlers=[handler])

log = logging.getLogger("json_log")
bot = Bot()


@bot.on(GroupMessageEvent, C2CMessageCreate, when=meant_for_me)
async def answer(ctx: Context[GroupMessageEvent | C2CMessageCreate]) -> None:
    """Answer a number with its square; what is no number makes an error, to be seen in the log."""
    log.info("asked about %s", ctx.text)
    await ctx.reply(str(float(ctx.text) ** 2))


if __name__ == "__main__":
    bot.run()
