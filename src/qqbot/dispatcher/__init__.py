"""From a frame to the handlers: repeats are dropped, lanes kept in order, and what is in flight bounded."""

from .dispatcher import Dispatcher, KnownEvents
from .sources import DirectSource, ShardSource

__all__ = ["DirectSource", "Dispatcher", "KnownEvents", "ShardSource"]
