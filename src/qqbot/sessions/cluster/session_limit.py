"""`SessionStartLimiter`: what the platform allows a cluster: where its gateway is, and when an IDENTIFY may be sent.

Owns the answer of /gateway/bot, which one node fetches for all, and the permits of this node's shards. The pace and the
budget are counted by the store's scripts.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from ...aio.clock import steady
from ...errors import LeaseLost
from ...models.gateway import GatewayBot
from ..base import GatewaySource
from .owned_shard import NodeLease
from .state import ClusterState
from .store import ClusterStore, PermitAnswer, StoreAway
from .timings import Timings

LONGEST_BUDGET_WAIT = 60.0
READY_SECONDS = 20.0  # how long a shard waits for READY at most
ANSWER_LIFE = 600.0  # seconds for which the answer of /gateway/bot is used
ASK_LIFE = 15.0  # seconds after which another node asks, because the one that was to ask has not answered


class _ClusterPermit:
    """Good until a moment of the steady clock."""

    def __init__(self, until: float) -> None:
        self._until = until

    def usable(self) -> bool:
        return steady() <= self._until


class SessionStartLimiter:
    """The answer of /gateway/bot, shared; and permits. `changed` is called when a new answer was stored.

    `warn(what, words)` says that something is wrong, now and then.
    """

    def __init__(
        self,
        store: ClusterStore,
        timings: Timings,
        gateway: GatewaySource,
        *,
        changed: Callable[[], None],
        warn: Callable[[str, str], None],
    ) -> None:
        self.info: GatewayBot | None = None
        self._store = store
        self._timings = timings
        self._gateway = gateway
        self._changed = changed
        self._warn = warn
        self._picture = ClusterState()
        self._turns = asyncio.Semaphore(1)
        self._due = asyncio.Event()

    def note(self, picture: ClusterState) -> None:
        """Take in what a sync found."""
        self._picture = picture
        if picture.gateway is not None and picture.gateway != self.info:
            concurrency = picture.gateway.session_start_limit.max_concurrency
            if self.info is None or concurrency != self.info.session_start_limit.max_concurrency:
                self._turns = asyncio.Semaphore(max(concurrency, 1))
            self.info = picture.gateway
        if picture.gateway is None or picture.now - picture.gateway_at > ANSWER_LIFE or self._is_budget_renewed:
            self._due.set()

    @property
    def _is_budget_renewed(self) -> bool:
        budget = self._picture.budget
        return budget is not None and budget <= 0 and self._picture.now >= self._picture.budget_reset

    async def keep(self) -> None:
        """Ask /gateway/bot whenever its answer is too old and nobody else asks.  Raises: what asking raises."""
        while True:
            await self._due.wait()
            self._due.clear()
            age = 0 if self._is_budget_renewed else round(ANSWER_LIFE * 1000)
            try:
                if await self._store.admin("ask", age, round(ASK_LIFE * 1000)):
                    await self._store.put_gateway(await self._gateway.fetch())
                    self._changed()
            except StoreAway:
                continue  # the next sync says again that it is due

    @asynccontextmanager
    async def identify_turn(self) -> AsyncGenerator[None]:
        """Hold this process's turn to connect for an IDENTIFY."""
        async with self._turns:
            yield

    async def permit(self, lease: NodeLease) -> _ClusterPermit:
        """Wait until an IDENTIFY may be sent.  Raises: LeaseLost."""
        assert self.info is not None
        while lease.valid():
            concurrency = self.info.session_start_limit.max_concurrency
            sent_at = steady()
            try:
                answer, wait = await self._store.permit(lease.owned.shard_id, lease.token, concurrency)
            except StoreAway:
                answer, wait = PermitAnswer.LATER, self._timings.retry
            if answer is PermitAnswer.GRANTED:
                await asyncio.sleep(wait)
                permit = _ClusterPermit(sent_at + wait + self._timings.permit)
                if permit.usable():
                    lease.owned.ready_until = steady() + READY_SECONDS
                    return permit
                continue
            if answer is PermitAnswer.NOT_OWNER:
                break
            await asyncio.sleep(self._wait_for_permit(answer, wait))
        raise LeaseLost(f"shard {lease.shard} is no longer ours")

    def _wait_for_permit(self, answer: PermitAnswer, wait: float) -> float:
        """Return for how many seconds to wait before asking again."""
        if answer is PermitAnswer.NO_BUDGET:
            self._warn(
                "budget",
                f"no more sessions may be created: waiting {wait:.0f} s until the platform renews the allowance",
            )
            return max(min(wait, LONGEST_BUDGET_WAIT), self._timings.renew)
        if answer is PermitAnswer.HALTED:
            return self._timings.renew
        return wait + random.random() * self._timings.lead / 10  # those who wait together do not ask together

    async def may_renew(self) -> bool:
        """Whether a session may be replaced without need: one for each shard is kept back."""
        budget = self._picture.budget
        return budget is None or budget > self._picture.shards
