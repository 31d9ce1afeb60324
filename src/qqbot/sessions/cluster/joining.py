"""`outlast`: what a node does with members that use other timings than its own.

Responsible for finding out whether one of them is alive, and for removing them if none is. Collaborators: `node` calls
it while it joins; `store` has the beats. Members with equal timings are judged by `failure_detector`.
"""

import logging
from collections.abc import Awaitable, Callable

from ...errors import ConfigError
from .store import ClusterStore
from .timings import Timings

log = logging.getLogger(__name__)

LONGEST_TIME = 10  # digits of milliseconds; more of them are no timing


async def outlast(
    store: ClusterStore,
    theirs: str,
    timings: Timings,
    wait: Callable[[float], Awaitable[None]],
    *,
    stopping: Callable[[], bool],
) -> None:
    """Remove the members that use the timings `theirs`, if all of them are dead.  Raises: ConfigError, StoreAway."""
    patience = max(_observe(theirs), timings.observe)
    log.warning("the cluster has members with other timings: checking for %g s whether they are alive", patience)
    before = await store.look()
    await wait(patience)
    if stopping():
        return  # the wait ended early: too short to judge any node
    after = await store.look()
    for name, node in before.nodes.items():
        if name in after.nodes and not await store.evict(before, name, node.stamp):
            raise ConfigError(
                f"the nodes of this cluster use the timings {theirs}, this one {timings.shared} (renew, own, "
                "observe, window, permit, lead, in ms): give all the same Timings, or another cluster name. "
                "同一集群的各进程 Timings 必须一致"
            )


def _observe(theirs: str) -> float:
    """Return how long members with the timings `theirs` wait for each other, in seconds."""
    times = theirs.split()
    return int(times[2]) / 1000 if len(times) > 2 and len(times[2]) < LONGEST_TIME else 0.0
