"""Sinks and sources by URL: the scheme names the broker.

Responsible for the list of schemes. Collaborators: the modules of the brokers, each loaded when a URL of its scheme is
used. It connects to nothing.
"""

from importlib import import_module
from typing import TypeAlias, cast

from ..config import Secret, scheme_shown
from ..errors import ConfigError
from .forwarder import EventSink
from .source import EventSource

Place: TypeAlias = tuple[str, str]
"""A module of this package, and the name of a class in it with `from_url`."""

_REDIS: tuple[Place, Place] = (("redis.streams", "RedisStreamSink"), ("redis.stream_source", "RedisStreamSource"))
_KAFKA: tuple[Place, Place] = (("ingest.kafka", "KafkaSink"), ("ingest.kafka_source", "KafkaSource"))
_NATS: tuple[Place, Place] = (("ingest.nats", "NatsSink"), ("ingest.nats_source", "NatsSource"))
_PULSAR: tuple[Place, Place] = (("ingest.pulsar", "PulsarSink"), ("ingest.pulsar", "PulsarSource"))
BROKERS: dict[str, tuple[Place, Place]] = {
    **dict.fromkeys(
        ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"), _REDIS
    ),
    **dict.fromkeys(("kafka", "kafka+ssl"), _KAFKA),
    **dict.fromkeys(("nats", "tls"), _NATS),
    **dict.fromkeys(("pulsar", "pulsar+ssl", "pulsar+http", "pulsar+https"), _PULSAR),
}
"""By the scheme of the URL: the sink and the source."""

FORM = "redis://user:password@host:6379/0?stream=NAME&partitions=16 (for others see docs/ingest.md)"


def sink_of(url: str) -> EventSink:
    """Return the sink that `url` names; nothing is sent yet.  Raises: ConfigError."""
    return cast("EventSink", _end(Secret(url), 0))


def source_of(url: str) -> EventSource:
    """Return the source that `url` names; nothing is sent yet.  Raises: ConfigError."""
    return cast("EventSource", _end(Secret(url), 1))


def _end(url: Secret, which: int) -> object:
    scheme = scheme_shown(url)
    places = BROKERS.get(scheme.lower())
    if places is None:
        raise ConfigError(
            f"the URL of the broker has the scheme {scheme}: "
            f"use one of {', '.join(sorted(BROKERS))}, as in {FORM}. 不支持的地址，请检查 scheme"
        )
    module, name = places[which]
    return getattr(import_module(f"qqbot.{module}"), name).from_url(url)
