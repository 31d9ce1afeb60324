"""Kafka as a broker, on a server that speaks its protocol: both contracts, and what only a broker can do to them."""

import asyncio
import gc
import random
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from unittest import SkipTest

import pytest

from qqbot import ConfigError, Envelope, Fence, FencedOut, QQBotError
from qqbot.aio.ending import stack_of
from qqbot.ingest import sink_of
from qqbot.testing import EventSinkContract, EventSourceContract
from qqbot.testing.event_contracts import APP_ID, FIRST, MakeSink, MakeSource, Publish, ReadStored, sample
from tests.ingest.kafka_server import PATIENCE, KafkaServer, kafka, needs_kafka, relayed
from tests.ingest.reader import Reader

pytest.importorskip("aiokafka", reason="the extra kafka is not installed")

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from qqbot.ingest.kafka import KafkaSink, decode_envelope
from qqbot.ingest.kafka_source import KafkaSource

PARTITIONS = 4
SESSION = 2.0  # seconds

pytestmark = needs_kafka


@pytest.fixture(autouse=True)
def _short_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let leases of a short session be renewed so often that a busy machine loses none."""
    monkeypatch.setattr("qqbot.ingest.kafka_source.BEAT_SECONDS", 0.25)
    monkeypatch.setattr("qqbot.ingest.kafka_source.HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr("qqbot.ingest.kafka_source.OPERATION_SECONDS", 2.0)


def new_topic() -> str:
    return f"events-{uuid.uuid4().hex[:8]}"


def url_of(server: KafkaServer, topic: str) -> str:
    return server.url(topic, PARTITIONS, SESSION)


async def stored(server: KafkaServer, topic: str) -> list[Envelope]:
    """All events of a topic, in the order of their keys."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=f"127.0.0.1:{server.port}", auto_offset_reset="earliest", fetch_max_wait_ms=10
    )
    await consumer.start()
    found: list[Envelope] = []
    try:
        for index in range(PARTITIONS):
            place = TopicPartition(topic, index)
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            while await consumer.position(place) < end:
                for records in (await consumer.getmany(place, timeout_ms=1000)).values():
                    found += [decode_envelope(record.value) for record in records]
    finally:
        await consumer.stop()
    return found


class TestKafkaSink(EventSinkContract):
    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSink, ReadStored]]:
        async with kafka() as server:
            topic = new_topic()

            async def read() -> Sequence[Envelope]:
                return await stored(server, topic)

            yield lambda: KafkaSink.from_url(url_of(server, topic)), read


class SourceContract(EventSourceContract):
    def __init__(self, server: KafkaServer) -> None:
        self.server = server

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSource, Publish]]:
        url = url_of(self.server, new_topic())
        async with KafkaSink.from_url(url) as sink:

            async def publish(batch: Sequence[Envelope]) -> None:
                await sink.publish(batch, Fence(None, 0))

            yield lambda: KafkaSource.from_url(url), publish


async def at_a_time(scenes: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
    """Run scenes side by side, because a group waits for its members."""
    ends = await asyncio.gather(*(scene() for scene in scenes.values()), return_exceptions=True)
    failures = [(name, end) for name, end in zip(scenes, ends, strict=True) if not isinstance(end, SkipTest | None)]
    for name, failure in failures:
        failure.add_note(f"in {name}")
    if failures:
        raise BaseExceptionGroup("scenes have failed", [failure for _, failure in failures])


def scenes_of(contract: Callable[[], EventSourceContract]) -> Mapping[str, Callable[[], Awaitable[None]]]:
    """All tests of a contract, each on an object of its own."""
    names = [name for name in dir(EventSourceContract) if name.startswith("test_")]
    assert len(names) > 5
    return {name: getattr(contract(), name) for name in names}


@asynccontextmanager
async def read(url: str) -> AsyncIterator[Reader]:
    reader, source = Reader(), KafkaSource.from_url(url)
    run = asyncio.create_task(source.run(APP_ID, reader))
    try:
        yield reader
    finally:
        reader.open.set()
        await source.stop()
        await asyncio.wait_for(run, 30)


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def publish(sink: KafkaSink, *batch: Envelope) -> None:
    """Publish as the intake does: until it is stored."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await sink.publish(batch, Fence(FIRST, 1))
            except QQBotError:
                await asyncio.sleep(0.1)
            else:
                return


async def connections_that_are_cut_lose_nothing_and_keep_the_order() -> None:
    topic, numbers = new_topic(), count()
    async with relayed() as (server, relay), KafkaSink.from_url(url_of(server, topic)) as sink:
        async with read(url_of(server, topic)) as reader:

            async def cut() -> None:
                for _ in range(4):
                    await asyncio.sleep(0.7)
                    relay.cut()
                    await asyncio.sleep(0.2)
                    relay.mend()

            cutting = asyncio.create_task(cut())
            while not cutting.done():
                await publish(sink, *(sample(next(numbers), f"key-{place}") for place in range(10)))
                await asyncio.sleep(0.01)
            published = next(numbers)
            await until(lambda: len(set(reader.ids)) == published)
        for place in range(10):
            order = reader.order(f"key-{place}")
            assert order == sorted(order)


async def servers_that_are_away_at_the_start_are_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    topic = new_topic()
    async with kafka() as server:
        server.kill()
        async with KafkaSink.from_url(url_of(server, topic)) as sink, read(url_of(server, topic)) as reader:
            with pytest.raises(QQBotError, match="has not stored"):
                await sink.publish([sample(1)], Fence(FIRST, 1))
            await asyncio.sleep(1.5)
            warning = f"127.0.0.1:{server.port} does not answer, waiting"
            assert caplog.text.count(warning) == 2, "one of each side"
            await server.start()
            await publish(sink, sample(1))
            await until(lambda: reader.ids == ["event-1"])


async def a_server_that_lost_its_data_is_used_again() -> None:
    topic, numbers = new_topic(), count(3)
    async with (
        kafka() as server,
        KafkaSink.from_url(url_of(server, topic)) as sink,
        read(url_of(server, topic)) as reader,
    ):
        await publish(sink, sample(1), sample(2))
        await until(lambda: len(reader.ids) == 2)
        server.kill()
        await server.start()
        async with asyncio.timeout(PATIENCE):
            while len(reader.ids) == 2:  # this server accepts events for a topic that it has lost
                await publish(sink, sample(next(numbers)))
                await asyncio.sleep(0.2)


def operations_take(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the calls of the servers fail after so many seconds."""
    for module in ("kafka", "kafka_connection"):
        monkeypatch.setattr(f"qqbot.ingest.{module}.OPERATION_SECONDS", seconds)


async def test_a_server_that_hangs_stores_later_what_it_did_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    operations_take(1.5, monkeypatch)
    topic = new_topic()
    async with kafka() as server, KafkaSink.from_url(url_of(server, topic)) as sink:
        await publish(sink, sample(1))
        server.freeze()
        with pytest.raises(QQBotError, match="has not stored"):
            await sink.publish([sample(2)], Fence(FIRST, 1))
        server.thaw()
        await publish(sink, sample(2), sample(3))
        ids = [envelope.id for envelope in await stored(server, topic)]
        assert list(dict.fromkeys(ids)) == ["event-1", "event-2", "event-3"]


async def test_a_sink_ends_although_its_server_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    operations_take(2.0, monkeypatch)
    monkeypatch.setattr("qqbot.ingest.kafka_connection.CLOSE_SECONDS", 0.2)
    before = asyncio.all_tasks()
    async with kafka() as server, KafkaSink.from_url(server.url(new_topic())) as sink:
        await publish(sink, sample(1))
        server.freeze()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await sink.publish([sample(2)], Fence(FIRST, 1))
    await asyncio.sleep(0.5)
    assert asyncio.all_tasks() == before


async def test_a_login_that_is_refused_is_a_config_error() -> None:
    async with kafka("--authentication") as server:
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            url = server.url("events").replace("://", "://bob:pass%40word@") + f"&sasl_mechanism={mechanism}"
            with pytest.raises(ConfigError, match="refuses us") as found:
                async with KafkaSink.from_url(url):
                    pass
            assert "pass" not in str(found.value).replace("password", "")
            with pytest.raises(ConfigError, match="refuses us"):
                await KafkaSource.from_url(url).run(APP_ID, Reader())


async def test_another_number_of_partitions_is_refused() -> None:
    topic = new_topic()
    async with kafka() as server, KafkaSink.from_url(url_of(server, topic)) as sink:
        await publish(sink, sample(1))
        with pytest.raises(ConfigError, match="has 4 partitions"):
            async with KafkaSink.from_url(server.url(topic, 5)):
                pass
        with pytest.raises(ConfigError, match="has 4 partitions"):
            await KafkaSource.from_url(server.url(topic, 3)).run(APP_ID, Reader())


async def partitions_that_are_added_end_the_worker(server: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def before_they_were_added(*_: object) -> None: ...

    topic = new_topic()
    async with KafkaSink.from_url(url_of(server, topic)):
        source = KafkaSource.from_url(server.url(topic, PARTITIONS - 1, SESSION))
        monkeypatch.setattr(source._cluster, "prepare", before_they_were_added)
        with pytest.raises(ConfigError, match="has 4 partitions"):
            await asyncio.wait_for(source.run(APP_ID, Reader()), PATIENCE)


async def append(server: KafkaServer, topic: str, *values: tuple[bytes | None, bytes]) -> None:
    """Store raw records with a version and a value."""
    producer = AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{server.port}")
    await producer.start()
    try:
        for version, value in values:
            headers = [] if version is None else [("v", version)]
            await producer.send_and_wait(topic, value, key=b"k", partition=0, headers=headers)
    finally:
        await producer.stop()


async def what_is_no_event_is_skipped_and_a_newer_entry_ends_the_worker(
    server: KafkaServer, caplog: pytest.LogCaptureFixture
) -> None:
    topic = new_topic()
    async with KafkaSink.from_url(url_of(server, topic)) as sink:
        await append(server, topic, (None, b"what"), (b"1", b"\xc1"), (b"x", b"ever"))
        await publish(sink, *(sample(number, f"key-{number}") for number in range(20)))
        async with read(url_of(server, topic)) as reader:
            await until(lambda: len(reader.ids) == 20)
        assert caplog.text.count("is no event, and is skipped") == 3
        await append(server, topic, (b"2", b"new"))
        for _ in range(2):
            with pytest.raises(ConfigError, match="update the workers"):
                await KafkaSource.from_url(url_of(server, topic)).run(APP_ID, Reader())


async def the_lag_counts_what_is_not_finished(server: KafkaServer) -> None:
    topic, reader = new_topic(), Reader()
    async with KafkaSink.from_url(url_of(server, topic)) as sink:
        for number in range(20):  # this server reports the first of a batch as its last event
            await publish(sink, sample(number, f"key-{number}"))
        source = KafkaSource.from_url(url_of(server, topic))
        reader.open.clear()
        run = asyncio.create_task(source.run(APP_ID, reader))
        await until(lambda: source.lag == 20)
        reader.open.set()
        await until(lambda: source.lag == 0)
        await source.stop()
        await run


async def bots_may_share_a_topic(server: KafkaServer) -> None:
    topic = new_topic()
    async with KafkaSink.from_url(url_of(server, topic)) as sink:
        await publish(sink, sample(1, app_id="other"), sample(2), sample(3, app_id=""))
        async with read(url_of(server, topic)) as reader:
            await until(lambda: len(reader.ids) == 2)
            assert reader.ids == ["event-2", "event-3"]


async def test_the_largest_token_is_kept_in_the_broker() -> None:
    topic = new_topic()
    async with kafka() as server:
        async with KafkaSink.from_url(url_of(server, topic)) as sink:
            await sink.publish([sample(1)], Fence(FIRST, 2**53))
        async with KafkaSink.from_url(url_of(server, topic)) as sink:
            with pytest.raises(FencedOut) as found:
                await sink.publish([sample(2)], Fence(FIRST, 2**53 - 1))
            assert found.value.token == 2**53
            await sink.publish([sample(3)], Fence(FIRST, 2**53 + 1))


async def an_owner_that_is_cut_off_loses_its_partitions() -> None:
    topic = new_topic()
    async with relayed() as (server, relay), KafkaSink.from_url(url_of(server, topic)) as sink:
        async with read(url_of(server, topic)) as lonely:
            await publish(sink, *(sample(number, f"key-{number}") for number in range(20)))
            lonely.open.clear()
            await until(lambda: len(lonely.ids) == 20)
            relay.cut()
            async with asyncio.timeout(10):
                while any(partition.lease.valid() for partition in lonely.partitions):
                    await asyncio.sleep(0.05)
            relay.mend()
            lonely.open.set()
            await until(lambda: len(lonely.ids) >= 40)
        assert {each.deliveries for each in lonely.received[20:]} == {2}


async def a_commit_that_is_no_longer_awaited_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    topic = new_topic()
    async with kafka() as server, KafkaSink.from_url(url_of(server, topic)) as sink:
        async with read(url_of(server, topic)) as reader:
            await publish(sink, sample(1))
            await until(lambda: reader.ids)
            server.freeze()
            await until(lambda: not any(partition.lease.valid() for partition in reader.partitions))
        server.thaw()
    await asyncio.sleep(0)
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_what_waits_for_groups(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract of a source, and the scenes above."""
    async with kafka() as server:
        await at_a_time(
            {
                **scenes_of(lambda: SourceContract(server)),
                "cut": connections_that_are_cut_lose_nothing_and_keep_the_order,
                "away": partial(servers_that_are_away_at_the_start_are_waited_for, caplog),
                "empty": a_server_that_lost_its_data_is_used_again,
                "unreadable": partial(what_is_no_event_is_skipped_and_a_newer_entry_ends_the_worker, server, caplog),
                "lag": partial(the_lag_counts_what_is_not_finished, server),
                "shared": partial(bots_may_share_a_topic, server),
                "lonely": an_owner_that_is_cut_off_loses_its_partitions,
                "added": partial(partitions_that_are_added_end_the_worker, server, monkeypatch),
                "silent": partial(a_commit_that_is_no_longer_awaited_is_silent, caplog),
            }
        )


async def test_a_run_that_is_cancelled_anywhere_leaves_nothing_behind() -> None:
    topic, chance = new_topic(), random.Random(7)
    async with kafka() as server:
        before = asyncio.all_tasks()

        async def once() -> None:
            async with KafkaSink.from_url(url_of(server, topic)) as sink:
                await publish(sink, *(sample(number, f"key-{number}") for number in range(20)))
                await KafkaSource.from_url(url_of(server, topic)).run(APP_ID, Reader())

        runs = [asyncio.create_task(once()) for _ in range(12)]
        for run in runs:
            asyncio.get_running_loop().call_later(chance.choice([0.1, 3.0]) * chance.random(), run.cancel)
        await asyncio.wait(runs)
        assert all(run.cancelled() for run in runs)
        await asyncio.sleep(0.5)  # for tasks of the library that were cancelled
        left = asyncio.all_tasks() - before
        assert not left, [stack_of(task) for task in left]


def test_wrong_options_are_refused() -> None:
    for refuse in (
        lambda: KafkaSink("kafka://h", partitions=0),
        lambda: KafkaSink("kafka://h", topic="no spaces"),
        lambda: KafkaSink("redis://h"),
        lambda: KafkaSink("kafka://"),
        lambda: KafkaSink("kafka://h:port"),
        lambda: KafkaSink("kafka://h:65536"),
        lambda: KafkaSink("kafka://h h"),
        lambda: KafkaSink("kafka://h", topic=".."),
        lambda: KafkaSink("kafka://user@h"),
        lambda: KafkaSink.from_url("kafka://h?acks=0"),
        lambda: KafkaSink.from_url("kafka://h?idempotence=no"),
        lambda: KafkaSink.from_url("kafka://u:p@h?sasl_mechanism=MD5"),
        lambda: KafkaSink.from_url("kafka+ssl://h?ssl_cafile=/nowhere"),
        lambda: KafkaSource("kafka://h", session_timeout=0),
        lambda: KafkaSource.from_url("kafka://h?partitions="),
        lambda: KafkaSource.from_url("kafka://h?session_timeout=long"),
    ):
        with pytest.raises(ConfigError):
            refuse()


def test_a_password_that_is_not_escaped_is_not_shown() -> None:
    for url in ("kafka://u:12?hunter2@h", "kafka://u:12?topic=hunter2@h"):
        with pytest.raises(ConfigError, match="written as %XX") as refused:
            sink_of(url)
        assert "hunter2" not in str(refused.value)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiokafka", None)
    for module in ("kafka", "kafka_connection", "kafka_source"):
        monkeypatch.delitem(sys.modules, f"qqbot.ingest.{module}", raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'aioqqbot\[kafka\]'"):
        sink_of("kafka://h")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_eager_tasks_are_refused() -> None:
    asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory", None))
    with pytest.raises(ConfigError, match="eager_task_factory"):
        async with KafkaSink("kafka://127.0.0.1:1"):
            pass
