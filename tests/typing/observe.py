"""Only type-checked, never run: what metrics, telemetry and their hooks accept, and what they refuse."""

import logging
from collections.abc import Mapping
from typing import assert_type

from aiohttp import web
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import REGISTRY, CollectorRegistry

from qqbot import Bot, CallNext, Context, Event, HandlerRun, LogFields, ResponseInfo, TransportError

bot = Bot()

assert_type(bot.metrics(), web.Application)
bot.metrics(REGISTRY)
bot.metrics(registry=CollectorRegistry())
bot.metrics(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
bot.telemetry()
bot.telemetry(tracer_provider=TracerProvider(), meter_provider=MeterProvider())
bot.telemetry(TracerProvider())  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
logging.StreamHandler().addFilter(LogFields())


@bot.on_response
def seen(info: ResponseInfo) -> None:
    assert_type(info.status, int)
    assert_type(info.headers, Mapping[str, str])
    assert_type(info.header("retry-after"), str | None)
    assert_type(info.error, TransportError | None)
    info.status = 5  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


@bot.on_response
async def seen_later(info: ResponseInfo) -> None: ...


@bot.on_response  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
def takes_a_run(run: HandlerRun) -> None: ...


@bot.around_handler
async def around(ctx: Context[Event], handler: str, call_next: CallNext) -> None:
    assert_type(ctx.log_fields(handler), dict[str, object])
    await call_next()


@bot.around_handler  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
async def no_name(ctx: Context[Event], call_next: CallNext) -> None: ...


@bot.on_handled
def measured(run: HandlerRun) -> None:
    assert_type(run.qualified_name, str)
