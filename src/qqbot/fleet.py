"""Joins sessions and gateway: for each lease that a session manager hands out, one `Shard` runs.

Owns the shards of this process and what happens around them: the answer of /gateway/bot, draining before a
shard closes, saving its state. Which shards run here is the session manager's decision.
"""

import asyncio
import logging
import random
from collections.abc import Callable

import msgspec

from .api.client import Api
from .config import GatewayConfig, ShardPlan
from .errors import ApiError, AuthError, DecodeError, GatewayHalted, IPNotAllowed, LeaseLost, TransportError
from .gateway.shard import Shard
from .models.gateway import GatewayBot, ReadyUser, ResumeState, ShardExit, ShardKey
from .models.intents import Intents
from .ports import Lease, ShardEvent, ShardFeed, ShardListener
from .sessions.base import SessionManager

log = logging.getLogger(__name__)

FETCH_RETRY_SECONDS = 3.0
ANSWERED_RETRY_SECONDS = 30.0  # where it was asked twice a minute at the most, it answers again
LONGEST_RETRY_SECONDS = 60.0
WARN_EVERY_SECONDS = 60.0


class Fleet:
    """The shards of one bot in this process."""

    def __init__(
        self,
        manager: SessionManager,
        api: Api,
        feed: Callable[[Lease], ShardFeed],
        *,
        app_id: str,
        plan: ShardPlan,
        intents: Intents,
        config: GatewayConfig,
        drain: float,
        listener: ShardListener,
        explain: Callable[[GatewayHalted], GatewayHalted],
    ) -> None:
        self.app_id = app_id
        self.plan = plan
        self.shards: dict[ShardKey, Shard] = {}
        self._manager = manager
        self._api = api
        self._feed = feed
        self._intents = intents
        self._config = config
        self._drain = drain
        self._listener = listener
        self._explain = explain
        self._me: ReadyUser | None = None
        self._changed = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Run shards until `stop`.  Raises: GatewayHalted, AuthError, IPNotAllowed."""
        if self._stopping:  # `stop` can overtake the task in which this runs
            return
        try:
            await self._manager.run(self, self._run_shard)
        except GatewayHalted as halted:
            raise self._explain(halted) from None

    async def stop(self) -> None:
        """Drain, save and close every shard."""
        self._stopping = True
        await self._manager.stop(drain=self._drain)

    async def ready(self) -> None:
        """Return when every shard of this process is READY or RESUMED."""
        while not (self.shards and all(shard.ready for shard in self.shards.values())):
            self._changed.clear()
            await self._changed.wait()

    def not_ready(self) -> list[str]:
        """Return what is missing before every shard of this process is READY or RESUMED."""
        if not self.shards:
            return ["no shard has started yet"]
        return [f"shard {key} is not connected" for key, shard in self.shards.items() if not shard.ready]

    @property
    def me(self) -> ReadyUser | None:
        """Who the bot is, as soon as one shard knows."""
        if self._me is None:
            self._me = next((shard.me for shard in self.shards.values() if shard.me is not None), None)
        return self._me

    async def fetch(self) -> GatewayBot:
        """Ask /gateway/bot, as often as it takes.  Raises: AuthError, IPNotAllowed."""
        warned = -WARN_EVERY_SECONDS
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            try:
                return await self._api.gateway.bot()
            except (AuthError, IPNotAllowed):
                raise
            except (TransportError, ApiError, DecodeError) as error:
                answered = not isinstance(error, TransportError)
                if loop.time() - warned >= WARN_EVERY_SECONDS:
                    warned = loop.time()
                    log.warning(
                        "the platform does not answer as it should, trying again until it does; check the network, "
                        "the proxy and QQBOT_API_BASE: %s",
                        error,
                    )
            floor = ANSWERED_RETRY_SECONDS if answered else FETCH_RETRY_SECONDS
            delay = min(floor * 2.0 ** min(failures, 10), LONGEST_RETRY_SECONDS) * (0.5 + random.random() / 2)
            failures += 1
            await asyncio.sleep(delay * self._config.pace)

    async def _run_shard(self, lease: Lease, info: GatewayBot, state: ResumeState | None) -> ShardExit:
        feed = self._feed(lease)
        shard = Shard(
            lease,
            info=info,
            state=state,
            intents=self._intents,
            intake=feed,
            tokens=self._api.tokens,
            session=self._api.session,
            config=self._config,
            connect_options=self._api.connect_options,
            on_event=self._note,
        )
        self.shards[lease.shard] = shard
        try:
            async with shard:
                try:
                    return await shard.run()
                finally:
                    await self._settle(shard, feed, lease)
        finally:
            del self.shards[lease.shard]
            self._changed.set()

    async def _settle(self, shard: Shard, feed: ShardFeed, lease: Lease) -> None:
        """Let the handlers finish, then save what the next run of the shard needs."""
        if unfinished := await feed.drain(self._drain):
            log.warning("shard %s: %d events are unfinished after %g s", lease.shard, unfinished, self._drain)
        state = shard.state()
        if state is not None:
            state = msgspec.structs.replace(state, seq=feed.watermark.low, done=feed.watermark.done)
        try:
            await lease.save(state)
        except LeaseLost:
            log.info("shard %s: another process runs it now, its state is not ours to save", lease.shard)

    def _note(self, event: ShardEvent) -> None:
        self._changed.set()
        self._listener(event)
