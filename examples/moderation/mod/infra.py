"""Logs as JSON, a page of health and one of metrics, and what users read when a handler fails."""

import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from pythonjsonlogger.json import JsonFormatter

from qqbot import ApiError, Bot, Context, Event, PermissionMissing
from qqbot.webhook import listening


def log_as_json() -> None:
    stream = logging.StreamHandler()
    stream.setFormatter(JsonFormatter(["levelname", "name", "message"], timestamp="time", json_ensure_ascii=False))
    logging.basicConfig(level=logging.INFO, handlers=[stream], force=True)


@asynccontextmanager
async def lifespan(bot: Bot) -> AsyncGenerator[None]:
    pages = bot.metrics()  # /metrics
    pages.add_subapp("/health", bot.health())
    async with listening(pages, f"127.0.0.1:{os.environ.get('PORT', '9108')}"):
        yield


async def answer_error(ctx: Context[Event], error: Exception) -> None:
    if place := ctx.replyable:
        refused = f"QQ 拒绝了：{error.message}" if isinstance(error, ApiError) else "内部错误"
        await place.reply("我没有权限" if isinstance(error, PermissionMissing) else refused)
