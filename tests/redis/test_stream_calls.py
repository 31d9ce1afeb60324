"""Calls of the store for many partitions: how many there are, and stores that want one for each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from qqbot import ConfigError, Envelope, Fence
from qqbot.ingest.source import Partition
from qqbot.redis.connection import connected
from qqbot.redis.stream_calls import Part, PartCalls, PartScript, SharedCalls
from qqbot.redis.stream_source import RedisStreamSource
from qqbot.redis.streams import RedisStreamSink
from qqbot.testing.event_contracts import APP_ID, FIRST, sample
from tests.redis.servers import Engine, Server, as_cluster, until

PARTITIONS = 8
EVENTS = [sample(number, f"key-{number}") for number in range(100)]


async def calls_of(client: Redis, name: str) -> int:
    stats = await client.info("commandstats")
    return sum(stats.get(f"cmdstat_{command}", {}).get("calls", 0) for command in name.split())


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[list[Envelope]]:
    """Read the events while the body runs, all partitions by one worker."""
    received: list[Envelope] = []

    async def work(partition: Partition) -> None:
        while batch := await partition.receive():
            for each in batch:
                received.append(each.envelope)
                partition.done(each)

    source = RedisStreamSource(url, partitions=PARTITIONS)
    run = asyncio.create_task(source.run(APP_ID, work))
    try:
        yield received
    finally:
        await source.stop()
        await asyncio.wait_for(run, 20)


async def arrived(received: list[Envelope], count: int) -> None:
    async with asyncio.timeout(20):
        while len(received) < count:
            await asyncio.sleep(0.01)


async def test_the_url_of_a_cluster_is_asked_for(engine: Engine) -> None:
    async with as_cluster(engine) as servers, RedisStreamSink(servers[0].url, partitions=PARTITIONS) as sink:
        with pytest.raises(ConfigError, match=r"redis\+cluster://"):
            await sink.publish(EVENTS, Fence(None, 0))


async def test_a_batch_for_all_partitions_is_one_call(store: Server) -> None:
    async with store.client() as client, RedisStreamSink(store.url, partitions=PARTITIONS) as sink:
        await sink.publish(EVENTS, Fence(None, 0))
        before = await calls_of(client, "evalsha eval")
        await sink.publish(EVENTS, Fence(None, 0))
        assert await calls_of(client, "evalsha eval") == before + 1
        assert await calls_of(client, "xadd") == 200


async def test_many_events_are_read_and_acknowledged_by_few_calls(store: Server) -> None:
    async with store.client() as client, RedisStreamSink(store.url, partitions=PARTITIONS) as sink:
        async with reading(store.url) as received:
            await sink.publish(EVENTS, Fence(None, 0))
            await arrived(received, 100)
            await until(lambda: calls_of(client, "xlen"))
            before = await calls_of(client, "evalsha xread")
            for _ in range(10):
                await sink.publish(EVENTS, Fence(None, 0))
            await arrived(received, 1100)
        assert await calls_of(client, "evalsha xread") - before < 200, "ten batches are no thousand calls"


async def test_how_much_waits_is_asked_for_all_partitions_at_once(store: Server) -> None:
    async with store.client() as client, reading(store.url):
        await until(lambda: calls_of(client, "xlen"))
        scripts, lengths = [await calls_of(client, name) for name in ("evalsha", "xlen")]
        await asyncio.sleep(2.5)
        lengths = await calls_of(client, "xlen") - lengths
        assert lengths >= PARTITIONS
        assert await calls_of(client, "evalsha") - scripts < lengths, "a call for each partition"


@pytest.mark.parametrize("scheme", ["redis+cluster", "redis"], ids=["client-of-a-cluster", "plain-client"])
async def test_a_store_that_wants_a_call_for_each_partition_gets_it(scheme: str, engine: Engine) -> None:
    """A plain client of a Cluster's only node is refused like one of a proxy in front of a Cluster."""
    async with as_cluster(engine, masters=1) as (server,):
        url = f"{scheme}://127.0.0.1:{server.port}"
        async with RedisStreamSink(url, partitions=PARTITIONS) as sink, reading(url) as received:
            await sink.publish(EVENTS, Fence(FIRST, 1))
            await arrived(received, 100)
            await sink.publish([sample(number, f"key-{number}") for number in range(100, 120)], Fence(FIRST, 1))
            await arrived(received, 120)
        assert {each.id for each in received} == {f"event-{number}" for number in range(120)}
        async with server.client() as client:
            assert await client.keys("*:stream"), "the events were there"
            for key in await client.keys("*:stream"):
                assert await client.xlen(key) == 0, "what is finished is acknowledged"


@pytest.mark.parametrize("protocol", [2, 3])
async def test_answers_of_both_protocols_are_understood(protocol: int, store: Server) -> None:
    url = f"{store.url}?protocol={protocol}"
    async with RedisStreamSink(url, partitions=PARTITIONS) as sink, reading(url) as received:
        for turn in range(3):
            await sink.publish([EVENTS[turn]], Fence(FIRST, 1))
            async with asyncio.timeout(4):  # sooner than a wait of the store that nothing ended
                await arrived(received, turn + 1)


async def test_an_error_is_that_of_all_who_asked(store: Server) -> None:
    script = PartScript("return redis.call('INCR', KEYS[1])")
    async with connected(store.url) as client, SharedCalls(PartCalls(client)) as calls:
        await client.set("text", "no number")
        ends = await asyncio.gather(
            *(calls.run(script, Part([key], ()), again=False) for key in ("text", "other")), return_exceptions=True
        )
        assert [type(end) for end in ends] == [ResponseError, ResponseError]
        assert await calls.run(script, Part(["other"], ()), again=False) >= 1, "the next call is one of its own"


@pytest.mark.parametrize("seconds", [0, 0.1], ids=["at-once", "later"])
async def test_what_is_watched_no_longer_stops_no_other(
    seconds: float, store: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qqbot.redis.stream_calls.BLOCK_SECONDS", 0.5)
    async with connected(store.url) as client, SharedCalls(PartCalls(client)) as calls:
        given_up = calls.watch("one", "0-0")
        if seconds:
            await asyncio.sleep(seconds)
        given_up.set_result(None)
        await asyncio.sleep(0.6)
        for name in ("one", "two"):
            watched = calls.watch(name, "0-0")
            await client.xadd(name, {"a": "b"})
            await asyncio.wait_for(watched, 5)


async def test_news_of_one_stream_wake_no_other(store: Server) -> None:
    async with connected(store.url) as client, SharedCalls(PartCalls(client)) as calls:
        one, two = calls.watch("one", "0-0"), calls.watch("two", "0-0")
        await client.xadd("one", {"a": "b"})
        await asyncio.wait_for(one, 5)
        assert not two.done()
        await client.xadd("two", {"a": "b"})
        await asyncio.wait_for(two, 5)
