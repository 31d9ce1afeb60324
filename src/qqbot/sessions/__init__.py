"""Which process runs which shard, and when a session may be created."""

from importlib import import_module
from typing import TYPE_CHECKING

from ..models.watermark import Watermark
from .base import ClusterView, ManagerEvent, NodeView, SessionManager, ShardView
from .gate import LeaseGate
from .local import LocalSessionManager
from .observer import Observer
from .permits import Budget, IdentifyPacer
from .planner import Member, plan
from .redis import RedisSessionManager
from .timings import Timings

if TYPE_CHECKING:
    from .lock import RedisLock
    from .seen import RedisSeenIds
    from .shared import sharing
    from .tokens import RedisTokenStore

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
    "RedisLock": ".lock",
    "RedisSeenIds": ".seen",
    "RedisTokenStore": ".tokens",
    "sharing": ".shared",
}
"""Names whose modules import redis, which a bot without it does not load."""


def __getattr__(name: str) -> object:
    """Load what stands in `_ON_DEMAND` when it is asked for."""
    if (module := _ON_DEMAND.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module, __name__), name)
