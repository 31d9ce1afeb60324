"""`RedisTokenStore` and those who share a token through it, against real servers."""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web
from redis.asyncio import Redis, RedisCluster

from qqbot import Api, Credentials
from qqbot.api import token as token_module
from qqbot.api.token import SharedToken, TokenStore
from qqbot.errors import ConfigError, ConnectionFailed, ServerError
from qqbot.redis import circuit_breaker
from qqbot.redis.connection import connected
from qqbot.redis.token_store import Seal
from qqbot.sessions import RedisTokenStore, sharing
from tests.api.scripted import APP_ID, SECRET, ManualClock, Scripted, cut, reply
from tests.redis.servers import ENGINES, Engine, Relay, Server, as_cluster, started, until

CREDENTIALS = Credentials(APP_ID, SECRET)
CLUSTER = "main"
KEY = f"qqbot:{{{APP_ID}:{CLUSTER}}}:token"
PATIENCE = 15.0
PROCESSES = 10


@pytest.fixture
async def platform() -> AsyncGenerator[Scripted]:
    async with Scripted() as scripted:
        yield scripted


@pytest.fixture
async def client(store: Server) -> AsyncGenerator[Redis]:
    async with store.client() as client:
        yield client


def store_by(client: Redis | RedisCluster) -> RedisTokenStore:
    return RedisTokenStore(client, CREDENTIALS, cluster=CLUSTER)


@asynccontextmanager
async def processes(
    platform: Scripted, url: str, count: int = PROCESSES, *, clock: ManualClock | None = None
) -> AsyncIterator[list[Api]]:
    """What `count` processes have: each its own connections and its own client of the platform."""
    async with AsyncExitStack() as stack:
        apis: list[Api] = []
        for _ in range(count):
            client = await stack.enter_async_context(connected(url))
            apis.append(await stack.enter_async_context(platform.api(clock, token_store=store_by(client))))
        yield apis


async def tokens(apis: list[Api]) -> set[str]:
    async with asyncio.timeout(PATIENCE):
        return set(await asyncio.gather(*(api.tokens.get() for api in apis)))


async def slow(request: web.Request) -> web.StreamResponse:
    """A token that takes its time: whoever does not wait for it asks as well."""
    await asyncio.sleep(0.5)
    return await reply({"access_token": "slow-token", "expires_in": "7200"})(request)


# One token for all


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_ten_processes_make_one_request(platform: Scripted, engine: Engine) -> None:
    platform.token_answers.append(slow)
    async with started(engine) as server, processes(platform, server.url) as apis:
        assert await tokens(apis) == {"slow-token"}
        async with processes(platform, server.url, 2) as late:
            assert await tokens(late) == {"slow-token"}
    assert len(platform.token_calls) == 1


async def test_it_is_renewed_once_for_all_and_nobody_waits(platform: Scripted, store: Server, client: Redis) -> None:
    clock = ManualClock()
    async with processes(platform, store.url, clock=clock) as apis:
        assert await tokens(apis) == {"token-1-secret"}
        assert 7190 < await client.ttl(KEY) <= 7200
        await client.expire(KEY, 49)
        clock.now += 7200 - 49
        platform.token_answers.append(slow)
        assert await tokens(apis) == {"token-1-secret"}, "the old one is good meanwhile"

        async def renewed() -> bool:
            return await tokens(apis) == {"slow-token"}

        await until(renewed)
    assert len(platform.token_calls) == 2


async def test_a_token_that_was_refused_is_replaced_for_all(platform: Scripted, store: Server) -> None:
    async with processes(platform, store.url, 3) as apis:
        await tokens(apis)
        for api in apis:  # each of them learns it from the platform by itself
            api.tokens.invalidate("token-1-secret")
            assert await api.tokens.get() == "token-2-secret"
    assert len(platform.token_calls) == 2


async def test_who_dies_while_it_fetches_holds_the_others_up_for_no_longer_than_its_lock(
    platform: Scripted, store: Server, client: Redis
) -> None:
    await client.set(f"{KEY}:lock", "a dead process", px=700)
    async with processes(platform, store.url, 5) as apis:
        began = time.monotonic()
        assert await tokens(apis) == {"token-1-secret"}
        assert time.monotonic() - began > 0.6
    assert len(platform.token_calls) == 1
    assert not await client.exists(f"{KEY}:lock")


async def test_nobody_waits_for_ever(
    platform: Scripted, store: Server, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_module, "OTHERS", 0.3)
    await client.set(f"{KEY}:lock", "a process that hangs")
    async with processes(platform, store.url, 1) as apis:
        await tokens(apis)
    assert await client.get(f"{KEY}:lock") == b"a process that hangs"


async def test_a_fetch_that_fails_lets_the_next_one_try(platform: Scripted, store: Server) -> None:
    platform.token_answers.append(reply({"code": 100002, "message": "down"}))
    async with processes(platform, store.url, 3) as apis:
        answers = await asyncio.gather(*(api.tokens.get() for api in apis), return_exceptions=True)
    assert [type(answer) for answer in answers].count(ServerError) == 1
    assert answers.count("token-2-secret") == 2
    assert len(platform.token_calls) == 2


async def test_a_client_that_is_closed_gives_the_right_back(platform: Scripted, store: Server, client: Redis) -> None:
    platform.token_answers.append(slow)
    async with processes(platform, store.url, 1) as (api,):
        waiting = asyncio.create_task(api.tokens.get())
        async with asyncio.timeout(PATIENCE):
            while not platform.token_calls:
                await asyncio.sleep(0.01)
        assert await client.exists(f"{KEY}:lock")
    with pytest.raises(ConnectionFailed):
        await waiting
    assert not await client.exists(f"{KEY}:lock")


# The store is not what it was


async def test_an_outage_lets_each_fetch_its_own(
    platform: Scripted, store: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with processes(platform, store.url, 2) as apis:
        store.kill()
        assert await tokens(apis) == {"token-1-secret", "token-2-secret"}
        assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"], "one of each"
        assert "fetches its own access token" in caplog.text


async def test_a_frozen_store_costs_a_second(
    platform: Scripted, store: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "ANSWER_SECONDS", 1.0)
    async with processes(platform, store.url, 1) as apis:
        store.freeze()
        began = time.monotonic()
        await tokens(apis)
        assert time.monotonic() - began < 8
        store.thaw()


@pytest.mark.parametrize("empties", ["restart", "flush"])
async def test_after_a_loss_the_next_who_needs_one_fetches_it(
    platform: Scripted, store: Server, client: Redis, monkeypatch: pytest.MonkeyPatch, empties: str
) -> None:
    monkeypatch.setattr(circuit_breaker, "PAUSE_SECONDS", 0.1)
    async with processes(platform, store.url, 2) as apis:
        assert await tokens(apis) == {"token-1-secret"}
        if empties == "restart":
            await store.restart(empty=True)
        else:
            await client.flushall()
            await client.script_flush()
        assert await tokens(apis) == {"token-1-secret"}, "who has one keeps it"
        async with processes(platform, store.url, 3) as late:
            assert await tokens(late) == {"token-2-secret"}
    assert len(platform.token_calls) == 2


async def test_a_cut_in_the_middle_of_a_fetch(platform: Scripted, store: Server) -> None:
    async with Relay(store) as way, processes(platform, way.url, 1) as (api,):

        async def cut_off(request: web.Request) -> web.StreamResponse:
            way.cut()
            return await reply({"access_token": "mine", "expires_in": "7200"})(request)

        platform.token_answers.append(cut_off)
        assert await api.tokens.get() == "mine"


async def test_an_outage_of_the_platform_is_no_outage_of_the_store(
    platform: Scripted, store: Server, caplog: pytest.LogCaptureFixture
) -> None:
    platform.token_answers.append(cut)
    async with processes(platform, store.url, 1) as apis:
        with pytest.raises(ConnectionFailed):
            await tokens(apis)
        assert await tokens(apis) == {"token-2-secret"}
    assert "fetches its own" not in caplog.text


# What the store sees


async def test_neither_secret_nor_token_reaches_the_store(platform: Scripted, store: Server, client: Redis) -> None:
    seen: list[str] = []

    async def watch() -> None:
        async with client.monitor() as monitor:
            watching.set()
            while True:
                seen.append(str(await monitor.next_command()))

    watching = asyncio.Event()
    watcher = asyncio.create_task(watch())
    await watching.wait()
    async with processes(platform, store.url, 2) as apis:
        await tokens(apis)
        for api in apis:
            api.tokens.invalidate("token-1-secret")
        await tokens(apis)
    async with asyncio.timeout(PATIENCE):
        while not any("SET" in command and KEY in command for command in seen):
            await asyncio.sleep(0.01)
    watcher.cancel()
    await asyncio.wait([watcher])
    text = " ".join(seen)
    assert len(seen) > 10 and SECRET not in text
    assert "token-1-secret" not in text and "token-2-secret" not in text


def test_the_seal_opens_for_the_same_secret_and_place_only() -> None:
    sealed = Seal(CREDENTIALS).close("a token", KEY)
    assert "a token" not in sealed and sealed != Seal(CREDENTIALS).close("a token", KEY)
    assert Seal(CREDENTIALS).open(sealed, KEY) == "a token" == Seal(CREDENTIALS).open(sealed.encode(), KEY)
    assert Seal(CREDENTIALS).open(sealed, KEY + "x") is None
    assert Seal(Credentials(APP_ID, "another-secret")).open(sealed, KEY) is None
    assert Seal(Credentials("102000002", SECRET)).open(sealed, KEY) is None
    for forged in ("", "a token", sealed[:-4], sealed[:8] + "AAAA" + sealed[12:], "ä"):
        assert Seal(CREDENTIALS).open(forged, KEY) is None


def test_the_seal_is_the_documented_one() -> None:
    """ChaCha20-Poly1305 under HKDF-SHA256(secret, salt = AppID, info = qqbot-token-v1), with the key's name."""
    import base64

    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    key = HKDF(SHA256(), 32, APP_ID.encode(), b"qqbot-token-v1").derive(SECRET.encode())
    data = base64.b64decode(Seal(CREDENTIALS).close("a token", KEY))
    assert ChaCha20Poly1305(key).decrypt(data[:12], data[12:], KEY.encode()) == b"a token"


async def test_what_another_bot_sealed_is_not_used(
    platform: Scripted, store: Server, client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = RedisTokenStore(client, Credentials(APP_ID, "another-secret"), cluster=CLUSTER)
    await foreign.save(SharedToken("foreign", 7200))
    async with processes(platform, store.url, 1) as apis:
        assert await tokens(apis) == {"token-1-secret"}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "AppSecret" in caplog.text


async def test_its_life_is_that_of_the_key(client: Redis) -> None:
    shared: TokenStore = store_by(client)
    assert await shared.load() is None
    await shared.save(SharedToken("a token", 0.3))
    found = await shared.load()
    assert found is not None and found.value == "a token" and 0 < found.seconds <= 0.3
    assert "a token" not in repr(found)
    await asyncio.sleep(0.35)
    assert await shared.load() is None
    await shared.save(SharedToken("over", 0))
    assert not await client.exists(KEY)


async def test_one_at_a_time_may_refresh(client: Redis) -> None:
    one, other = store_by(client), store_by(client)
    async with one.refreshing() as ours:
        assert ours and 0 < await client.pttl(f"{KEY}:lock") <= 10_000
        async with other.refreshing() as theirs:
            assert not theirs
        async with other.refreshing() as theirs:
            assert not theirs, "who did not have it does not give it back"
    async with other.refreshing() as theirs:
        assert theirs


async def test_in_a_cluster_and_with_decoded_answers(engine: Engine) -> None:
    async with as_cluster(engine) as servers:
        client = RedisCluster(host="127.0.0.1", port=servers[0].port, decode_responses=True)
        async with client:
            shared = store_by(client)
            async with shared.refreshing() as ours:
                assert ours
                await shared.save(SharedToken("a token", 60))
            found = await shared.load()
            assert found is not None and found.value == "a token"


# Options


async def test_without_cryptography_each_fetches_its_own_and_one_line_says_so(
    store: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with sharing(store.url, CREDENTIALS, cluster=CLUSTER) as shared:
        assert shared.tokens is not None and shared.seen is not None
    assert not caplog.records
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    async with sharing(store.url, CREDENTIALS, cluster=CLUSTER) as shared:
        assert shared.tokens is None and shared.seen is not None
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "aioqqbot[crypto]" in caplog.text


async def test_a_source_of_ones_own_shares_by_itself(client: Redis) -> None:
    class Source:
        async def get(self) -> str:
            return "x"

        def invalidate(self, token: str) -> None: ...

    with pytest.raises(ConfigError, match="token_store"):
        Api(CREDENTIALS, token=Source(), token_store=store_by(client))
