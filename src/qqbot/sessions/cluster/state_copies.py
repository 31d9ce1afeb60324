"""`StateCopies`: the session states of all shards, as this node read them last.

Responsible for reading them and for putting them back after the store lost its data together with an owner: the node
that claims the shard then may have joined only now, and has no copies. Collaborators: `store`. It does not write the
states of this node's own shards, see `OwnershipReport`.
"""

from collections.abc import Set as AbstractSet

from ...aio.clock import steady
from ...models.gateway import ResumeState
from .state import ClusterState, ShardId, read_state
from .store import ClusterStore


class StateCopies:
    """Copies of the stored states, each with the incarnation of the store in which it was read."""

    def __init__(self, store: ClusterStore) -> None:
        self._store = store
        self._copies: dict[ShardId, tuple[int, str]] = {}
        self._read_at = 0.0  # they are read once per renewal, not with each sync

    @property
    def known(self) -> AbstractSet[ShardId]:
        """The shards whose session was seen in the store."""
        return self._copies.keys()

    @property
    def age(self) -> float:
        """The seconds since they were read."""
        return steady() - self._read_at

    async def read(self, state: ClusterState) -> None:
        """Read the states again, and put back those that the store lost.  Raises: StoreAway."""
        states = await self._store.states()
        self._read_at = steady()
        older = {
            shard_id: copy
            for shard_id, copy in self._copies.items()
            if shard_id not in states and shard_id[0] >= state.gen and copy[0] != state.incarnation
        }
        self._copies = older | {shard_id: (state.incarnation, stored) for shard_id, stored in states.items()}
        owned = {shard_id for shard_id, owner in state.owners.items() if owner.node}  # their owners write them back
        if lost := {shard_id: stored for shard_id, (_, stored) in older.items() if shard_id not in owned}:
            await self._store.restore(state, lost)

    def stored(self, shard_id: ShardId) -> str:
        """Return the copy of a state as JSON; '' if there is none."""
        return self._copies.get(shard_id, (0, ""))[1]

    def resumed_from(self, shard_id: ShardId, stored: str, incarnation: int) -> ResumeState | None:
        """Return the state to begin with: the stored one, or the copy if the store lost its own."""
        read_in, copy = self._copies.get(shard_id, (0, ""))
        # A copy of this incarnation is not used: a state that is missing now was deleted, because its session ended.
        return read_state(stored or (copy if read_in != incarnation else ""))
