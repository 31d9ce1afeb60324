"""From a frame to the handlers: duplicates dropped, conversations in order, handlers and waiting events bounded."""

from .dedupe import KnownEvents
from .dispatcher import Dispatcher
from .sources import DirectSource, ShardSource

__all__ = ["DirectSource", "Dispatcher", "KnownEvents", "ShardSource"]
