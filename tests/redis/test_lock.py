"""`RedisLock`, against real servers that die, freeze and forget."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as Unreachable

import qqbot
from qqbot import ConfigError, LockLost, RedisLock
from tests.redis.servers import ENGINES, Engine, Relay, Server, as_cluster, started, until, with_sentinels

PATIENCE = 15.0
TTL = 1.0
KEPT = 30.0  # of a lock that must not be lost, whatever the machine does
NAME = "only one"


@pytest.fixture
async def client(store: Server) -> AsyncGenerator[Redis]:
    async with store.client() as client:
        yield client


async def lost(lock: RedisLock) -> float:
    """When the loss was told."""
    await asyncio.wait_for(lock.lost.wait(), PATIENCE)
    assert not lock.valid()
    return time.monotonic()


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_one_holds_it_at_a_time_and_tokens_grow(engine: Engine) -> None:
    async with started(engine) as server, server.client() as client:
        first, second = RedisLock(client, NAME), RedisLock(server.url, NAME)
        assert await first.acquire() and first.valid()
        assert not await second.acquire(blocking=False)
        assert not second.valid() and second.token == 0
        await first.release()
        assert not first.valid() and not first.lost.is_set()
        assert await second.acquire(blocking=False)
        assert second.token > first.token > 0
        await second.release()
        await client.flushall()
        await client.script_flush()
        assert await first.acquire()
        assert first.token > second.token, "a token that was lost with the data would let an older holder write"
        await first.release()


async def test_waiting_ends_when_it_is_released(client: Redis) -> None:
    first, second = RedisLock(client, NAME, ttl=KEPT), RedisLock(client, NAME, ttl=TTL)
    await first.acquire()
    waiting = asyncio.create_task(second.acquire(timeout=PATIENCE))
    await asyncio.sleep(TTL / 2)
    assert not waiting.done()
    await first.release()
    assert await waiting
    await second.release()


async def test_waiting_ends_at_the_timeout(client: Redis) -> None:
    async with RedisLock(client, NAME):
        began = time.monotonic()
        assert not await RedisLock(client, NAME, ttl=TTL).acquire(timeout=0.3)
        assert time.monotonic() - began < PATIENCE / 2


async def test_a_request_that_came_twice_gets_the_same_token(client: Redis) -> None:
    from qqbot.redis.lock import _FencedLock

    lock = _FencedLock(client, NAME, "f", KEPT)
    assert await lock.do_acquire(lock.owner)
    token = lock.fence
    assert await lock.do_acquire(lock.owner) and lock.fence == token
    assert not await lock.do_acquire("somebody else")


async def test_it_is_renewed_for_as_long_as_it_is_held(client: Redis) -> None:
    async with RedisLock(client, NAME, ttl=2 * TTL) as lock:
        ends_at = time.monotonic() + 3 * TTL
        while time.monotonic() < ends_at:
            assert lock.valid() and not await RedisLock(client, NAME, ttl=TTL).acquire(blocking=False)
            await asyncio.sleep(TTL / 10)


async def test_without_renewal_it_is_lost_before_the_store_gives_it_away(
    client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qqbot.redis.lock.MARGIN", 0.5)  # enough to look at the store meanwhile
    lock = RedisLock(client, NAME, ttl=2 * TTL, auto_renew=False)
    await lock.acquire()
    await asyncio.sleep(TTL / 2)
    renewed = time.monotonic()
    await lock.renew()
    assert await lost(lock) - renewed >= TTL, "it was not held for longer"
    assert await client.pttl(NAME) >= 0, "others could take it while we thought it ours"
    with pytest.raises(LockLost, match=NAME):
        await lock.renew()
    with pytest.raises(LockLost):
        await lock.release()


async def test_it_can_be_taken_again(client: Redis) -> None:
    lock = RedisLock(client, NAME, ttl=TTL, auto_renew=False)
    await lock.acquire()
    await lost(lock)
    with pytest.raises(LockLost):
        await lock.release()
    assert await lock.acquire() and lock.valid() and not lock.lost.is_set()
    with pytest.raises(ConfigError, match="held already"):
        await lock.acquire()
    await lock.release()
    with pytest.raises(LockLost):
        await lock.release()


async def test_what_somebody_else_holds_is_not_released(client: Redis) -> None:
    lock = RedisLock(client, NAME, ttl=PATIENCE)
    await lock.acquire()
    await client.set(NAME, "somebody else")
    with pytest.raises(LockLost):
        await lock.release()
    assert await client.get(NAME) == b"somebody else"


async def test_a_short_silence_of_the_store_is_ridden_out(store: Server, client: Redis) -> None:
    async with RedisLock(client, NAME, ttl=2.0) as lock:
        store.freeze()
        await asyncio.sleep(1.0)
        store.thaw()
        await asyncio.sleep(2.0)
        assert lock.valid() and not lock.lost.is_set()


async def test_a_long_silence_loses_it_and_a_late_answer_revives_nothing(store: Server) -> None:
    async with RedisLock(store.url, NAME, ttl=TTL, cancel_on_lost=False) as lock:
        store.freeze()
        await lost(lock)
        store.thaw()
        with pytest.raises(LockLost):
            await lock.renew()
        await asyncio.sleep(TTL / 2)
        assert not lock.valid()
        async with RedisLock(store.url, NAME, ttl=TTL) as other:
            assert other.token > lock.token
        with pytest.raises(LockLost):
            await lock.release()
        await lock.acquire()


@pytest.mark.parametrize("how", ["killed", "restarted empty", "flushed"])
async def test_the_body_is_cancelled_when_the_store_loses_it(
    store: Server, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    reached = False
    with pytest.raises(LockLost, match="not ours") as raised:
        async with RedisLock(store.url, NAME, ttl=TTL) as lock:
            match how:
                case "killed":
                    store.kill()
                case "restarted empty":
                    await store.restart(empty=True)
                case _:
                    async with store.client() as client:
                        await client.flushall()
            await asyncio.sleep(PATIENCE)
            reached = True
    assert not reached and lock.lost.is_set() and not lock.valid()
    assert "锁" in str(raised.value)
    task = asyncio.current_task()
    assert task is not None and not task.cancelling()
    assert "is not ours" in caplog.text


async def test_another_holder_comes_in_only_after_the_first_has_stopped(store: Server) -> None:
    """The holder cannot reach the store any more, the other can."""
    stopped = 0.0

    async def hold(url: str) -> None:
        nonlocal stopped
        async with RedisLock(url, NAME, ttl=TTL):
            held.set()
            try:
                await asyncio.sleep(PATIENCE)
            finally:
                stopped = time.monotonic()

    held = asyncio.Event()
    async with Relay(store) as way:
        holding = asyncio.create_task(hold(way.url))
        await held.wait()
        way.cut()
        async with RedisLock(store.url, NAME, ttl=TTL):
            assert 0 < stopped < time.monotonic()
        with pytest.raises(LockLost):
            await holding


async def test_a_client_that_breaks_loses_it_at_the_deadline(store: Server, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Redis):
        async def execute_command(self, *arguments: Any, **options: Any) -> object:
            if lock.valid():
                raise RuntimeError("a bug of the client")
            return await super().execute_command(*arguments, **options)

    async with Broken(host="127.0.0.1", port=store.port) as client:
        lock = RedisLock(client, NAME, ttl=2 * TTL)
        with pytest.raises(LockLost):
            async with lock:
                await asyncio.sleep(PATIENCE)
    assert "a bug of the client" in caplog.text


async def test_leaving_during_a_renewal_is_no_loss(store: Server, caplog: pytest.LogCaptureFixture) -> None:
    """The client loses the cancellation that ends the renewal, as the library can below Python 3.12."""

    class Lossy(Redis):
        async def execute_command(self, *arguments: Any, **options: Any) -> object:
            if not lock.valid() or renewing.is_set():
                return await super().execute_command(*arguments, **options)
            renewing.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(PATIENCE)
            return 1

    renewing = asyncio.Event()
    async with Lossy(host="127.0.0.1", port=store.port) as client:
        lock = RedisLock(client, NAME, ttl=6.0)
        async with lock:
            await renewing.wait()
        assert not lock.lost.is_set()
    assert not caplog.records


async def test_the_bodys_own_error_stays(client: Redis) -> None:
    with pytest.raises(KeyError):
        async with RedisLock(client, NAME, ttl=TTL) as lock:
            await client.flushall()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.sleep(PATIENCE)
            assert lock.lost.is_set()
            raise KeyError("its own")


async def test_who_cancels_the_holder_gets_a_cancellation(client: Redis) -> None:
    async def hold() -> None:
        async with RedisLock(client, NAME, ttl=TTL):
            held.set()
            try:
                await asyncio.sleep(PATIENCE)
            finally:
                await client.flushall()
                await asyncio.sleep(2 * TTL)  # lost, too, while it ends

    held = asyncio.Event()
    task = asyncio.create_task(hold())
    await held.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(task), PATIENCE)
    assert not await client.exists(NAME)


async def test_a_body_that_is_not_cancelled_hears_of_the_loss_at_its_end(client: Redis) -> None:
    reached = False
    with pytest.raises(LockLost):
        async with RedisLock(client, NAME, ttl=TTL, cancel_on_lost=False) as lock:
            await client.flushall()
            await lost(lock)
            await asyncio.sleep(0.1)
            reached = True
    assert reached


async def test_a_timeout_in_the_body_is_its_own(client: Redis) -> None:
    with pytest.raises(TimeoutError):
        async with RedisLock(client, NAME, ttl=KEPT), asyncio.timeout(0.1):
            await asyncio.sleep(PATIENCE)
    assert not await client.exists(NAME)


async def test_a_store_that_is_away_at_first_is_waited_for(store: Server, caplog: pytest.LogCaptureFixture) -> None:
    store.kill()
    lock = RedisLock(store.url, NAME, ttl=TTL)
    with pytest.raises(Unreachable):
        await lock.acquire(blocking=False)
    with pytest.raises(Unreachable):
        await lock.acquire(timeout=0.3)
    caplog.clear()
    waiting = asyncio.create_task(lock.acquire())
    await asyncio.sleep(0.5)
    assert not waiting.done()
    assert [record.levelno for record in caplog.records] == [logging.WARNING], "one warning for many attempts"
    await store.start()
    assert await asyncio.wait_for(waiting, PATIENCE)
    await lock.release()


async def test_a_store_that_goes_away_cannot_be_told_and_does_not_hold_us_up(
    store: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with RedisLock(store.url, NAME):
        store.freeze()
    assert "could not be released" in caplog.text
    store.thaw()


async def test_what_waiting_does_not_mend_is_raised(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with started(engine, "--requirepass", "right") as server:
        with pytest.raises(AuthenticationError) as refused:
            await RedisLock(server.url.replace("://", "://:wrong@"), NAME).acquire()
        assert "wrong@" not in f"{refused.value!r} {caplog.text}"
        async with server.client(password="right") as client:
            await client.lpush(NAME, "a list")
            with pytest.raises(ResponseError):
                await RedisLock(client, NAME).acquire()


async def test_giving_up_leaves_nothing_behind(store: Server, client: Redis) -> None:
    async with RedisLock(client, NAME):
        pass  # now the script is known and the connection open: the next request is one write
    store.freeze()
    waiting = asyncio.create_task(RedisLock(client, NAME).acquire())
    await asyncio.sleep(0.3)
    waiting.cancel()
    await asyncio.sleep(0.3)
    store.thaw()  # and carries the request out
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not await client.exists(NAME)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("qqbot")]


async def test_connections_of_its_own_end_with_it(store: Server, client: Redis) -> None:
    async with RedisLock(store.url, NAME):
        assert len(await client.client_list()) == 2
    async with asyncio.timeout(PATIENCE):
        while len(await client.client_list()) > 1:
            await asyncio.sleep(0.01)
    async with RedisLock(client, NAME):
        pass
    assert await client.ping()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("qqbot")]


async def test_it_outlives_a_failover(engine: Engine) -> None:
    async with with_sentinels(engine, down_after=0.5) as watched, RedisLock(watched.url, NAME, ttl=12.0) as lock:
        master = await watched.master()
        replica = next(server for server in watched.servers if server is not master)
        async with replica.client() as client:

            async def copied() -> bool:
                return bool(await client.exists(NAME))

            await until(copied)
            master.kill()
            left = await client.pttl(NAME)
            while (now := await client.pttl(NAME)) <= left:  # until the new master is told of a renewal
                left = now
                assert lock.valid()
                await asyncio.sleep(0.1)
        assert lock.valid() and not await RedisLock(watched.url, NAME, ttl=TTL).acquire(blocking=False)


async def test_in_a_cluster_both_keys_lie_together(engine: Engine) -> None:
    async with as_cluster(engine) as servers:
        client = RedisCluster(host="127.0.0.1", port=servers[0].port)
        async with client:
            for name in ("plain", "with {a tag} in it"):
                async with RedisLock(client, name) as lock:
                    assert lock.token > 0


@pytest.mark.parametrize("name", ["", "a}b", "{}x", "{a", "}{"])
def test_names_that_would_tear_the_keys_apart_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="braces"):
        RedisLock("redis://127.0.0.1", name)


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf")])
def test_a_ttl_is_positive(ttl: float) -> None:
    with pytest.raises(ConfigError, match="ttl"):
        RedisLock("redis://127.0.0.1", NAME, ttl=ttl)


def test_it_is_a_public_name() -> None:
    assert qqbot.RedisLock is RedisLock and "RedisLock" in qqbot.__all__
    with pytest.raises(AttributeError, match="RedisLokc"):
        _ = qqbot.RedisLokc
