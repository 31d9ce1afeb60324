"""Intake and logic in different processes: events go into a sink here, and are handled elsewhere.

Responsible for the Protocols of both ends, `EventSink` and `EventSource`, and for what each process needs: `Forwarder`
here, `EventWorker` there. Collaborators: `models.ingest` (what crosses the processes), `Bot(sink=...)` and `Bot.work`.
It connects to nothing itself: the modules of the brokers do.
"""

from typing import TYPE_CHECKING

from .._names import on_demand
from .forwarder import EventSink, Forwarder, Published
from .source import EventSource, Partition
from .urls import sink_of, source_of

if TYPE_CHECKING:
    from ..redis.stream_source import RedisStreamSource
    from ..redis.streams import RedisStreamSink
    from .kafka import KafkaSink
    from .kafka_source import KafkaSource
    from .nats import NatsSink
    from .nats_source import NatsSource
    from .pulsar import PulsarSink, PulsarSource
    from .queue import QueueSink

__all__ = [
    "EventSink",
    "EventSource",
    "Forwarder",
    "KafkaSink",
    "KafkaSource",
    "NatsSink",
    "NatsSource",
    "Partition",
    "Published",
    "PulsarSink",
    "PulsarSource",
    "QueueSink",
    "RedisStreamSink",
    "RedisStreamSource",
    "sink_of",
    "source_of",
]

__getattr__ = on_demand(
    __name__,
    {
        "KafkaSink": ".kafka",
        "KafkaSource": ".kafka_source",
        "NatsSink": ".nats",
        "NatsSource": ".nats_source",
        "PulsarSink": ".pulsar",
        "PulsarSource": ".pulsar",
        "QueueSink": ".queue",
        "RedisStreamSink": "..redis.streams",
        "RedisStreamSource": "..redis.stream_source",
    },
)
