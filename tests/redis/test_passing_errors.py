"""What passes by itself is waited for, and what a person has to correct is raised, by everything that is shared."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis._parsers.base import BaseParser
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import RedisError

from qqbot import Credentials, RedisLock
from qqbot.redis.connection import connected, is_away
from qqbot.redis.sharing import sharing
from tests.redis.servers import ENGINES, Engine, Relay, Server, started, until

KEPT = 30.0
NAME = "only one"
NOWHERE = ("127.0.0.1", 1)

PASSES = [
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "LOADING Redis is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "READONLY You can't write against a read only replica.",
    "ERR Error running script (call to f_1): @user_script:3: -READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "ERR Error running script (call to f_1): @user_script:3: OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "NOREPLICAS Not enough good replicas to write.",
    "CLUSTERDOWN The cluster is down",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "UNKILLABLE Sorry the script already executed write commands against the dataset.",
    "ERR max number of clients reached",
    "ERR a state that no version has had so far",
]
FINAL = [
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "ERR invalid password",
    "NOPERM this user has no permissions to run the 'eval' command",
    "NOPERM No permissions to access a key",
    "ERR Error running script (call to f_1): @user_script:3: The user executing the script can't run this command",
    "ERR Error running script (call to f_1): @user_script:3: WRONGTYPE Operation against a key",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "ERR unknown command 'EVALSHA', with args beginning with:",
    "ERR Unknown Redis command called from script script: 1, on @user_script:1.",
    "CROSSSLOT Keys in request don't hash to the same slot",
    "ERR DB index is out of range",
]


@pytest.mark.parametrize("text", PASSES)
def test_what_passes(text: str) -> None:
    assert is_away(BaseParser.parse_error(text))


@pytest.mark.parametrize("text", FINAL)
def test_what_a_person_has_to_correct(text: str) -> None:
    assert not is_away(BaseParser.parse_error(text))


def test_connections_that_fail_pass() -> None:
    for error in (Unreachable("Error 13 connecting to /s: Permission denied."), TimeoutError(), OSError("permission")):
        assert is_away(error)


@asynccontextmanager
async def readonly(client: Redis) -> AsyncIterator[None]:
    await client.replicaof(*NOWHERE)
    yield
    await client.replicaof("NO", "ONE")


@asynccontextmanager
async def without_its_master(client: Redis) -> AsyncIterator[None]:
    await client.config_set("replica-serve-stale-data", "no")
    async with readonly(client):
        yield


@asynccontextmanager
async def full(client: Redis) -> AsyncIterator[None]:
    await client.config_set("maxmemory", 1)
    yield
    await client.config_set("maxmemory", 0)


@asynccontextmanager
async def busy(client: Redis) -> AsyncIterator[None]:
    await client.config_set("lua-time-limit", 20)

    async def block() -> None:
        with suppress(RedisError):
            await client.eval("while true do end", 0)

    task = asyncio.create_task(block())
    await asyncio.sleep(0.2)
    yield
    await client.script_kill()
    await task


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
@pytest.mark.parametrize("state", [readonly, without_its_master, full, busy])
async def test_the_lock_outlives_it(
    engine: Engine, state: Callable[[Redis], AbstractAsyncContextManager[None]], caplog: pytest.LogCaptureFixture
) -> None:
    async with started(engine) as server, server.client() as client:
        async with RedisLock(server.url, NAME, ttl=KEPT):
            pass
        async with state(client):
            waiting = asyncio.create_task(RedisLock(server.url, NAME, ttl=KEPT).acquire(timeout=15))
            await asyncio.sleep(0.4)
            assert not waiting.done(), "what passes was raised"
        assert await asyncio.wait_for(waiting, 15)
        assert "waiting until it does" in caplog.text
        await client.delete(NAME)
        lock = RedisLock(server.url, NAME, ttl=6.0)
        await lock.acquire()
        async with state(client):
            await asyncio.sleep(2.5)  # a renewal fails meanwhile, unless the store only lacks memory
            releasing = asyncio.create_task(lock.release())
            await asyncio.sleep(0.3)
        assert not lock.lost.is_set()
        await asyncio.wait_for(releasing, 15)
        assert await client.exists(NAME) == 0


async def test_connections_that_the_server_closed(store: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with (
        store.client() as admin,
        connected(store.url) as client,
        sharing(client, Credentials("1", "s" * 32), cluster="c") as shared,
    ):
        assert shared.seen is not None and shared.tokens is not None
        lock = RedisLock(client, NAME, ttl=KEPT, auto_renew=False)
        for _ in range(3):
            await asyncio.gather(*(shared.seen.add(f"e{number}") for number in range(8)))  # many connections
            await admin.client_kill_filter(_type="normal", skipme=True)
            assert await lock.acquire(blocking=False)
            await admin.client_kill_filter(_type="normal", skipme=True)
            await lock.renew()
            await admin.client_kill_filter(_type="normal", skipme=True)
            await lock.release()
            assert await admin.exists(NAME) == 0
            await admin.client_kill_filter(_type="normal", skipme=True)
            assert await shared.seen.contains("e1")
            await admin.client_kill_filter(_type="normal", skipme=True)
            assert await shared.tokens.load() is None
            await admin.client_kill_filter(_type="normal", skipme=True)
            async with shared.tokens.refreshing() as ours:
                assert ours
                await admin.client_kill_filter(_type="normal", skipme=True)
            assert await admin.keys("*:lock") == []
    assert not caplog.records


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_a_failover_behind_one_address(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """The old master goes on to answer, as a replica, to connections that were open before."""
    async with (
        started(engine) as old,
        started(engine) as new,
        Relay(old) as way,
        old.client() as was,
        new.client() as now,
        sharing(way.url, Credentials("1", "s" * 32), cluster="c") as shared,
    ):
        assert shared.seen is not None
        await shared.seen.add("before")
        async with RedisLock(way.url, NAME, ttl=KEPT) as lock:
            await now.replicaof("127.0.0.1", old.port)

            async def copied() -> bool:
                return bool(await now.exists(NAME))

            await until(copied)
            await now.replicaof("NO", "ONE")
            await was.replicaof("127.0.0.1", new.port)
            way._to = new
            await lock.renew()
            assert await shared.seen.add("after") and not await shared.seen.add("before")
        assert await now.exists(NAME) == 0
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_scripts_that_the_server_forgot(store: Server) -> None:
    async with store.client() as client, RedisLock(store.url, NAME, ttl=KEPT) as lock:
        await client.script_flush()
        await lock.renew()
        await client.script_flush()
    async with store.client() as client:
        assert await client.exists(NAME) == 0


GARBAGE = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([b"", b"9" * 5000, b"1e999", b"nan", b"-1", b"0x10", b"\xff\xfe", b"{" * 20_000, b"x" * 300_000]),
    st.text(max_size=50).map(lambda text: text.encode("utf-8", "replace")),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=GARBAGE, name=st.sampled_from(["token", "token:lock", "d:event", "lock", "fence"]), wrong_type=st.booleans()
)
async def test_values_of_another_program(
    store: Server, caplog: pytest.LogCaptureFixture, value: bytes, name: str, wrong_type: bool
) -> None:
    lock_name = "{l}ock"
    keys = {"lock": lock_name, "fence": f"{lock_name}:f"}
    async with (
        store.client(decode_responses=True) as client,
        sharing(client, Credentials("1", "s" * 32), cluster="c") as shared,
    ):
        await client.flushall()
        key = keys.get(name, f"qqbot:{{1:c}}:{name}")
        await (client.rpush(key, value) if wrong_type else client.set(key, value, ex=60))
        assert shared.tokens is not None and shared.seen is not None
        assert await shared.tokens.load() is None
        async with shared.tokens.refreshing() as ours:
            assert ours or (name == "token:lock" and not wrong_type)
        assert await shared.seen.add("event") is (name != "d:event")
        assert await shared.seen.contains("event")
        lock = RedisLock(client, lock_name, ttl=KEPT)
        if name in ("lock", "fence") and wrong_type:
            with pytest.raises(RedisError, match="WRONGTYPE"):
                await lock.acquire()
        else:
            assert await lock.acquire(blocking=False) is (name != "lock")
            if name != "lock":
                assert 0 < lock.token < 2**53
                await lock.release()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_long_id_takes_little_room(store: Server) -> None:
    async with store.client() as client, sharing(client, Credentials("1", "s" * 32), cluster="c") as shared:
        assert shared.seen is not None
        assert await shared.seen.add("x" * 1_000_000)
        assert not await shared.seen.add("x" * 1_000_000)
        assert await shared.seen.add("x" * 999_999)
        assert max(len(key) for key in await client.keys()) < 400
