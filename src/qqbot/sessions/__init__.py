"""Which process runs which shard, and when a session may be created."""

from ..watermark import Watermark
from .base import ClusterView, ManagerEvent, SessionManager, ShardView
from .gate import LeaseGate
from .local import LocalSessionManager
from .permits import Budget, IdentifyPacer

__all__ = [
    "Budget",
    "ClusterView",
    "IdentifyPacer",
    "LeaseGate",
    "LocalSessionManager",
    "ManagerEvent",
    "SessionManager",
    "ShardView",
    "Watermark",
]
