"""Redis Streams as a broker, on real servers: both contracts, and what only a store can do to them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trustme
from redis.asyncio import Redis

from qqbot import ConfigError, Envelope, Fence, QQBotError
from qqbot.redis.connection import Client
from qqbot.redis.stream_calls import Part
from qqbot.redis.stream_source import BEAT, DONE, READ, RedisStreamSource
from qqbot.redis.streams import RedisStreamSink, decode_envelope
from qqbot.testing import EventSinkContract, EventSourceContract
from qqbot.testing.event_contracts import APP_ID, FIRST, MakeSink, MakeSource, Publish, ReadStored, sample
from tests.ingest.reader import Reader
from tests.redis.servers import ENGINES, Engine, Relay, Server, started, until

PARTITIONS = 4


async def stored(url: str) -> list[Envelope]:
    async with Redis.from_url(url) as client:
        found = []
        for index in range(PARTITIONS):
            entries = await client.xrange(f"qqbot:{{{APP_ID}:events:{index}}}:stream")
            found += [(entry_id, decode_envelope(fields[b"e"])) for entry_id, fields in entries]
        return [envelope for _, envelope in sorted(found, key=lambda pair: tuple(map(int, pair[0].split(b"-"))))]


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
class TestRedisStreamSink(EventSinkContract):
    @pytest.fixture(autouse=True)
    def _engine(self, engine: Engine) -> None:
        self.engine = engine

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSink, ReadStored]]:
        async with started(self.engine) as server:

            async def read() -> Sequence[Envelope]:
                return await stored(server.url)

            yield lambda: RedisStreamSink(server.url, partitions=PARTITIONS), read


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
class TestRedisStreamSource(EventSourceContract):
    @pytest.fixture(autouse=True)
    def _engine(self, engine: Engine) -> None:
        self.engine = engine

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSource, Publish]]:
        async with started(self.engine) as server, RedisStreamSink(server.url, partitions=PARTITIONS) as sink:

            async def publish(batch: Sequence[Envelope]) -> None:
                await sink.publish(batch, Fence(None, 0))

            yield lambda: RedisStreamSource(server.url, partitions=PARTITIONS, ttl=4), publish


@asynccontextmanager
async def read(url: str, *, ttl: float = 2.0) -> AsyncIterator[Reader]:
    reader, source = Reader(), RedisStreamSource(url, partitions=PARTITIONS, ttl=ttl)
    run = asyncio.create_task(source.run(APP_ID, reader))
    try:
        yield reader
    finally:
        reader.open.set()
        await source.stop()
        await asyncio.wait_for(run, 20)


def sink(url: str, *, max_length: int = 100_000) -> RedisStreamSink:
    return RedisStreamSink(url, partitions=PARTITIONS, max_length=max_length)


async def test_a_full_stream_refuses_and_loses_nothing(store: Server) -> None:
    async with sink(store.url, max_length=40) as small:
        for number in range(10):
            await small.publish([sample(number)], Fence(FIRST, 1))
        with pytest.raises(QQBotError, match="full"):
            await small.publish([sample(10)], Fence(FIRST, 1))
        assert [envelope.id for envelope in await stored(store.url)] == [f"event-{number}" for number in range(10)]
        async with read(store.url) as reader:
            await until(lambda: _true(len(reader.ids) == 10))
            async with asyncio.timeout(10):
                while True:
                    try:
                        await small.publish([sample(10)], Fence(FIRST, 1))
                        break
                    except QQBotError:
                        await asyncio.sleep(0.05)
            await until(lambda: _true(len(reader.ids) == 11))


async def test_a_batch_larger_than_the_stream_goes_into_an_empty_one(store: Server) -> None:
    async with sink(store.url, max_length=40) as small:
        await small.publish([sample(number) for number in range(50)], Fence(FIRST, 1))
    assert len(await stored(store.url)) == 50


async def test_an_answer_that_was_lost_stores_nothing_twice(store: Server) -> None:
    async with sink(store.url) as streams:
        for _ in range(3):
            await streams.publish([sample(1), sample(2)], Fence(FIRST, 1))
        await streams.publish([sample(2), sample(3)], Fence(FIRST, 1))
    assert [envelope.id for envelope in await stored(store.url)] == ["event-1", "event-2", "event-2", "event-3"]


async def test_a_worker_that_may_not_acknowledge_ends(store: Server) -> None:
    async with store.client() as client, sink(store.url) as streams:
        await client.execute_command("ACL", "SETUSER", "poor", "on", ">p", "~*", "+@all", "-xack")
        source = RedisStreamSource(store.url.replace("://", "://poor:p@"), partitions=PARTITIONS, ttl=2)
        await streams.publish([sample(1)], Fence(FIRST, 1))
        with pytest.raises(ConfigError, match=r"refuses us.*xack"):
            await asyncio.wait_for(source.run(APP_ID, Reader()), 10)
        async with read(store.url) as reader:
            await until(lambda: _true(len(reader.ids) == 1))
            assert reader.received[0].deliveries > 1


@pytest.mark.parametrize("right", ["xadd", "set", "evalsha"])
async def test_a_sink_without_a_right_says_so(store: Server, right: str) -> None:
    async with store.client() as client:
        await client.execute_command("ACL", "SETUSER", "poor", "on", ">p", "~*", "+@all", f"-{right}")
    async with sink(store.url.replace("://", "://poor:p@")) as streams:
        with pytest.raises(ConfigError, match=rf"refuses us.*{right}.*rights"):
            await streams.publish([sample(1)], Fence(FIRST, 1))


async def test_keys_of_another_program_are_named(store: Server) -> None:
    async with store.client() as client, sink(store.url) as streams:
        await client.set(f"qqbot:{{{APP_ID}:events}}:partitions", "other")
        with pytest.raises(ConfigError, match="have other partitions"):
            await streams.publish([sample(1)], Fence(FIRST, 1))
        await client.flushall()
        for index in range(PARTITIONS):
            await client.set(f"qqbot:{{{APP_ID}:events:{index}}}:stream", "other")
        with pytest.raises(ConfigError, match=r"refuses us.*WRONGTYPE.*nothing else writes"):
            await streams.publish([sample(1)], Fence(FIRST, 1))
        with pytest.raises(ConfigError, match="WRONGTYPE"):
            await asyncio.wait_for(RedisStreamSource(store.url, partitions=PARTITIONS).run(APP_ID, Reader()), 10)


async def test_a_certificate_of_another_authority_is_refused() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context) as server:
        url = f"rediss://localhost:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ConfigError, match=r"not trusted.*ssl_ca_certs"):
            async with sink(url):
                pass
        with pytest.raises(ConfigError, match=r"not trusted.*ssl_ca_certs"):
            await asyncio.wait_for(RedisStreamSource(url).run(APP_ID, Reader()), 10)


async def test_an_outage_is_logged_once_and_not_for_each_partition(
    store: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with read(store.url, ttl=1) as reader:
        async with asyncio.timeout(20):
            while len(reader.partitions) < PARTITIONS:
                await asyncio.sleep(0.01)
        store.kill()
        await until(lambda: _true(caplog.text.count("is not ours") >= PARTITIONS))
    for words in ("waiting until it does", "could not be renewed", "could not be released"):
        assert caplog.text.count(words) == 1, words


async def test_a_store_that_is_away_at_the_start_is_logged_once(
    store: Server, caplog: pytest.LogCaptureFixture
) -> None:
    store.kill()
    async with read(store.url):
        await until(lambda: _true("waiting until it does" in caplog.text))
        await asyncio.sleep(0.3)
    assert caplog.text.count("waiting until it does") == 1


async def test_acknowledging_goes_on_after_an_error_that_is_not_expected(
    store: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        failures = 0

        async def run(self, client: Client, parts: Sequence[Part]) -> Any:
            if not self.failures:
                self.failures += 1
                raise RuntimeError("a bug of the client")
            return await DONE.run(client, parts)

    script = Failing()
    monkeypatch.setattr("qqbot.redis.stream_source.DONE", script)
    async with sink(store.url) as streams, read(store.url) as reader:
        await streams.publish([sample(1)], Fence(FIRST, 1))
        await until(lambda: _true(script.failures))
        await streams.publish([sample(2)], Fence(FIRST, 1))
        await until(lambda: none_stored(store.url))
        assert reader.ids == ["event-1", "event-2"]


async def test_a_restart_of_the_store_loses_nothing(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    async with started(engine, "--appendonly", "yes", "--appendfsync", "always") as server, sink(server.url) as streams:
        async with read(server.url) as reader:
            await streams.publish([sample(number, f"key-{number}") for number in range(20)], Fence(FIRST, 1))
            await until(lambda: _true(len(reader.ids) == 20))
            reader.open.clear()
            await streams.publish([sample(20, "key"), sample(21, "key")], Fence(FIRST, 1))
            await until(lambda: _true(len(reader.ids) == 22))
            await server.restart()
            reader.open.set()
            await until(lambda: published(streams, sample(22, "key")))
            await until(lambda: _true("event-22" in reader.ids))
        assert set(reader.ids) == {f"event-{number}" for number in range(23)}
        assert await stored(server.url) == [], "what was finished is acknowledged"


async def test_a_store_that_lost_its_data_is_used_again(engine: Engine) -> None:
    async with started(engine) as server, sink(server.url) as streams, read(server.url) as reader:
        await streams.publish([sample(1)], Fence(FIRST, 1))
        await until(lambda: _true(reader.ids == ["event-1"]))
        await server.restart(empty=True)
        await until(lambda: published(streams, sample(2)))
        await until(lambda: _true("event-2" in reader.ids))


async def test_a_store_that_is_away_at_the_start_is_waited_for(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    async with started(engine) as server:
        server.kill()
        async with sink(server.url) as streams, read(server.url) as reader:
            await until(lambda: _true(caplog.text.count("does not answer, waiting until it does") >= 2))
            await server.start()
            await until(lambda: published(streams, sample(1)))
            await until(lambda: _true(reader.ids == ["event-1"]))
        assert f"127.0.0.1:{server.port}" in caplog.text


async def test_no_worker_is_without_a_partition_while_another_has_two_more(store: Server) -> None:
    def held(reader: Reader) -> int:
        return sum(partition.lease.valid() for partition in reader.partitions)

    async with read(store.url) as one, read(store.url) as two, read(store.url) as three:
        await until(lambda: _true(sorted(map(held, (one, two, three))) == [1, 1, 2]))


async def test_one_that_ends_moves_no_partition_of_the_others(store: Server) -> None:
    def valid(reader: Reader) -> int:
        return sum(partition.lease.valid() for partition in reader.partitions)

    async with AsyncExitStack() as last:
        async with read(store.url, ttl=1) as one:
            await until(lambda: _true(valid(one) == 4))
            two = await last.enter_async_context(read(store.url, ttl=1))
            await until(lambda: _true((valid(one), valid(two)) == (2, 2)))
            three = await last.enter_async_context(read(store.url, ttl=1))
            await until(lambda: _true((valid(one), valid(two), valid(three)) == (2, 1, 1)))
        await until(lambda: _true((valid(two), valid(three)) == (2, 2)))
        assert [len(reader.partitions) for reader in (one, two, three)] == [4, 3, 2]


async def test_a_worker_that_was_silent_for_its_ttl_is_the_last(store: Server) -> None:
    async with Redis.from_url(store.url) as client:

        async def beat(worker: str) -> list[int]:
            found: list[int] = await BEAT.run(client, ["{bot}:workers", "{bot}:began"], [worker, 600])
            return found

        assert await beat("z") == [1, 0]
        await asyncio.sleep(0.01)
        assert await beat("a") == [2, 1]
        assert await beat("z") == [2, 0]
        await asyncio.sleep(0.35)
        assert await beat("a") == [2, 1]
        await asyncio.sleep(0.3)
        assert await beat("a") == [1, 0]
        await asyncio.sleep(0.01)
        assert await beat("z") == [2, 1]


async def test_an_owner_that_is_cut_off_loses_its_partitions(store: Server) -> None:
    async with Relay(store) as relay, sink(store.url) as streams, read(relay.url) as lonely:
        await streams.publish([sample(number, f"key-{number}") for number in range(20)], Fence(FIRST, 1))
        lonely.open.clear()
        await until(lambda: _true(len(lonely.ids) == 20))
        relay.cut()
        async with read(store.url) as following:
            await until(lambda: _true(len(following.ids) == 20))
            assert not any(partition.lease.valid() for partition in lonely.partitions)
            assert {received.deliveries for received in following.received} == {2}
        relay.mend()


async def test_what_is_no_event_is_put_aside(store: Server, caplog: pytest.LogCaptureFixture) -> None:
    key = f"qqbot:{{{APP_ID}:events:0}}"
    async with Redis.from_url(store.url) as client, read(store.url) as reader:
        await client.xadd(f"{key}:stream", {"what": "ever"})
        await client.xadd(f"{key}:stream", {"v": "1", "e": b"\xc1"})
        async with sink(store.url) as streams:
            await streams.publish([sample(number, f"key-{number}") for number in range(20)], Fence(FIRST, 1))
        await until(lambda: _true(len(reader.ids) == 20))
        assert await client.xlen(f"{key}:unreadable") == 2
    assert await stored_entries(store.url) == 0
    assert "is no event" in caplog.text


async def test_an_entry_of_a_newer_release_is_left_for_newer_workers(store: Server) -> None:
    async with Redis.from_url(store.url) as client:
        await client.xadd(f"qqbot:{{{APP_ID}:events:0}}:stream", {"v": "2", "e": b"new"})
        with pytest.raises(ConfigError, match="update the workers"):
            await RedisStreamSource(store.url, partitions=PARTITIONS).run(APP_ID, Reader())
        assert await stored_entries(store.url) == 1, "it must not be lost"


class LosesAnswers:
    """Lets every third answer of the store get lost."""

    def __init__(self) -> None:
        self.calls = 0

    async def run(self, *arguments: Any) -> Any:
        self.calls += 1
        answer = await READ.run(*arguments)
        if self.calls % 3 == 0:
            raise ConnectionError("the answer was lost")
        return answer


async def test_events_in_an_answer_that_was_lost_come_all_the_same(
    store: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qqbot.redis.stream_source.READ", LosesAnswers())
    monkeypatch.setattr("qqbot.redis.stream_source.RETRY_SECONDS", 0.01)
    async with sink(store.url) as streams, read(store.url) as reader:
        for number in range(300):
            await streams.publish([sample(number)], Fence(FIRST, 1))
        await until(lambda: _true(len(reader.ids) >= 300))
        assert reader.ids == [f"event-{number}" for number in range(300)], "lost, repeated or out of order"


async def test_another_number_of_partitions_is_refused(store: Server) -> None:
    async with sink(store.url) as streams:
        await streams.publish([sample(1)], Fence(FIRST, 1))
    async with RedisStreamSink(store.url, partitions=PARTITIONS + 1) as other:
        with pytest.raises(ConfigError, match=f"have {PARTITIONS} partitions"):
            await other.publish([sample(2)], Fence(FIRST, 1))
        with pytest.raises(ConfigError, match=f"have {PARTITIONS} partitions"):
            await other.check_for(APP_ID)
    with pytest.raises(ConfigError, match=f"have {PARTITIONS} partitions"):
        await RedisStreamSource(store.url, partitions=PARTITIONS + 1).run(APP_ID, Reader())


def test_wrong_options_are_refused() -> None:
    for refuse in (
        lambda: RedisStreamSink("redis://h", partitions=0),
        lambda: RedisStreamSink("redis://h", name="no spaces"),
        lambda: RedisStreamSink("redis://h", max_length=1),
        lambda: RedisStreamSink.from_url("redis://h?max_length=-1"),
        lambda: RedisStreamSource("redis://h", ttl=0),
        lambda: RedisStreamSource.from_url("redis://h?partitions="),
    ):
        with pytest.raises(ConfigError):
            refuse()


async def published(streams: RedisStreamSink, envelope: Envelope) -> bool:
    await streams.publish([envelope], Fence(FIRST, 1))
    return True


async def _true(value: object) -> bool:
    return bool(value)


async def stored_entries(url: str) -> int:
    async with Redis.from_url(url) as client:
        return sum([await client.xlen(f"qqbot:{{{APP_ID}:events:{index}}}:stream") for index in range(PARTITIONS)])


async def none_stored(url: str) -> bool:
    return await stored_entries(url) == 0
