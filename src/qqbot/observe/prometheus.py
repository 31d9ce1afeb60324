"""Metrics of a bot for Prometheus, and the page that shows them.

Responsible for the histograms of handlers and of exchanges with the platform, named by the OpenTelemetry semantic
conventions, and for the bot's own figures (`qqbot_...`), which are read when the page is. Collaborators: the hooks of
the bot. It needs the extra `prometheus` (prometheus-client).

Source: OpenTelemetry semantic conventions 1.36: messaging, HTTP client; Prometheus: metric and label naming
"""

from collections.abc import Iterator
from functools import partial

from aiohttp import web

from ..api.caller import ResponseInfo
from ..dispatcher.running import HandlerRun
from ..errors import ConfigError
from ..gateway.shard import ShardEvent
from ..ingest.forwarder import Published
from ..models.stats import BotStats
from .observed import SECONDS, SYSTEM, Observed, error_type, failure_of

try:
    from prometheus_client import CollectorRegistry, Counter, Histogram
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import Collector
except ImportError:
    raise ConfigError(
        "metrics need the package prometheus-client: pip install 'aioqqbot[prometheus]'. "
        "使用指标需要安装 prometheus-client：pip install 'aioqqbot[prometheus]'"
    ) from None


class Metrics:
    """Counts what a bot does, in `registry`; None: in one of its own.

    Raises: ConfigError if another bot counts there.
    """

    def __init__(self, registry: CollectorRegistry | None) -> None:
        registry = self.registry = CollectorRegistry() if registry is None else registry
        histogram = partial(Histogram, buckets=SECONDS, registry=registry)
        try:
            self._processed = histogram(
                "messaging_process_duration_seconds",
                "Duration of each run of a handler.",
                ("messaging_system", "messaging_destination_name", "handler", "error_type"),
            )
            self._called = histogram(
                "http_client_request_duration_seconds",
                "Duration of each exchange with the platform.",
                ("http_request_method", "url_template", "http_response_status_code", "error_type"),
            )
            self._published = histogram(
                "messaging_client_operation_duration_seconds",
                "Duration of each call of the sink.",
                ("messaging_system", "messaging_operation_name", "error_type"),
            )
            self._shard_events = Counter(
                "qqbot_shard_events",
                "What happened to the shards: connected, identified, resumed, closed, halted, lease_lost.",
                ("shard", "kind", "code", "cause"),
                registry=registry,
            )
        except ValueError as error:
            raise ConfigError(
                f"this registry has metrics of these names already, each bot needs its own: {error}. "
                "每个机器人需要各自的 registry"
            ) from None

    def attach(self, bot: Observed) -> None:
        """Register with the hooks of `bot`."""
        bot.on_handled(self._measure)
        bot.on_response(self._response)
        bot.on_shard_event(self._count)
        bot.on_published(self._publish)
        self.registry.register(StatsCollector(bot))

    def _measure(self, run: HandlerRun) -> None:
        error = "" if run.error is None else error_type(run.error)
        self._processed.labels(SYSTEM, run.event, run.qualified_name, error).observe(run.seconds)

    def _publish(self, published: Published) -> None:
        error = "" if published.error is None else error_type(published.error)
        self._published.labels(SYSTEM, "publish", error).observe(published.seconds)

    def _response(self, info: ResponseInfo) -> None:
        status = str(info.status or "")
        self._called.labels(info.method, info.route, status, failure_of(info)).observe(info.elapsed)

    def _count(self, event: ShardEvent) -> None:
        code = "" if event.code is None else str(event.code)
        self._shard_events.labels(str(event.shard), event.kind, code, event.cause).inc()


class StatsCollector(Collector):
    """Reads `bot.stats()` when the metrics are collected."""

    def __init__(self, bot: Observed) -> None:
        self._bot = bot

    def describe(self) -> list[Metric]:
        """Return nothing: the names are known when they are collected."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; `qqbot_serving` alone while the bot is not served."""
        try:
            stats = self._bot.stats()
        except ConfigError:
            stats = None
        yield GaugeMetricFamily("qqbot_serving", "1 while the bot is served.", float(stats is not None))
        if stats is not None:
            yield from _of_bot(stats)
            yield from _of_shards(stats)


def _of_bot(stats: BotStats) -> Iterator[Metric]:
    yield GaugeMetricFamily("qqbot_handlers_running", "Handlers that run.", stats.inflight)
    yield GaugeMetricFamily("qqbot_handlers_waiting", "Handlers suspended in wait_for.", stats.waiting)
    yield GaugeMetricFamily("qqbot_events_queued", "Events that wait for their turn.", stats.queued)
    yield GaugeMetricFamily(
        "qqbot_standing_still_seconds", "Since reading stopped for want of room.", stats.standing_still
    )
    yield GaugeMetricFamily("qqbot_loop_lag_seconds", "Largest recent delay of the event loop.", stats.loop_lag)
    yield CounterMetricFamily("qqbot_published_events", "Events that the sink has stored.", stats.published)
    yield GaugeMetricFamily("qqbot_source_lag", "Stored events of the own partitions, not finished.", stats.lag)
    yield CounterMetricFamily("qqbot_event_retries", "Runs of an event after a failure.", stats.retries)
    yield CounterMetricFamily("qqbot_dead_letters", "Events given up after the last attempt.", stats.dead_letters)
    yield CounterMetricFamily("qqbot_expired_events", "Events dropped because of their age.", stats.expired)


def _of_shards(stats: BotStats) -> Iterator[Metric]:
    live = GaugeMetricFamily("qqbot_shard_live", "1 while the shard gets events.", labels=("shard",))
    unfinished = GaugeMetricFamily("qqbot_shard_unfinished_events", "Events that are unfinished.", labels=("shard",))
    trip = GaugeMetricFamily("qqbot_shard_round_trip_seconds", "From a heartbeat to its answer.", labels=("shard",))
    events = CounterMetricFamily("qqbot_shard_received_events", "Events received.", labels=("shard",))
    for shard in stats.shards:
        label = (str(shard.shard),)
        live.add_metric(label, float(shard.state == "live"))
        unfinished.add_metric(label, shard.unfinished)
        events.add_metric(label, shard.events)
        if shard.round_trip is not None:
            trip.add_metric(label, shard.round_trip)
    yield from (live, unfinished, trip, events)


def application(registry: CollectorRegistry) -> web.Application:
    """Return an application with GET /metrics, in the format that the caller accepts."""

    async def page(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    app = web.Application()
    app.add_routes([web.get("/metrics", page)])
    return app
