"""A lease: the right to run one shard, as every package that acts for a shard sees it.

Responsible for the Protocols `Lease`, `Permit` and `StandbyLease`, the lease under which the running handler works
(`current_lease`), and `LeaseDeadline`, which tells by our own clock whether a granted lease still holds. It stands
beneath its consumers (`api`, `gateway`, `dispatcher`, `ingest`), because all of them ask the same question. Session
managers hand leases out; nothing here renews one.
"""

from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import Literal, Protocol, runtime_checkable

from .aio.clock import Clock, steady
from .models.gateway import ResumeState, ShardKey

LostReason = Literal["taken", "expired", "fenced", "stopped"]


class Permit(Protocol):
    """The right to send one IDENTIFY, for a short time."""

    def usable(self) -> bool:
        """Whether it may still be used now."""
        ...


class Lease(Protocol):
    """The right to run one shard, handed out by a session manager."""

    @property
    def shard(self) -> ShardKey:
        """Which shard."""
        ...

    @property
    def token(self) -> int:
        """Fencing token: a later owner of the same shard has a larger one."""
        ...

    def valid(self) -> bool:
        """Whether this process may act for the shard now; cheap, ask before each dispatch."""
        ...

    async def wait_lost(self) -> LostReason:
        """Return when the lease is no longer ours."""
        ...

    def checkpoint(self, state: ResumeState) -> None:
        """Note the state; it is written with the next synchronisation."""
        ...

    async def save(self, state: ResumeState | None) -> None:
        """Write the state now; None forgets the session. What merely fails is raised as it is, and only logged.

        Raises: LeaseLost.
        """
        ...

    def fenced(self, token: int) -> None:
        """Give the shard up: its events were published under `token` (0: unknown), which is larger than ours.

        Whoever has the shard next, has it under a larger one.
        """
        ...

    async def may_renew(self) -> bool:
        """Whether the budget allows to replace a session that still works by a new one."""
        ...

    def identify_turn(self) -> AbstractAsyncContextManager[None]:
        """Hold this process's turn to connect for an IDENTIFY: from before the socket opens until it was sent."""
        ...

    async def identify_permit(self) -> Permit:
        """Wait until an IDENTIFY may be sent; the turn is held."""
        ...


@runtime_checkable
class StandbyLease(Lease, Protocol):
    """A lease whose shard connects but is not heard yet: another generation of shards delivers the same events."""

    @property
    def kept(self) -> float:
        """For how many seconds events are kept, to be handled when the shard is heard."""
        ...

    async def wait_active(self) -> None:
        """Return when the events are to be handled."""
        ...


current_lease: ContextVar[Lease | None] = ContextVar("qqbot_current_lease", default=None)


class LeaseDeadline:
    """Open from a grant until `life` seconds after the request for it was sent.

    The count starts before the request and not at its answer: the store counts from a moment in between. Once shut
    it stays shut, because somebody else may have been let in; a late answer revives nothing.
    """

    __slots__ = ("_clock", "_life", "_until")

    def __init__(self, life: float, sent_at: float, *, clock: Clock = steady) -> None:
        """Open for what was asked for at `sent_at`, a moment of `clock`; `life` in seconds."""
        self._life = life
        self._clock = clock
        self._until = sent_at + life

    def valid(self) -> bool:
        """Whether we may act now; cheap, and callable from any thread."""
        return self._clock() < self._until

    def left(self) -> float:
        """Return for how many more seconds the gate is open; 0 when it is shut."""
        return max(self._until - self._clock(), 0.0)

    def renew(self, sent_at: float) -> bool:
        """Stay open for what was asked for at `sent_at` and granted; False when that came too late."""
        if not self.valid():
            return False
        self._until = max(self._until, sent_at + self._life)
        return True

    def shut(self) -> None:
        """Shut at once: the grant was taken away or given back."""
        self._until = float("-inf")
