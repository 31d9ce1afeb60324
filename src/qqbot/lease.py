"""A lease: the right to run one shard, as seen by every package that acts for a shard.

Responsible for the Protocols `Ownership`, `Lease`, `Permit` and `StandbyLease`, the lease under which the running
handler works (`current_lease`), and `LeaseDeadline`, which decides by our own clock whether a grant is still valid.
Collaborators: the session managers hand leases out; `api`, `gateway`, `dispatcher` and `ingest` all ask whether one is
valid, so this module stands beneath them. It renews nothing.
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
        """True if it may still be used now."""
        ...


class Ownership(Protocol):
    """The right to handle the events of one shard, or of one partition of a broker."""

    @property
    def shard(self) -> ShardKey:
        """The shard, or the partition, whose events may be handled."""
        ...

    def valid(self) -> bool:
        """True if this process may act for the shard now; cheap, ask before each dispatch."""
        ...


class Lease(Ownership, Protocol):
    """The right to run one shard, handed out by a session manager."""

    @property
    def token(self) -> int:
        """Fencing token: a later owner of the same shard has a larger one."""
        ...

    async def wait_lost(self) -> LostReason:
        """Wait until the lease is lost; return why."""
        ...

    def checkpoint(self, state: ResumeState) -> None:
        """Keep the state, to be written with the next synchronisation."""
        ...

    async def save(self, state: ResumeState | None) -> None:
        """Write the state now; None forgets the session.

        Raises: LeaseLost; any other error as it is, which the caller only logs.
        """
        ...

    def fenced(self, token: int) -> None:
        """Give the shard up: its events were published under `token` (0: unknown), which is larger than ours.

        The next owner of the shard must have a larger token still.
        """
        ...

    async def may_renew(self) -> bool:
        """Return True if the session budget allows a new session in place of one that still works."""
        ...

    def identify_turn(self) -> AbstractAsyncContextManager[None]:
        """Hold this process's turn to IDENTIFY: from before the socket opens until IDENTIFY is sent."""
        ...

    async def identify_permit(self) -> Permit:
        """Wait until an IDENTIFY may be sent, while the turn is held."""
        ...


@runtime_checkable
class StandbyLease(Lease, Protocol):
    """A lease on standby: its shard connects, but another generation of shards still handles the same events."""

    @property
    def kept(self) -> float:
        """Seconds for which events are kept, to be handled when the shard is activated; they may become more."""
        ...

    async def wait_active(self) -> None:
        """Return when the shard is activated: its events are handled from here on."""
        ...


current_lease: ContextVar[Ownership | None] = ContextVar("qqbot_current_lease", default=None)


class LeaseDeadline:
    """Valid from a grant until `life` seconds after the request for it was sent.

    The count starts before the request and not at its answer: the store counts from a moment in between. Once it has
    passed it stays so, because another owner may have been granted the lease; a late answer revives nothing.
    """

    __slots__ = ("_clock", "_life", "_until")

    def __init__(self, life: float, sent_at: float, *, clock: Clock = steady) -> None:
        """Start with a grant that was requested at `sent_at`, a moment of `clock`; `life` is in seconds."""
        self._life = life
        self._clock = clock
        self._until = sent_at + life  # a moment of the clock; minus infinity after `shut`

    def valid(self) -> bool:
        """True if this process may act now; cheap, and callable from any thread."""
        return self._clock() < self._until

    def left(self) -> float:
        """Return the seconds until it passes; 0 if it has passed."""
        return max(self._until - self._clock(), 0.0)

    def renew(self, sent_at: float) -> bool:
        """Extend by a grant that was requested at `sent_at`; return False if it came too late."""
        if not self.valid():
            return False
        self._until = max(self._until, sent_at + self._life)
        return True

    def shut(self) -> None:
        """End at once: the grant was taken away or given back."""
        self._until = float("-inf")
