"""Nodes of a cluster in this process: session managers with shards that only record what is done to them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from qqbot.config import ShardSelection
from qqbot.errors import LeaseLost
from qqbot.lease import Lease
from qqbot.models.gateway import GatewayBot, ResumeState, SessionStartLimit, ShardExit, ShardKey
from qqbot.sessions import EtcdSessionManager, RedisSessionManager, Timings
from tests import waiting

PATIENCE = 15.0
until = partial(waiting.until, seconds=PATIENCE)
FAST = Timings(renew=0.3, call=0.5, own=1.6, observe=2.0, slack=0.3, window=0.2, permit=0.5, lead=0.2, stop=6.0)


class Platform:
    """What /gateway/bot answers, and how often it was asked."""

    def __init__(self, shards: int | str = 6, *, recommended: int = 1, **limit: int) -> None:
        self.app_id = "1"
        self.selection = ShardSelection.parse(shards)
        self.calls = 0
        self.answer = GatewayBot(
            url="ws://127.0.0.1/",
            shards=recommended,
            session_start_limit=SessionStartLimit(**{"max_concurrency": 100, "reset_after": 60_000, **limit}),
        )

    async def fetch(self) -> GatewayBot:
        self.calls += 1
        await asyncio.sleep(0)
        return self.answer


class Shards:
    """A shard factory. A shard identifies if it has no state, then counts events until it is ended."""

    def __init__(self) -> None:
        self.running: dict[ShardKey, Lease] = {}
        self.live: set[ShardKey] = set()
        self.began_with: list[tuple[ShardKey, ResumeState | None]] = []
        self.identified: list[float] = []
        self.exits: dict[int, ShardExit] = {}
        self.errors: dict[int, Exception] = {}
        self.pace = 0.02
        self.pause_at_end = 0.0
        self.idle = False
        """Nothing happens to the sessions, so that their states stay as they are."""
        self.ready = asyncio.Event()
        self.ready.set()

    async def __call__(self, lease: Lease, info: GatewayBot, state: ResumeState | None) -> ShardExit:
        key = lease.shard
        self.began_with.append((key, state))
        self.running[key] = lease
        try:
            if (error := self.errors.get(key.index)) is not None:
                raise error
            if state is None:
                async with lease.identify_turn():
                    while not (await lease.identify_permit()).usable():
                        pass
                    self.identified.append(time.monotonic())
                    await self.ready.wait()
                state = ResumeState(session_id=f"{key}@{lease.token}", seq=1)
                await lease.save(state)
            if (exit_ := self.exits.pop(key.index, None)) is not None:
                return exit_
            self.live.add(key)
            return await self._count(lease, state)
        except LeaseLost:
            return ShardExit("lost")
        finally:
            self.live.discard(key)
            del self.running[key]

    async def _count(self, lease: Lease, state: ResumeState) -> ShardExit:
        seq = state.seq
        try:
            while True:
                if self.idle:
                    await asyncio.Event().wait()
                seq += 1
                lease.checkpoint(ResumeState(session_id=state.session_id, seq=seq))
                await asyncio.sleep(self.pace)
        finally:
            await asyncio.sleep(self.pause_at_end)
            if lease.valid():
                await lease.save(ResumeState(session_id=state.session_id, seq=seq))

    @property
    def indices(self) -> list[int]:
        """The shards that have a session, under a lease that holds."""
        return sorted(key.index for key in self.live if self.running[key].valid())


class Member:
    """One node: its manager, its shards, and the task in which it runs."""

    def __init__(
        self, manager: RedisSessionManager | EtcdSessionManager, shards: Shards, task: "asyncio.Task[None]"
    ) -> None:
        self.manager = manager
        self.shards = shards
        self.task = task

    @property
    def indices(self) -> list[int]:
        return self.shards.indices

    async def vanish(self) -> None:
        """Die without leaving."""
        self.task.cancel()
        await asyncio.wait([self.task])


@asynccontextmanager
async def joined(url: Any, platform: Platform, shards: Shards | None = None, **options: Any) -> AsyncIterator[Member]:
    """A member while the body runs; afterwards it has left."""
    kind = EtcdSessionManager if isinstance(url, str) and url.startswith("etcd") else RedisSessionManager
    manager = kind(url, **{"timings": FAST, **options})
    shards = shards or Shards()
    member = Member(manager, shards, asyncio.create_task(manager.run(platform, shards)))
    try:
        yield member
    finally:
        await manager.stop(drain=1.0)
        await asyncio.wait([member.task], timeout=PATIENCE)
        assert member.task.done() and not shards.running
        if not member.task.cancelled():
            member.task.exception()  # looked at by the test that expects one
