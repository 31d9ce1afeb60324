"""Faults put into the client on purpose: under each of them chaos has to report a violation."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qqbot.dispatcher.dedupe import Deduplicator
from qqbot.gateway.protocol import GatewayProtocol
from qqbot.models.watermark import Watermark

_accept = Watermark.accept

Patch = tuple[type, str, Callable[..., Any]]


def _taken_again(watermark: Watermark, seq: int) -> bool:
    """Take every event in, also one that came before."""
    _accept(watermark, seq)
    return True


def _finished_at_once(watermark: Watermark, seq: int) -> bool:
    """Count an event as finished before its handler has run."""
    fresh = _accept(watermark, seq)
    watermark.finish(seq)
    return fresh


def _everyone(dedupe: Deduplicator, message: str, handlers: Sequence[Any]) -> Sequence[Any]:
    """Hand a message to all handlers, also one that came before."""
    return handlers


def _always_reading(protocol: GatewayProtocol, reading: bool) -> None:
    """Ignore that the reader is paused, so that an acknowledgement that lies unread counts as overdue."""


MUTATIONS: dict[str, Patch] = {
    "seq-dedup-off": (Watermark, "accept", _taken_again),
    "message-dedup-off": (Deduplicator, "take", _everyone),
    "early-watermark": (Watermark, "accept", _finished_at_once),
    "naive-ack": (GatewayProtocol, "set_reading", _always_reading),
}


@contextmanager
def mutated(name: str | None) -> Iterator[None]:
    """Let the client have this fault while the body runs; None: none."""
    if name is None:
        yield
        return
    owner, attribute, function = MUTATIONS[name]
    kept = getattr(owner, attribute)
    setattr(owner, attribute, function)
    try:
        yield
    finally:
        setattr(owner, attribute, kept)
