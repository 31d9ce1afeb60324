"""`PartitionClaims`: which worker was the first to announce each partition, for brokers that do not decide it.

Responsible for the order of the announcements; pure. Collaborators: `pulsar` reads them, and knows which workers are
alive. A worker that has died keeps its place until it is dropped; then the next one that has announced the partition
owns it, so that all that have read the same announcements name the same owner.
"""

from collections.abc import Collection


class PartitionClaims:
    """The workers that have announced each partition, the first one first."""

    def __init__(self) -> None:
        self._claims: dict[int, dict[str, None]] = {}

    def announce(self, worker: str, partitions: Collection[int]) -> None:
        """Replace what a worker has announced; it keeps its place where it goes on."""
        for index, workers in self._claims.items():
            if index not in partitions:
                workers.pop(worker, None)
        for index in partitions:
            self._claims.setdefault(index, {}).setdefault(worker)

    def keep(self, alive: Collection[str]) -> None:
        """Drop all workers but these."""
        for workers in self._claims.values():
            for worker in [each for each in workers if each not in alive]:
                del workers[worker]

    def owner(self, index: int) -> str | None:
        """Return the first worker that has announced a partition; None if there is none."""
        return next(iter(self._claims.get(index, ())), None)
