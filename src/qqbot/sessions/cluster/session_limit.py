"""`SessionStartLimiter`: when an IDENTIFY may be sent, and what /gateway/bot answered.

Responsible for that answer, which one node fetches for all, and for the permits of this node's shards. Collaborators:
`store` counts the pace and the budget for the whole cluster. It does not connect anything.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from ...aio.clock import steady
from ...aio.throttle import Throttle
from ...errors import LeaseLost
from ...models.gateway import GatewayBot
from ..base import GatewaySource
from .owned_shard import NodeLease
from .state import ClusterState
from .store import ClusterStore, PermitAnswer, StoreAway
from .timings import Timings

log = logging.getLogger(__name__)

LONGEST_BUDGET_WAIT = 60.0  # seconds: the platform may renew the budget earlier than it announced
READY_SECONDS = 20.0  # how long a shard waits for READY at most
ANSWER_LIFE = 600.0  # seconds for which the answer of /gateway/bot is used
ASK_LIFE = 15.0  # seconds after which another node asks, because the one that was to ask has not answered


class _ClusterPermit:
    """A permit that is good until a moment of the steady clock."""

    def __init__(self, until: float) -> None:
        self._until = until

    def usable(self) -> bool:
        return steady() <= self._until


class SessionStartLimiter:
    """The platform's `session_start_limit`, kept by all nodes together.

    `changed` is called when this node stored a new answer of /gateway/bot.
    """

    def __init__(
        self,
        store: ClusterStore,
        timings: Timings,
        gateway: GatewaySource,
        *,
        changed: Callable[[], None],
    ) -> None:
        self.info: GatewayBot | None = None  # None until some node has asked: no shard can start before
        self._store = store
        self._timings = timings
        self._gateway = gateway
        self._changed = changed
        self._state = ClusterState()  # as the last sync found it: it has the budget
        self._turns = asyncio.Semaphore(1)  # connections that this process opens for an IDENTIFY at the same time
        self._due = asyncio.Event()  # /gateway/bot should be asked, by this node or another
        self._warnings = Throttle()

    def update(self, state: ClusterState) -> None:
        """Use what a sync found."""
        self._state = state
        if state.gateway is not None and state.gateway != self.info:
            concurrency = state.gateway.session_start_limit.max_concurrency
            # Shards that hold a turn of the old semaphore keep it; replacing it at each answer would add turns.
            if self.info is None or concurrency != self.info.session_start_limit.max_concurrency:
                self._turns = asyncio.Semaphore(max(concurrency, 1))
            self.info = state.gateway
        if state.gateway is None or state.now - state.gateway_at > ANSWER_LIFE or self._is_budget_renewed:
            self._due.set()

    @property
    def _is_budget_renewed(self) -> bool:
        budget = self._state.budget
        return budget is not None and budget <= 0 and self._state.now >= self._state.budget_reset

    async def keep(self) -> None:
        """Ask /gateway/bot whenever its answer is too old and no other node asks.  Raises: what asking raises."""
        while True:
            await self._due.wait()
            self._due.clear()
            ask_now = self._state.gateway is None or self._is_budget_renewed
            age = 0 if ask_now else round(ANSWER_LIFE * 1000)
            try:
                if await self._store.admin("ask", age, round(ASK_LIFE * 1000)):
                    await self._store.put_gateway(await self._gateway.fetch())
                    self._changed()
            except StoreAway:
                continue  # the next sync sets it again

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
            if self._warnings.ready():
                log.warning(
                    "no more sessions may be created: waiting %.0f s until the platform renews the budget", wait
                )
            return max(min(wait, LONGEST_BUDGET_WAIT), self._timings.renew)
        if answer is PermitAnswer.HALTED:
            return self._timings.renew
        return wait + random.random() * self._timings.lead / 10  # shards that wait together do not ask together

    async def may_renew(self) -> bool:
        """Return whether the budget allows to replace a session that still works: one for each shard is kept back."""
        budget = self._state.budget
        return budget is None or budget > self._state.shards
