"""Which process runs which shard, and when a session may be created."""

from importlib import import_module
from typing import TYPE_CHECKING

from ..lease import LeaseGate
from ..models.watermark import Watermark
from .base import ClusterView, ManagerEvent, NodeView, SessionManager, ShardView
from .cluster.assignor import Member, plan
from .cluster.failure_detector import Observer
from .cluster.manager import RedisSessionManager
from .cluster.timings import Timings
from .local import LocalSessionManager
from .permits import Budget, IdentifyPacer

if TYPE_CHECKING:
    from ..redis.lock import RedisLock
    from ..redis.seen_ids import RedisSeenIds
    from ..redis.sharing import sharing
    from ..redis.token_store import RedisTokenStore

__all__ = [
    "Budget",
    "ClusterView",
    "IdentifyPacer",
    "LeaseGate",
    "LocalSessionManager",
    "ManagerEvent",
    "Member",
    "NodeView",
    "Observer",
    "RedisLock",
    "RedisSeenIds",
    "RedisSessionManager",
    "RedisTokenStore",
    "SessionManager",
    "ShardView",
    "Timings",
    "Watermark",
    "plan",
    "sharing",
]

_ON_DEMAND = {
    "RedisLock": "..redis.lock",
    "RedisSeenIds": "..redis.seen_ids",
    "RedisTokenStore": "..redis.token_store",
    "sharing": "..redis.sharing",
}
"""Names whose modules import redis, which a bot without it does not load."""


def __getattr__(name: str) -> object:
    """Load what stands in `_ON_DEMAND` when it is asked for."""
    if (module := _ON_DEMAND.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module, __name__), name)
