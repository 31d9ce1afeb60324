"""Which process runs which shard, and when a session may be created.

Responsible for the public names of session managers, of the leases that they grant, and of what a new manager has to
implement. Collaborators: `local` (one process), `cluster` (processes that share a store). They
decide nothing about events: see `gateway` and `dispatcher`.
"""

from typing import TYPE_CHECKING

from .._names import on_demand
from ..lease import Lease, LeaseDeadline, LostReason, Permit, StandbyLease
from ..models.watermark import Watermark
from .base import ClusterView, GatewaySource, ManagerEvent, NodeView, SessionManager, ShardFactory, ShardView
from .local import LocalSessionManager
from .permits import Budget, IdentifyPacer

if TYPE_CHECKING:
    from ..redis.lock import RedisLock
    from ..redis.pacing import RedisPacing
    from ..redis.seen_ids import RedisSeenIds
    from ..redis.sharing import sharing
    from ..redis.token_store import RedisTokenStore
    from .cluster.assignor import ClusterMember, assign
    from .cluster.failure_detector import FailureDetector
    from .cluster.manager import EtcdSessionManager, RedisSessionManager
    from .cluster.timings import Timings

__all__ = [
    "Budget",
    "ClusterMember",
    "ClusterView",
    "EtcdSessionManager",
    "FailureDetector",
    "GatewaySource",
    "IdentifyPacer",
    "Lease",
    "LeaseDeadline",
    "LocalSessionManager",
    "LostReason",
    "ManagerEvent",
    "NodeView",
    "Permit",
    "RedisLock",
    "RedisPacing",
    "RedisSeenIds",
    "RedisSessionManager",
    "RedisTokenStore",
    "SessionManager",
    "ShardFactory",
    "ShardView",
    "StandbyLease",
    "Timings",
    "Watermark",
    "assign",
    "sharing",
]

__getattr__ = on_demand(
    __name__,
    {  # modules that only clusters need, some of which import redis
        "ClusterMember": ".cluster.assignor",
        "EtcdSessionManager": ".cluster.manager",
        "FailureDetector": ".cluster.failure_detector",
        "RedisLock": "..redis.lock",
        "RedisPacing": "..redis.pacing",
        "RedisSeenIds": "..redis.seen_ids",
        "RedisSessionManager": ".cluster.manager",
        "RedisTokenStore": "..redis.token_store",
        "Timings": ".cluster.timings",
        "assign": ".cluster.assignor",
        "sharing": "..redis.sharing",
    },
    renamed={"LeaseGate": "LeaseDeadline", "Member": "ClusterMember", "Observer": "FailureDetector", "plan": "assign"},
)
