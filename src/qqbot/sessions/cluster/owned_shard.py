"""What a node owns: an `OwnedShard` for each shard, and a `NodeLease` for each time that it runs the shard.

Responsible for the state that is to be stored, and for whether the right to act still holds. Collaborators:
`shard_runner` (which runs and closes shards), `session_limit` (which grants permits). It does not call the store.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ...errors import LeaseLost
from ...lease import LeaseDeadline, LostReason, Permit
from ...models.gateway import ResumeState, ShardKey
from .reconcile import OwnedStatus
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
        """Return whether the budget allows to replace a session that still works."""
        ...


Save = Callable[["OwnedShard"], Awaitable[None]]
"""Returns when the state was written, or when the store is away."""

GiveUp = Callable[["OwnedShard", int], None]
"""Gives a shard up because events of it were published under a larger token."""


class OwnedShard:
    """One shard that this node owns, from the claim to the release or the loss."""

    def __init__(self, key: ShardKey, token: int, state: ResumeState | None, confirmed: int) -> None:
        """Own a shard that was granted in the incarnation `confirmed`."""
        self.key = key
        self.token = token
        self.state = state  # what the next owner resumes from
        self.lease: NodeLease | None = None  # of the last run, also after it has ended
        self.task: asyncio.Task[None] | None = None  # None while the shard does not run
        self.closing = False  # it is released as soon as its task has ended
        self.parked = False  # it ended by itself, and waits for a larger number of shards
        self.ready_until = 0.0  # until then READY may come: a shard that ends before leaves a session no node knows
        self.doubtful = False  # its lease ended, and the store cannot confirm yet that the shard is still ours
        self.confirmed = confirmed  # the incarnation of the store that confirmed the ownership last
        self._reported: ResumeState | None = state  # what the store has: an unchanged state is not sent again

    @property
    def shard_id(self) -> ShardId:
        """The generation and index of the shard."""
        return shard_id_of(self.key)

    @property
    def live(self) -> bool:
        """True if its lease has not ended."""
        return self.lease is not None and self.lease.valid()

    @property
    def status(self) -> OwnedStatus:
        """The shard as `reconcile` sees it."""
        return OwnedStatus(
            self.key,
            running=self.task is not None,
            closing=self.closing,
            parked=self.parked,
            doubtful=self.doubtful,
            standby=isinstance(self.lease, StandbyNodeLease) and not self.lease.active,
            ready_until=self.ready_until,
        )

    def report(self, sure_in: int = 0) -> OwnershipReport:
        """Return what the store is to know.

        A lease that has ended can only be vouched for in the incarnation that confirmed it last, or in `sure_in`, one
        that has been known for long enough.
        """
        state = "=" if self.state is self._reported else "-" if self.state is None else write(self.state)
        return OwnershipReport(self.shard_id, self.token, state, None if self.live else sure_in or self.confirmed)

    def confirm(self, incarnation: int, reported: ResumeState | None) -> None:
        """Record that the store knows us as the owner; another store than before needs the state again."""
        self.doubtful = False
        self._reported = reported if incarnation == self.confirmed else _NOTHING
        self.confirmed = incarnation


_NOTHING = ResumeState(session_id="-", seq=0)
"""Identical to no state that is ever reported, not even to None."""


class NodeLease:
    """The right to run one shard once. After its end, the shard runs again only under another one."""

    def __init__(
        self, owned: OwnedShard, deadline: LeaseDeadline, identify_queue: IdentifyQueue, save: Save, give_up: GiveUp
    ) -> None:
        self.owned = owned
        self.shard = owned.key
        self.token = owned.token
        self.deadline = deadline
        self.valid = deadline.valid  # not a method of its own: it is called before each dispatch
        self.identify_turn = identify_queue.identify_turn
        self.may_renew = identify_queue.may_renew
        self._identify_queue = identify_queue
        self._save = save
        self._give_up = give_up
        self._reason: LostReason = "stopped"  # why it ended; "taken" also ends the right to change the state
        self._ended = asyncio.Event()

    async def wait_lost(self) -> LostReason:
        """Return when the lease has ended."""
        await self._ended.wait()
        return self._reason

    def checkpoint(self, state: ResumeState) -> None:
        """Keep the state; it is written with the next synchronisation."""
        if self._reason != "taken":
            self.owned.state = state  # also if the lease only expired: the shard is resumed from there

    async def save(self, state: ResumeState | None) -> None:
        """Write the state now; if the store is away, it is written later, and in a hand-over with the release.

        Raises: LeaseLost.
        """
        if self._reason != "taken":
            self.owned.state = state
            self.owned.ready_until = 0.0  # READY has come, or the session is given up
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
        """True if the lease was ended; one past its deadline may not be yet."""
        return self._ended.is_set()

    def end(self, reason: LostReason) -> None:
        """End the lease; the first reason stays."""
        if not self._ended.is_set():
            self._reason = reason
            self.deadline.shut()
            self._ended.set()


class StandbyNodeLease(NodeLease):
    """The right to connect a shard of the next generation; its events wait until that is the current one.

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
        self._active = asyncio.Event()

    @property
    def active(self) -> bool:
        """True if its generation is the current one."""
        return self._active.is_set()

    async def wait_active(self) -> None:
        """Return when its generation is the current one."""
        await self._active.wait()

    def activate(self) -> None:
        """Let its events be handled."""
        self._active.set()
