"""`RedisSeenIds`, against real servers."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster

from qqbot.config import Credentials
from qqbot.dispatcher.dedupe import SeenIds
from qqbot.errors import ConfigError
from qqbot.redis import circuit_breaker
from qqbot.redis.circuit_breaker import MOST_CALLS
from qqbot.redis.connection import connected
from qqbot.redis.seen_ids import ADD
from qqbot.sessions import RedisSeenIds, sharing
from tests.redis.servers import ENGINES, Engine, Relay, Server, as_cluster, started, until

APP_ID, CLUSTER = "102000001", "main"
EVENT = "GROUP_AT_MESSAGE_CREATE:abc{def}"


def seen_by(client: Redis | RedisCluster) -> RedisSeenIds:
    return RedisSeenIds(client, app_id=APP_ID, cluster=CLUSTER)


@pytest.fixture
async def client(store: Server) -> AsyncGenerator[Redis]:
    async with store.client() as client:
        yield client


@pytest.fixture
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "PAUSE_SECONDS", 0.2)


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_what_one_process_notes_the_others_know(engine: Engine) -> None:
    async with started(engine) as server, server.client() as client, server.client(decode_responses=True) as second:
        here: SeenIds = seen_by(client)
        there = seen_by(second)
        assert not await there.contains(EVENT)
        assert await here.add(EVENT)
        assert await there.contains(EVENT)
        assert not await there.add(EVENT)
        assert not await RedisSeenIds(second, app_id="102000002", cluster=CLUSTER).contains(EVENT)
        await there.discard(EVENT)
        assert not await here.contains(EVENT)
        assert await there.add(EVENT)


async def test_an_id_is_kept_for_ten_minutes(client: Redis) -> None:
    await seen_by(client).add(EVENT)
    (key,) = await client.keys()
    assert key == f"qqbot:{{{APP_ID}:{CLUSTER}}}:d:{EVENT}".encode()
    assert 590 < await client.ttl(key) <= 600


async def test_many_events_at_a_time_need_few_connections(
    store: Server, client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(store.url) as own:
        seen = seen_by(own)
        events = [f"{EVENT}{number}" for number in range(500)]
        assert all(await asyncio.gather(*(seen.add(event) for event in events)))
        assert all(await asyncio.gather(*(seen.contains(event) for event in events)))
        assert len(await client.client_list()) <= 1 + MOST_CALLS
    assert not caplog.records


async def test_an_id_is_new_to_who_sent_it_twice(client: Redis) -> None:
    """The answer was lost, and the library sent the command again."""
    assert await ADD.run(client, ["id"], ["one request", 600]) == 1
    assert await ADD.run(client, ["id"], ["one request", 600]) == 1
    assert await ADD.run(client, ["id"], ["another", 600]) == 0


@pytest.mark.usefixtures("short_pause")
async def test_an_outage_makes_ids_unknown_and_nothing_fails(
    store: Server, client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    seen = seen_by(client)
    await seen.add(EVENT)
    store.kill()
    for _ in range(20):
        assert not await seen.contains(EVENT)
        assert await seen.add(EVENT)
        await asyncio.sleep(0.02)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "handled twice" in caplog.text
    await store.start()
    await until(lambda: back(seen))
    assert caplog.records[-1].levelname == "INFO"


async def back(seen: RedisSeenIds) -> bool:
    """Whether what is noted is known again."""
    await seen.add("probe")
    return await seen.contains("probe")


@pytest.mark.usefixtures("short_pause")
async def test_a_frozen_store_delays_one_event_at_a_time(
    store: Server, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "ANSWER_SECONDS", 0.3)
    seen = seen_by(client)
    await seen.add(EVENT)
    store.freeze()
    began = time.monotonic()
    assert not any(await asyncio.gather(*(seen.contains(EVENT) for _ in range(100))))
    assert all(await asyncio.gather(*(seen.add(f"{EVENT}{number}") for number in range(100))))
    assert time.monotonic() - began < 10, "each of them waited by itself"
    store.thaw()
    await until(lambda: seen.contains(EVENT))
    await until(lambda: back(seen))


@pytest.mark.usefixtures("short_pause")
async def test_forgetting_during_an_outage_is_made_up_for(store: Server) -> None:
    """An event that failed must be handled when it is delivered again, whoever gets it."""
    async with Relay(store) as way, connected(way.url) as client, store.client() as direct:
        here, there = seen_by(client), seen_by(direct)
        await here.add(EVENT)
        await here.add("other")
        way.cut()
        await here.discard(EVENT)
        assert not await here.contains(EVENT) and await there.contains(EVENT)
        way.mend()
        await until(lambda: here.contains("other"))
        assert not await there.contains(EVENT)
        assert await here.add(EVENT) and await here.contains(EVENT)


@pytest.mark.usefixtures("short_pause")
async def test_what_is_noted_again_is_not_forgotten_later(store: Server) -> None:
    async with Relay(store) as way, connected(way.url) as client:
        seen = seen_by(client)
        await seen.add(EVENT)
        way.cut()
        await seen.discard(EVENT)
        assert await seen.add(EVENT)  # delivered again, and finished
        way.mend()
        await until(lambda: back(seen))
        assert await seen.contains(EVENT)


@pytest.mark.parametrize("empties", ["restart", "flush"])
@pytest.mark.usefixtures("short_pause")
async def test_a_store_that_comes_back_empty_has_forgotten(store: Server, client: Redis, empties: str) -> None:
    seen = seen_by(client)
    await seen.add(EVENT)
    if empties == "restart":
        await store.restart(empty=True)
    else:
        await client.flushall()
        await client.script_flush()
    await until(lambda: back(seen))
    assert not await seen.contains(EVENT)
    assert await seen.add(EVENT) and await seen.contains(EVENT)


async def test_a_missing_right_is_an_outage_with_its_own_words(
    store: Server, client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    await client.execute_command("ACL", "SETUSER", "poor", "on", ">p", "~other:*", "+@all")
    async with store.client(username="poor", password="p") as poor:
        assert await seen_by(poor).add(EVENT)
    assert "NoPermission" in caplog.text or "ermission" in caplog.text


class Failing(Redis):
    """Fails two times in a way that the library does not document: for the caller, and for what repeats it."""

    failures = 2

    async def execute_command(self, *command: Any, **options: Any) -> Any:
        if command[0] == "DEL" and self.failures:
            self.failures -= 1
            raise RuntimeError("a bug of the client")
        return await super().execute_command(*command, **options)


async def test_what_waits_is_written_also_after_an_error_that_is_not_expected(store: Server, client: Redis) -> None:
    await seen_by(client).add(EVENT)
    async with (
        Failing.from_url(store.url) as failing,
        sharing(failing, Credentials(APP_ID, "s"), cluster=CLUSTER) as shared,
    ):
        assert shared.seen is not None
        with pytest.raises(RuntimeError):
            await shared.seen.discard(EVENT)
        await until(lambda: none_left(client))


async def none_left(client: Redis) -> bool:
    return not await client.keys()


async def test_in_a_cluster(engine: Engine) -> None:
    async with as_cluster(engine) as servers, RedisCluster(host="127.0.0.1", port=servers[0].port) as client:
        seen = seen_by(client)
        for number in range(5):
            assert await seen.add(f"{EVENT}{number}")
        assert await seen.contains(f"{EVENT}3")
        await seen.discard(f"{EVENT}3")
        assert not await seen.contains(f"{EVENT}3")


def test_a_name_that_breaks_keys_is_refused() -> None:
    with pytest.raises(ConfigError, match="cluster="):
        RedisSeenIds(Redis(), app_id=APP_ID, cluster="a}b")


async def test_what_is_finished_while_the_store_is_away_is_known_afterwards(
    store: Server, client: Redis, short_pause: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Relay(store) as way, connected(way.url) as own:
        here, there = seen_by(own), seen_by(client)
        await here.add("before")
        way.cut()
        for number in range(250):
            assert await here.add(f"e{number}")
        await here.discard("e8")
        assert not await there.contains("e7")
        way.mend()

        async def is_known() -> bool:
            await here.contains("another")
            return await there.contains("e249")

        await until(is_known)
        assert await there.contains("e0") and not await there.contains("e8")
        assert 590 < await client.ttl(f"qqbot:{{{APP_ID}:{CLUSTER}}}:d:e0") <= 600
        monkeypatch.setattr("qqbot.redis.seen_ids.MOST_PENDING", 10)
        way.cut()
        for number in range(100):
            await here.add(f"late{number}")
        assert len(here._pending) == 10


@pytest.mark.usefixtures("short_pause")
async def test_the_last_ids_are_shared_although_no_event_follows(store: Server, client: Redis) -> None:
    async with Relay(store) as way, sharing(way.url, Credentials(APP_ID, "s" * 32), cluster=CLUSTER) as shared:
        assert shared.seen is not None
        way.cut()
        await shared.seen.add(EVENT)
        way.mend()

        async def is_known() -> bool:
            return await seen_by(client).contains(EVENT)

        await until(is_known)
