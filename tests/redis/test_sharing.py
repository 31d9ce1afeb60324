"""What the processes of one bot share besides shards, as the bot itself uses it."""

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import pytest

from qqbot import Bot, Context, Credentials, GroupAtMessageCreate, RedisLock
from qqbot.bot.runtime import Sharing
from qqbot.models.ingest import Envelope
from qqbot.redis import circuit_breaker
from qqbot.redis.sharing import Shared
from qqbot.sessions import LocalSessionManager, sharing
from tests.api.scripted import APP_ID, SECRET, Scripted
from tests.redis.servers import ENGINES, Engine, Server, started

CREDENTIALS = Credentials(APP_ID, SECRET)


class Meeting(LocalSessionManager):
    """A manager whose processes meet in a store."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def sharing(self, credentials: Credentials) -> AbstractAsyncContextManager[Shared]:
        return sharing(self.url, credentials, cluster="main")


@pytest.fixture
async def platform() -> AsyncGenerator[Scripted]:
    async with Scripted() as scripted:
        yield scripted


class Process:
    """One of several that handle the events of a bot: it notes what its handler got."""

    def __init__(self, sessions: LocalSessionManager) -> None:
        self.bot = bot = Bot(CREDENTIALS, sessions=sessions)
        self.handled: list[str] = []

        @bot.on
        async def note(ctx: Context[GroupAtMessageCreate]) -> None:
            self.handled.append(ctx.event.id)


@asynccontextmanager
async def processes(platform: Scripted, url: str, count: int = 2) -> AsyncGenerator[list[Process]]:
    async with AsyncExitStack() as stack:
        running = [Process(Meeting(url)) for _ in range(count)]
        for process in running:
            await stack.enter_async_context(process.bot.serve(endpoints=platform.endpoints, connect=False))
        yield running


def event(number: int) -> Envelope:
    name, event_id = "GROUP_AT_MESSAGE_CREATE", f"GROUP_AT_MESSAGE_CREATE:{number}"
    data = {
        "id": f"message-{number}",
        "content": "hello",
        "group_openid": "G1",
        "author": {"member_openid": "M1"},
        "timestamp": "2026-11-06T13:37:18+08:00",
    }
    raw = json.dumps({"op": 0, "s": number, "t": name, "id": event_id, "d": data}).encode()
    return Envelope(id=event_id, type=name, shard=0, session="s", seq=number, key="G1", ts=0, raw=raw)


def test_a_manager_that_shares_is_known_by_its_method() -> None:
    assert isinstance(Meeting(""), Sharing)
    assert not isinstance(LocalSessionManager(), Sharing)


async def test_an_event_is_handled_by_one_process(platform: Scripted, store: Server) -> None:
    async with processes(platform, store.url) as (one, other):
        assert await one.bot.handle(event(1)) == "handled"
        assert await other.bot.handle(event(1)) == "unwanted"
        assert await other.bot.handle(event(2)) == "handled"
    assert one.handled == ["message-1"] and other.handled == ["message-2"]


async def test_processes_share_one_token(platform: Scripted, store: Server) -> None:
    async with processes(platform, store.url, 3) as running:
        for process in running:
            assert await process.bot.api.tokens.get() == "token-1-secret"
    assert len(platform.token_calls) == 1


async def test_a_source_of_ones_own_is_left_alone(platform: Scripted, store: Server) -> None:
    class Source:
        async def get(self) -> str:
            return "mine"

        def invalidate(self, token: str) -> None: ...

    bot = Bot(CREDENTIALS, sessions=Meeting(store.url), token=Source())
    async with bot.serve(endpoints=platform.endpoints, connect=False):
        assert await bot.api.tokens.get() == "mine"


async def test_an_outage_costs_no_event(
    platform: Scripted, store: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "PAUSE_SECONDS", 0.2)
    async with processes(platform, store.url) as (one, other):
        await one.bot.handle(event(1))
        store.kill()
        for number in range(2, 30):
            assert await one.bot.handle(event(number)) == "handled"
        assert await other.bot.handle(event(2)) == "handled"
        await other.bot.api.tokens.get()
    assert one.handled == [f"message-{number}" for number in range(1, 30)]
    assert other.handled == ["message-2"], "an id that cannot be looked up is new"
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warned) == 3, "one for each thing that each process misses"


async def test_a_store_that_is_away_at_first_holds_nobody_up(platform: Scripted, store: Server) -> None:
    store.kill()
    async with processes(platform, store.url, 1) as (one,):
        assert await one.bot.handle(event(1)) == "handled"
        assert await one.bot.api.tokens.get() == "token-1-secret"


async def test_nothing_is_left_when_the_bot_has_stopped(platform: Scripted, store: Server) -> None:
    async with store.client() as client:
        async with processes(platform, store.url, 2) as (one, _):
            await one.bot.handle(event(1))
            assert len(await client.client_list()) >= 2
        for _ in range(100):
            if len(await client.client_list()) == 1:
                return
    pytest.fail("a connection to the store is still open")


RIGHTS = ["get", "set", "del", "exists", "pttl", "pexpire", "time", "evalsha", "eval"]


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_the_rights_that_the_docs_name_are_enough(
    platform: Scripted, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    async with started(engine) as store, store.client() as client:
        rules = ["on", ">p", "resetkeys", "~qqbot:*", "-@all", *(f"+{right}" for right in RIGHTS)]
        await client.execute_command("ACL", "SETUSER", "bot", *rules)
        url = store.url.replace("://", "://bot:p@")
        async with processes(platform, url) as (one, other):
            assert await one.bot.handle(event(1)) == "handled"
            await other.bot.handle(event(1))
            assert await one.bot.api.tokens.get() == await other.bot.api.tokens.get()
            async with RedisLock(url, "qqbot:{lock}") as lock:
                await lock.renew()
    assert other.handled == [] and len(platform.token_calls) == 1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
