"""`RedisSessionManager` keeps the contract of session managers, on a server of its own for each test."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from qqbot.sessions import RedisSessionManager
from qqbot.testing import SessionManagerContract
from qqbot.testing.contracts import MakeManager
from tests.sessions.cluster import FAST
from tests.sessions.servers import default_engine, started


class TestRedis(SessionManagerContract):
    window = FAST.window
    keeps_state = True
    shares = True
    stop_within = FAST.stop + 1.0
    patience = 40.0

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[MakeManager]:
        async with started(default_engine()) as store:
            yield lambda: RedisSessionManager(store.url, timings=FAST)
