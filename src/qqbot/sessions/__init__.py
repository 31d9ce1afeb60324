"""Which process runs which shard, and when a session may be created."""

from ..watermark import Watermark
from .base import ClusterView, ManagerEvent, SessionManager, ShardView
from .local import LocalSessionManager
from .permits import Budget, IdentifyPacer

__all__ = [
    "Budget",
    "ClusterView",
    "IdentifyPacer",
    "LocalSessionManager",
    "ManagerEvent",
    "SessionManager",
    "ShardView",
    "Watermark",
]
