"""What a node owns: for each shard a `OwnedShard`, and for each time that it runs the shard a `NodeLease`.

Owns the state that is to be stored and whether the right to act is still ours. Asking the store is the node's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ...errors import LeaseLost
from ...lease import LeaseDeadline, LostReason, Permit
from ...models.gateway import ResumeState, ShardKey
from .state import ShardId, shard_id_of, write
from .store import OwnershipReport


class IdentifyQueue(Protocol):
    """Where a lease asks for permits."""

    def identify_turn(self) -> AbstractAsyncContextManager[None]:
        """Hold this process's turn to connect for an IDENTIFY."""
        ...

    async def permit(self, lease: "NodeLease") -> Permit:
        """Wait until an IDENTIFY may be sent.  Raises: LeaseLost."""
        ...

    async def may_renew(self) -> bool:
        """Whether a session may be replaced without need."""
        ...


Save = Callable[["OwnedShard"], Awaitable[None]]
"""Returns when the state was written, or when the store is away."""

GiveUp = Callable[["OwnedShard", int], None]
"""Gives a shard up because events of it were published under a larger token."""


class OwnedShard:
    """One shard that this node owns, from the claim to the release or the loss."""

    def __init__(self, key: ShardKey, token: int, state: ResumeState | None, confirmed: int) -> None:
        """Note what was granted in the incarnation `confirmed`."""
        self.key = key
        self.token = token
        self.state = state
        self.lease: NodeLease | None = None
        self.task: asyncio.Task[None] | None = None
        self.closing = False
        self.parked = False
        """The shard ended by itself and waits for a larger number of shards."""
        self.ready_until = 0.0
        """Until when READY may come for an IDENTIFY: a shard that is ended before leaves a session to nobody."""
        self.doubtful = False
        """Its lease ended, and the store cannot say yet whether it is still ours."""
        self.confirmed = confirmed
        self._told: ResumeState | None = state

    @property
    def shard_id(self) -> ShardId:
        """Where the shard stands in the records."""
        return shard_id_of(self.key)

    @property
    def live(self) -> bool:
        """Whether its lease has not ended."""
        return self.lease is not None and self.lease.valid()

    def held(self, sure_in: int = 0) -> OwnershipReport:
        """Return what the store is to be told.

        Of a lease that has ended it can only be vouched for in the incarnation in which it was last confirmed, or in
        `sure_in`, one that has been known for long enough.
        """
        state = "=" if self.state is self._told else "-" if self.state is None else write(self.state)
        return OwnershipReport(self.shard_id, self.token, state, None if self.live else sure_in or self.confirmed)

    def confirm(self, incarnation: int, told: ResumeState | None) -> None:
        """Note that the store knows us as the owner; where it is another store by now, it has to be told again."""
        self.doubtful = False
        self._told = told if incarnation == self.confirmed else _NOTHING
        self.confirmed = incarnation


_NOTHING = ResumeState(session_id="-", seq=0)
"""Equal to no state that is ever told, not even None."""


class NodeLease:
    """The right to run one shard once. When it has ended, the shard runs again only under another one."""

    def __init__(
        self, owned: OwnedShard, deadline: LeaseDeadline, identify_queue: IdentifyQueue, save: Save, give_up: GiveUp
    ) -> None:
        self.owned = owned
        self.shard = owned.key
        self.token = owned.token
        self.deadline = deadline
        self.valid = deadline.valid  # not a method of its own: it is asked before each dispatch
        self.identify_turn = identify_queue.identify_turn
        self.may_renew = identify_queue.may_renew
        self._identify_queue = identify_queue
        self._save = save
        self._give_up = give_up
        self._reason: LostReason = "stopped"
        self._ended = asyncio.Event()

    async def wait_lost(self) -> LostReason:
        """Return when the lease is no longer ours."""
        await self._ended.wait()
        return self._reason

    def checkpoint(self, state: ResumeState) -> None:
        """Note the state; it is written with the next synchronisation."""
        if self._reason != "taken":
            self.owned.state = state  # kept also where the lease only expired: it is resumed from there

    async def save(self, state: ResumeState | None) -> None:
        """Write the state now. Where the store is away, it is written when it is back; in a hand-over with the release.

        Raises: LeaseLost.
        """
        if self._reason != "taken":
            self.owned.state = state
            self.owned.ready_until = 0.0
        self._assert_valid()
        await self._save(self.owned)
        self._assert_valid()

    def fenced(self, token: int) -> None:
        """Give the shard up: its events were published under `token`."""
        self._give_up(self.owned, token)

    def _assert_valid(self) -> None:
        if not self.valid():
            raise LeaseLost(f"shard {self.shard} is no longer ours")

    async def identify_permit(self) -> Permit:
        """Wait until an IDENTIFY may be sent.  Raises: LeaseLost."""
        return await self._identify_queue.permit(self)

    @property
    def ended(self) -> bool:
        """Whether the end was noted."""
        return self._ended.is_set()

    def end(self, reason: LostReason) -> None:
        """Note that it is over; the first reason stays."""
        if not self._ended.is_set():
            self._reason = reason
            self.deadline.shut()
            self._ended.set()


class StandbyNodeLease(NodeLease):
    """The right to connect a shard of the next generation, without being heard until it is the current one.

    `kept`: for how many seconds its events are kept.
    """

    def __init__(
        self,
        owned: OwnedShard,
        deadline: LeaseDeadline,
        identify_queue: IdentifyQueue,
        save: Save,
        give_up: GiveUp,
        *,
        kept: float,
    ) -> None:
        super().__init__(owned, deadline, identify_queue, save, give_up)
        self.kept = kept
        self._heard = asyncio.Event()

    async def wait_active(self) -> None:
        """Return when its generation is the current one."""
        await self._heard.wait()

    def activate(self) -> None:
        """Let its events be handled."""
        self._heard.set()
