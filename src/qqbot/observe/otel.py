"""Spans and metrics of a bot for OpenTelemetry.

Responsible for one span for each event, in it one for each handler, in that one for each exchange with the platform;
for carrying the trace through a broker, in the headers of the envelope; and for the histograms and counters, by the
semantic conventions. Collaborators: the hooks of the bot. It needs the extra `otel` (opentelemetry-api). It exports
nothing: the program sets up what does.

Source: OpenTelemetry semantic conventions 1.36: messaging, HTTP client, code
"""

import time
from collections.abc import Mapping
from functools import partial

from ..api.caller import ResponseInfo
from ..dispatcher.running import HandlerRun
from ..errors import ConfigError
from ..gateway.shard import ShardEvent
from ..ingest.forwarder import Published
from .observed import SECONDS, SYSTEM, CallNext, EventContext, Observed, error_type, failure_of

try:
    from opentelemetry import metrics, propagate, trace
except ImportError:
    raise ConfigError(
        "telemetry needs the package opentelemetry-api: pip install 'aioqqbot[otel]'. "
        "使用 OpenTelemetry 需要安装 opentelemetry-api：pip install 'aioqqbot[otel]'"
    ) from None

NAME = "qqbot"
SCHEMA = "https://opentelemetry.io/schemas/1.36.0"


class Telemetry:
    """Reports what a bot does to a tracer and a meter. Its spans nest: event, handler, exchange with the platform."""

    def __init__(self, tracer: trace.Tracer, meter: metrics.Meter) -> None:
        self._tracer = tracer
        histogram = partial(meter.create_histogram, unit="s", explicit_bucket_boundaries_advisory=SECONDS)
        self._processed = histogram("messaging.process.duration", description="Duration of processing operation.")
        self._called = histogram("http.client.request.duration", description="Duration of HTTP client requests.")
        self._published = histogram(
            "messaging.client.operation.duration",
            description="Duration of messaging operation initiated by a producer or consumer client.",
        )
        self._shard_events = meter.create_counter(
            "qqbot.shard.events", "{event}", "What happened to the shards: connected, identified, resumed, closed, ..."
        )

    def attach(self, bot: Observed) -> None:
        """Register with the hooks of `bot`."""
        bot.middleware(self._event)
        bot.around_handler(self._handler)
        bot.on_handled(self._measure)
        bot.on_response(self._response)
        bot.on_shard_event(self._count)
        bot.on_envelope(self._inject)
        bot.on_published(self._publish)

    async def _event(self, ctx: EventContext, call_next: CallNext) -> None:
        fields = ctx.log_fields()
        name = str(fields.get("event", ""))
        attributes = _known(
            {
                "messaging.system": SYSTEM,
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.destination.name": name,
                "messaging.destination.partition.id": fields.get("shard"),
                "messaging.message.id": fields.get("event_id"),
                "messaging.message.conversation_id": fields.get("conversation"),
                "enduser.id": fields.get("user"),
            }
        )
        kind = trace.SpanKind.CONSUMER
        parent = propagate.extract(ctx.headers) if ctx.headers else None
        with self._tracer.start_as_current_span(f"process {name}", parent, kind, attributes) as span:
            await _failing(span, call_next)

    def _inject(self, name: str, event_id: str, headers: dict[str, str]) -> None:
        """Begin the trace of an event at its arrival; the worker continues it."""
        attributes = {
            "messaging.system": SYSTEM,
            "messaging.operation.name": "create",
            "messaging.operation.type": "create",
            "messaging.destination.name": name,
            "messaging.message.id": event_id,
        }
        span = self._tracer.start_span(f"create {name}", kind=trace.SpanKind.PRODUCER, attributes=attributes)
        propagate.inject(headers, trace.set_span_in_context(span))
        span.end()

    def _publish(self, published: Published) -> None:
        attributes = {
            "messaging.system": SYSTEM,
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
        }
        if published.error is not None:
            attributes["error.type"] = error_type(published.error)
        self._published.record(published.seconds, attributes)

    async def _handler(self, ctx: EventContext, handler: str, call_next: CallNext) -> None:  # noqa: ARG002 - a hook
        attributes = {"code.function.name": handler}
        with self._tracer.start_as_current_span(handler, attributes=attributes) as span:
            await _failing(span, call_next)

    def _measure(self, run: HandlerRun) -> None:
        attributes = {
            "messaging.system": SYSTEM,
            "messaging.operation.name": "process",
            "messaging.destination.name": run.event,
            "code.function.name": run.qualified_name,
        }
        if run.error is not None:
            attributes["error.type"] = error_type(run.error)
        self._processed.record(run.seconds, attributes)

    def _response(self, info: ResponseInfo) -> None:
        """Report an exchange. Its span is made when it is over: it has begun `elapsed` seconds ago."""
        failed = failure_of(info)
        host, _, port = info.host.rpartition(":") if ":" in info.host else (info.host, "", "")
        attributes = _known(
            {
                "http.request.method": info.method,
                "url.template": info.route,
                "server.address": host,
                "server.port": int(port) if port.isdigit() else 443,
                "http.response.status_code": info.status,
                "error.type": failed,
            }
        )
        self._called.record(info.elapsed, attributes)
        end = time.time_ns()
        span = self._tracer.start_span(
            f"{info.method} {info.route}",
            kind=trace.SpanKind.CLIENT,
            attributes={**attributes, **_known({"url.path": info.path, "qq.trace_id": info.trace_id})},
            start_time=end - int(info.elapsed * 1e9),
        )
        if failed:
            span.set_status(trace.StatusCode.ERROR, None if info.error is None else str(info.error))
        span.end(end)

    def _count(self, event: ShardEvent) -> None:
        code = None if event.code is None else str(event.code)
        self._shard_events.add(
            1,
            _known({"qq.shard": str(event.shard), "qq.event": event.kind, "qq.cause": event.cause, "qq.code": code}),
        )


async def _failing(span: trace.Span, call_next: CallNext) -> None:
    """Run what is inside the span; mark the span as failed if that raises."""
    try:
        await call_next()
    except Exception as error:
        span.set_attribute("error.type", error_type(error))
        raise


def _known(attributes: Mapping[str, object]) -> dict[str, str | int]:
    return {name: value for name, value in attributes.items() if isinstance(value, str | int) and value}


def attach(
    bot: Observed, tracer_provider: trace.TracerProvider | None, meter_provider: metrics.MeterProvider | None
) -> None:
    """Report what `bot` does, from now on. None: the providers that the program has set for the process."""
    tracer = trace.get_tracer(NAME, schema_url=SCHEMA, tracer_provider=tracer_provider)
    meter = metrics.get_meter(NAME, schema_url=SCHEMA, meter_provider=meter_provider)
    Telemetry(tracer, meter).attach(bot)
