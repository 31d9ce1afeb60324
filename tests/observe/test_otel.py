"""`bot.telemetry()` on the simulator: which spans and metrics an exporter gets."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from qqbot import (
    Bot,
    C2CMessageCreate,
    CallNext,
    ConfigError,
    ContentRejected,
    Context,
    Event,
    GroupMessageEvent,
    MessageEvent,
)
from qqbot.testing import Simulator


class Exported:
    """What was exported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracer_provider = TracerProvider(shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self.reader], shutdown_on_exit=False)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def span(self, name: str) -> ReadableSpan:
        """The only span of this name, or whose name ends with it."""
        (span,) = [span for span in self.spans if span.name.endswith(name)]
        return span

    def points(self, name: str) -> list[tuple[int, Mapping[str, object]]]:
        """The counts and attributes of a metric."""
        data = self.reader.get_metrics_data()
        assert data is not None
        metrics = [metric for r in data.resource_metrics for s in r.scope_metrics for metric in s.metrics]
        (metric,) = [metric for metric in metrics if metric.name == name]
        return [
            (point.count if isinstance(point, HistogramDataPoint) else point.value, point.attributes or {})
            for point in metric.data.data_points
        ]


@pytest.fixture
def exported() -> Iterator[Exported]:
    exported = Exported()
    yield exported
    exported.tracer_provider.shutdown()
    exported.meter_provider.shutdown()


@pytest.fixture
def bot(exported: Exported) -> Bot:
    bot = Bot()
    bot.telemetry(tracer_provider=exported.tracer_provider, meter_provider=exported.meter_provider)
    return bot


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def attributes(span: ReadableSpan) -> Mapping[str, object]:
    return span.attributes or {}


async def test_the_spans_of_an_event_nest(qq: Simulator, bot: Bot, exported: Exported) -> None:
    own: list[trace.SpanContext] = []

    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        own.append(trace.get_current_span().get_span_context())
        await asyncio.sleep(0.01)
        await ctx.reply(ctx.text)

    async with qq.run(bot):
        said = await qq.user("小明").say("hi")
    event = exported.span("process C2C_MESSAGE_CREATE")
    handler = exported.span("answer")
    call = exported.span("POST /v2/users/{user_openid}/messages")
    assert event.context is not None and handler.context is not None and call.context is not None
    assert parent_of(event) is None
    assert parent_of(handler) == event.context.span_id
    assert parent_of(call) == handler.context.span_id
    assert own == [handler.context]
    assert (event.kind, call.kind) == (trace.SpanKind.CONSUMER, trace.SpanKind.CLIENT)
    assert attributes(event)["messaging.system"] == "qq"
    assert attributes(event)["messaging.message.id"] == said.event_id
    assert str(attributes(event)["messaging.message.conversation_id"]).startswith("c2c:")
    assert attributes(event)["messaging.destination.partition.id"] == "0/1"
    assert attributes(handler) == {"code.function.name": f"{__name__}.{answer.__qualname__}"}
    of_call = attributes(call)
    assert of_call["http.request.method"] == "POST"
    assert of_call["http.response.status_code"] == 200
    assert of_call["server.address"] == "127.0.0.1"
    assert isinstance(of_call["server.port"], int)
    assert of_call["url.template"] == "/v2/users/{user_openid}/messages"
    (sent,) = [call for call in qq.calls if call["path"].endswith("/messages")]
    assert of_call["qq.trace_id"] == sent["trace_id"]
    assert handler.start_time is not None and call.start_time is not None
    assert call.end_time is not None and handler.end_time is not None
    assert handler.start_time <= call.start_time < call.end_time <= handler.end_time


async def test_each_handler_has_a_span_and_a_failure_is_on_its_own(qq: Simulator, bot: Bot, exported: Exported) -> None:
    @bot.on
    async def bad(ctx: Context[MessageEvent]) -> None:
        await ctx.reply("see www.not-registered.com")

    @bot.on
    async def good(ctx: Context[GroupMessageEvent]) -> None: ...

    async with qq.run(bot):
        with qq.expect_error(ContentRejected):
            await qq.group("一群").member("小明").say("hi")
    failed, fine, event = exported.span("bad"), exported.span("good"), exported.span("process GROUP_AT_MESSAGE_CREATE")
    assert event.context is not None
    assert parent_of(failed) == parent_of(fine) == event.context.span_id
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert [found.name for found in failed.events] == ["exception"]
    assert attributes(failed)["error.type"] == attributes(event)["error.type"] == "qqbot.errors.ContentRejected"
    assert fine.status.status_code is trace.StatusCode.UNSET
    call = exported.span("POST /v2/groups/{group_openid}/messages")
    assert attributes(call)["error.type"] == "400"
    assert call.status.status_code is trace.StatusCode.ERROR


async def test_metrics_follow_the_conventions(qq: Simulator, bot: Bot, exported: Exported) -> None:
    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        if ctx.text == "bad":
            raise ValueError("bad")
        await ctx.reply(ctx.text)

    async with qq.run(bot):
        await qq.user("小明").say("hi")
        with qq.expect_error(ValueError):
            await qq.user("小明").say("bad")
    name = f"{__name__}.{answer.__qualname__}"
    runs = {found.get("error.type"): found for count, found in exported.points("messaging.process.duration")}
    assert {key: found["code.function.name"] for key, found in runs.items()} == {None: name, "ValueError": name}
    assert runs[None]["messaging.destination.name"] == "C2C_MESSAGE_CREATE"
    calls = {found["url.template"]: count for count, found in exported.points("http.client.request.duration")}
    assert calls == {"/gateway/bot": 1, "/v2/users/{user_openid}/messages": 1}
    shards = {found["qq.event"]: count for count, found in exported.points("qqbot.shard.events")}
    assert shards["connected"] == shards["identified"] == 1


async def test_spans_leave_nothing_in_the_context_of_the_worker(qq: Simulator, bot: Bot, exported: Exported) -> None:
    tasks: set[object] = set()

    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        tasks.add(asyncio.current_task())

    async with qq.run(bot):
        for _ in range(5):
            await qq.user("小明").say("hi")
    assert len(exported.spans) >= 10
    assert len(tasks) == 1, "a worker whose context was changed is replaced"
    traces = {span.context.trace_id for span in exported.spans if span.context is not None and "process" in span.name}
    assert len(traces) == 5


async def test_middleware_that_comes_later_runs_inside(qq: Simulator, bot: Bot, exported: Exported) -> None:
    inside: list[int] = []

    @bot.middleware
    async def own(ctx: Context[Event], call_next: CallNext) -> None:
        inside.append(trace.get_current_span().get_span_context().span_id)
        await call_next()

    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None: ...

    async with qq.run(bot):
        await qq.user("小明").say("hi")
    event = exported.span("process C2C_MESSAGE_CREATE")
    assert event.context is not None
    assert inside == [event.context.span_id]


def test_a_second_call_is_refused(bot: Bot) -> None:
    with pytest.raises(ConfigError, match="twice"):
        bot.telemetry()
