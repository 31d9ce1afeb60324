"""`EventSource`: where a worker process reads the events that a sink has stored.

Responsible for the Protocols that a broker's module implements. Collaborators: `worker` (handles what comes), the sinks
(the other end). How partitions are divided among processes is decided by the source.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

from ..lease import Ownership
from ..models.ingest import Received


class Partition(Protocol):
    """A part of the events that one process at a time handles; all events of an ordering key are in the same part."""

    @property
    def lease(self) -> Ownership:
        """The right to handle its events; once it is lost, replies are refused."""
        ...

    async def receive(self) -> Sequence[Received]:
        """Wait for events, and return them in order; first those that an earlier worker did not finish.

        Nothing: the partition is to be given up. Finish what has begun, and return.

        Raises: ConfigError for what a person has to correct; what passes is waited for.
        """
        ...

    def done(self, received: Received) -> None:
        """Mark an event as finished, in any order. The source acknowledges it; until then it may be delivered again."""
        ...


PartitionWork: TypeAlias = Callable[[Partition], Awaitable[None]]


class EventSource(Protocol):
    """Delivers stored events, each to one of the processes that read.

    One that is an async context manager as well is entered before `run`, and left after it.
    """

    async def run(self, app_id: str, work: PartitionWork) -> None:
        """Call `work` in a task for each partition that this process owns, until `stop`; events are those of `app_id`.

        What is given up is first given the time that `work` needs; then it is acknowledged, and released.

        Raises: ConfigError for what a person has to correct; what `work` raises.
        """
        ...

    async def stop(self) -> None:
        """Let every `receive` return nothing, and `run` return when all work has ended. It does not wait for that."""
        ...

    @property
    def lag(self) -> int:
        """How many stored events of the own partitions are not finished, as far as it is known."""
        ...
