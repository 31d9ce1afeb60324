"""Pulsar as a broker, on pulsar-lite: both contracts, and what only a broker can do to them."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from qqbot import ConfigError, Envelope, Fence, FencedOut, QQBotError
from qqbot.ingest import sink_of, source_of
from qqbot.ingest.source import Partition
from qqbot.models.ingest import Received
from qqbot.testing import EventSinkContract, EventSourceContract, Simulator
from qqbot.testing.event_contracts import APP_ID, FIRST, MakeSink, MakeSource, Publish, ReadStored, sample
from tests.cli.program import environment, qqbot, run
from tests.ingest.pulsar_server import PARTITIONS, PulsarServer, pulsar_server

pytest.importorskip("pulsar", reason="pulsar-client is not installed", exc_type=ImportError)

import pulsar as library
from pulsar.asyncio import Client

from qqbot.ingest.pulsar import PulsarSink, PulsarSource, decode_envelope

__all__ = ["pulsar_server"]


@asynccontextmanager
async def connected(server: PulsarServer) -> AsyncIterator[Any]:
    """The library's own client."""
    logger = library.FileLogger(library.LoggerLevel.Error, os.devnull)
    client = Client(f"pulsar://127.0.0.1:{server.port}", logger=logger, operation_timeout_seconds=5)
    try:
        yield client
    finally:
        await client.close()


def topic_of(name: str, index: int) -> str:
    return f"persistent://public/default/{name}-partition-{index}"


async def stored(server: PulsarServer, name: str) -> list[Envelope]:
    """All events of a topic, partition by partition."""
    found = []
    async with connected(server) as client:
        for index in range(PARTITIONS):
            producer = await client.create_producer(topic_of(name, index))
            await producer.send(b"", properties={"qqbot": "end"})
            reader = await client.create_reader(topic_of(name, index), library.MessageId.earliest)
            while await reader.has_message_available():
                message = await reader.read_next()
                if "qqbot" not in message.properties():
                    found.append(decode_envelope(message.data()))
    return found


class TestPulsarSink(EventSinkContract):
    @pytest.fixture(autouse=True)
    def _server(self, pulsar_server: PulsarServer) -> None:
        self.server = pulsar_server

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSink, ReadStored]]:
        name = self.server.new_topic()

        async def read() -> Sequence[Envelope]:
            return await stored(self.server, name)

        yield lambda: PulsarSink(self.server.url(name)), read


class TestPulsarSource(EventSourceContract):
    @pytest.fixture(autouse=True)
    def _server(self, pulsar_server: PulsarServer) -> None:
        self.server = pulsar_server

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSource, Publish]]:
        url = self.server.url(self.server.new_topic())
        async with PulsarSink(url) as sink:

            async def publish(batch: Sequence[Envelope]) -> None:
                await sink.publish(batch, Fence(None, 0))

            yield lambda: PulsarSource(url), publish


@asynccontextmanager
async def reading(url: str, received: list[Received], *, ttl: float = 4) -> AsyncIterator[list[Partition]]:
    """A source that runs: its partitions."""
    partitions: list[Partition] = []

    async def work(partition: Partition) -> None:
        partitions.append(partition)
        while batch := await partition.receive():
            received.extend(batch)
            for each in batch:
                partition.done(each)

    source = PulsarSource(url, ttl=ttl)
    running = asyncio.create_task(source.run(APP_ID, work))
    try:
        yield partitions
    finally:
        await source.stop()
        async with asyncio.timeout(20):
            await running


async def until(condition: Callable[[], bool], seconds: float = 25) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def numbers(received: Sequence[Received]) -> list[int]:
    """The numbers of the events, each at its first delivery."""
    return list(dict.fromkeys(int(each.envelope.id.rpartition("-")[2]) for each in received))


async def publish(sink: PulsarSink, batch: Sequence[Envelope]) -> None:
    """Store events as the forwarder does: again until it succeeds."""
    async with asyncio.timeout(30):
        while True:
            with suppress(library.asyncio.PulsarException):
                await sink.publish(batch, Fence(FIRST, 1))
                return
            await asyncio.sleep(0.1)


async def test_a_broker_that_is_killed_loses_nothing_and_keeps_the_order(pulsar_server: PulsarServer) -> None:
    url, received = pulsar_server.url(pulsar_server.new_topic()), list[Received]()
    async with PulsarSink(url) as sink, reading(url, received) as partitions:
        await until(lambda: len(partitions) == PARTITIONS)
        for turn in range(40):
            if turn == 20:
                await asyncio.to_thread(pulsar_server.kill)
                await until(lambda: not any(partition.lease.valid() for partition in partitions))
                await asyncio.to_thread(pulsar_server.start)
            await publish(sink, [sample(turn * 8 + place, f"key-{place}") for place in range(8)])
        await until(lambda: len(numbers(received)) == 320)
    for key in range(8):
        order = [number for number in numbers(received) if number % 8 == key]
        assert order == sorted(order)


async def test_a_broker_that_is_away_is_waited_for(
    pulsar_server: PulsarServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qqbot.ingest.pulsar.OPERATION_SECONDS", 1)
    url, received = pulsar_server.url(pulsar_server.new_topic()), list[Received]()
    await asyncio.to_thread(pulsar_server.kill)
    async with PulsarSink(url) as sink, reading(url, received):
        with pytest.raises(library.asyncio.PulsarException):
            await sink.publish([sample(1)], Fence(FIRST, 1))
        await asyncio.sleep(1.5)
        warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert sorted(text.partition(":")[0] for text in warnings) == ["PulsarSink", "PulsarSource"]
        assert "does not answer" in warnings[0] and str(pulsar_server.port) in warnings[0]
        await asyncio.to_thread(pulsar_server.start)
        await publish(sink, [sample(1)])
        await until(lambda: numbers(received) == [1])


async def test_a_silent_broker_ends_the_leases_and_is_used_again(
    pulsar_server: PulsarServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qqbot.ingest.pulsar.OPERATION_SECONDS", 1)
    url, received = pulsar_server.url(pulsar_server.new_topic()), list[Received]()
    async with PulsarSink(url) as sink, reading(url, received, ttl=1) as partitions:
        await until(lambda: len(partitions) == PARTITIONS)
        assert all(partition.lease.valid() for partition in partitions)
        pulsar_server.freeze()
        try:
            await until(lambda: not any(partition.lease.valid() for partition in partitions), 2)
        finally:
            pulsar_server.thaw()
        await publish(sink, [sample(number, f"key-{number}") for number in range(8)])
        await until(lambda: set(numbers(received)) == set(range(8)))


async def test_one_that_ends_moves_no_partition_of_the_others(pulsar_server: PulsarServer) -> None:
    url, readers = pulsar_server.url(pulsar_server.new_topic()), list[list[Partition]]()

    def owned() -> list[int]:
        return [sum(partition.lease.valid() for partition in partitions) for partitions in readers]

    async with AsyncExitStack() as last:
        async with reading(url, [], ttl=2) as one:
            readers.append(one)
            await until(lambda: owned() == [4])
            readers.append(await last.enter_async_context(reading(url, [], ttl=2)))
            await until(lambda: owned() == [2, 2])
            readers.append(await last.enter_async_context(reading(url, [], ttl=2)))
            await until(lambda: owned() == [2, 1, 1])
        await until(lambda: owned() == [0, 2, 2])
        assert list(map(len, readers)) == [4, 3, 2]


async def test_workers_that_begin_together_do_not_hold_each_other_up(pulsar_server: PulsarServer) -> None:
    url = pulsar_server.url(pulsar_server.new_topic())
    async with reading(url, []) as one, reading(url, []) as two, reading(url, []) as three:
        await until(lambda: sorted(map(len, (one, two, three))) == [1, 1, 2], 4)
        assert all(partition.lease.valid() for partition in (*one, *two, *three))


async def test_an_owner_that_publishes_for_the_first_time_too_late_is_refused(pulsar_server: PulsarServer) -> None:
    name = pulsar_server.new_topic()
    async with PulsarSink(pulsar_server.url(name)) as earlier, PulsarSink(pulsar_server.url(name)) as later:
        await later.publish([sample(1)], Fence(FIRST, 6))
        with pytest.raises(FencedOut) as refused:
            await earlier.publish([sample(2)], Fence(FIRST, 5))
        assert refused.value.token == 6
    assert [envelope.id for envelope in await stored(pulsar_server, name)] == ["event-1"]


async def test_another_number_of_partitions_is_refused(pulsar_server: PulsarServer) -> None:
    url = pulsar_server.url(pulsar_server.new_topic(), PARTITIONS + 1)
    with pytest.raises(ConfigError, match=f"has {PARTITIONS} partitions"):
        async with PulsarSink(url):
            pass
    with pytest.raises(ConfigError, match=f"partitions={PARTITIONS}"):
        await PulsarSource(url).run(APP_ID, lambda _: asyncio.sleep(0))


async def test_a_topic_that_is_not_there_is_refused(pulsar_server: PulsarServer) -> None:
    with pytest.raises(ConfigError, match="create it with 4 partitions"):
        await PulsarSink(pulsar_server.url("absent")).__aenter__()


async def test_a_certificate_that_is_not_there_is_named(pulsar_server: PulsarServer) -> None:
    with pytest.raises(ConfigError, match="ca=/absent is no file"):
        await PulsarSink(f"pulsar+ssl://127.0.0.1:{pulsar_server.port}?ca=/absent").__aenter__()


async def test_a_server_of_another_protocol_is_an_outage(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library does not end a call to one that answers and closes."""
    for name in ("CALL_SECONDS", "CLOSE_SECONDS"):
        monkeypatch.setattr(f"qqbot.ingest.pulsar.{name}", 0.1)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, asyncio.timeout(10):
        sink = PulsarSink(f"pulsar://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await sink.__aenter__()
        await sink.__aexit__(None, None, None)
    assert "does not answer" in caplog.text


async def test_what_is_no_event_is_put_aside_and_a_newer_release_ends_the_worker(
    pulsar_server: PulsarServer, caplog: pytest.LogCaptureFixture
) -> None:
    name, received = pulsar_server.new_topic(), list[Received]()
    url = pulsar_server.url(name)
    async with PulsarSink(url) as sink, connected(pulsar_server) as client:
        await sink.publish([sample(1)], Fence(None, 0))
        producers = [await client.create_producer(topic_of(name, index)) for index in range(PARTITIONS)]
        for content, properties in ((b"noise", {}), (b"noise", {"v": "1"})):
            for producer in producers:
                await producer.send(content, properties=properties)
        await sink.publish([sample(2)], Fence(None, 0))
        async with reading(url, received):
            await until(lambda: numbers(received) == [1, 2])
            aside = await client.subscribe(
                f"persistent://public/default/{name}-unreadable",
                "test",
                initial_position=library.InitialPosition.Earliest,
            )
            async with asyncio.timeout(20):
                assert {(await aside.receive()).data() for _ in range(2 * PARTITIONS)} == {b"noise"}
        assert sum("is no event" in record.getMessage() for record in caplog.records) == 2 * PARTITIONS
        await producers[0].send(b"", properties={"v": "2"})

        async def receive(partition: Partition) -> None:
            while await partition.receive():
                pass

        with pytest.raises(ConfigError, match="version 2"):
            async with asyncio.timeout(20):
                await PulsarSource(url).run(APP_ID, receive)


async def test_an_event_that_is_too_large_says_what_to_do(pulsar_server: PulsarServer) -> None:
    name = pulsar_server.new_topic()
    async with PulsarSink(pulsar_server.url(name)) as sink:
        with pytest.raises(QQBotError, match=r"'event-2' of 60\d{5} bytes .* maxMessageSize"):
            await sink.publish([sample(1), sample(2, raw=b"x" * 6_000_000)], Fence(FIRST, 1))
        await sink.publish([sample(3)], Fence(FIRST, 1))
    assert "event-3" in [envelope.id for envelope in await stored(pulsar_server, name)]


async def test_what_a_killed_worker_had_open_comes_first_and_marked(
    pulsar_server: PulsarServer, tmp_path: Path
) -> None:
    url, received = pulsar_server.url(pulsar_server.new_topic()), list[Received]()
    file = tmp_path / "bot.py"
    await asyncio.to_thread(file.write_text, BOT)
    async with PulsarSink(url) as sink, Simulator() as sim:
        env = environment(sim)
        async with qqbot("work", file, "--from", url, env=env) as worker:
            await worker.line("err", "working")
            await sink.publish([sample(number, app_id="") for number in range(3)], Fence(None, 0))
            await worker.line("out", "begun")
            await asyncio.sleep(0.3)  # the library sends acknowledgements ten times in a second
            worker.signal(signal.SIGKILL)
            await worker.finished()
        await sink.publish([sample(3)], Fence(None, 0))
        async with reading(url, received):
            await until(lambda: len(received) == 4)
    assert [(number, each.deliveries) for number, each in zip(numbers(received), received, strict=True)] == [
        (0, 2),
        (1, 2),
        (2, 2),
        (3, 1),
    ]


BOT = """
import asyncio
from qqbot import Bot, Context, C2CMessageCreate, GroupAtMessageCreate
bot = Bot()
@bot.on
async def stuck(ctx: Context[GroupAtMessageCreate]) -> None:
    print("begun", flush=True)
    await asyncio.sleep(3600)
@bot.on
async def echo(ctx: Context[C2CMessageCreate]) -> None:
    await ctx.reply(ctx.text)
"""


async def test_the_two_commands(pulsar_server: PulsarServer, tmp_path: Path) -> None:
    name = pulsar_server.new_topic()
    file = tmp_path / "bot.py"
    await asyncio.to_thread(file.write_text, BOT)
    url = pulsar_server.url(name).replace("127.0.0.1", ":hush@127.0.0.1")
    async with Simulator() as sim:
        env = environment(sim)
        async with (
            qqbot("intake", "--to", url, env=env) as intake,
            qqbot("work", file, "--from", url, env=env) as worker,
        ):
            await intake.line("err", "identified")
            await worker.line("err", "working")
            for number in range(30):
                sim.push_message("c2c", user="Alice", text=str(number))
            await until(lambda: len(sim.user("Alice").messages) == 30)
            assert [message.text for message in sim.user("Alice").messages] == [str(number) for number in range(30)]
            for process in (worker, intake):
                code, out, err = await process.stopped()
                assert code == 0, err
                assert "Traceback" not in err and "hush" not in err and "pulsar" not in out.lower()
        code, _, err = await run("work", file, "--from", url.replace("partitions=4", "partitions=3"), env=env)
        assert code == 3 and "has 4 partitions" in err and "hush" not in err


@pytest.mark.parametrize("seconds", [0, 0.01, 0.05, 0.2, 0.5, 0.7])
def test_a_run_that_is_cancelled_leaves_nothing_behind(pulsar_server: PulsarServer, seconds: float) -> None:
    url = pulsar_server.url(pulsar_server.new_topic())

    async def scene() -> None:
        async with PulsarSink(url) as sink:
            running = asyncio.create_task(PulsarSource(url).run(APP_ID, lambda partition: partition.receive()))
            publishing = asyncio.create_task(sink.publish([sample(1)], Fence(FIRST, 1)))
            await asyncio.sleep(seconds)
            running.cancel()
            publishing.cancel()
            await asyncio.wait([running, publishing])
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scene(), debug=True)
    for thread in threading.enumerate():
        if thread.name.startswith("qqbot pulsar"):
            thread.join(5)
            assert not thread.is_alive()


LATE = """
import asyncio, sys
import pulsar
from qqbot.ingest.pulsar import client_library
port, topic = sys.argv[1:]
kept = []
def client():
    logger = pulsar.FileLogger(pulsar.LoggerLevel.Error, "/dev/null")
    return client_library.Client(f"pulsar://127.0.0.1:{port}", logger=logger)
async def wait():
    kept.append(client())
    kept.append(await kept[0].subscribe(topic, "late"))
    kept.append(asyncio.ensure_future(kept[1].receive()))
    await asyncio.sleep(0.1)
async def answer():
    other = client()
    await (await other.create_producer(topic)).send(b"")
    await asyncio.sleep(0.5)
    await other.close()
loop = asyncio.new_event_loop()
loop.run_until_complete(wait())
loop.close()
asyncio.run(answer())
print("alive", flush=True)
"""


async def test_an_answer_to_a_closed_loop_does_not_abort_the_process(pulsar_server: PulsarServer) -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LATE, str(pulsar_server.port), f"{pulsar_server.new_topic()}-late", stdout=-1, stderr=-1
    )
    out, err = await program.communicate()
    assert b"alive" in out, err


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("pulsar://", "expected pulsar://"),
        ("pulsar://:hush@host:6650/tenant", "expected pulsar://"),
        ("pulsar://:hush@host:6650/tenant/ns?stream=a", "unknown options: stream"),
        ("pulsar://:hush@host:6650/tenant/ns?topic=a/b", "topic="),
        ("pulsar://:hush@host:6650/tenant/ns?topic=a-partition-1", "-partition-"),
        ("pulsar://:hush@host:6650/tenant/ns?partitions=0", "from 1 to"),
        ("pulsar://:hush@host:6650/tenant/ns?partitions=many", "from 1 to"),
        ("pulsar://:h?ush@host:6650/tenant/ns", "written as %XX"),
        ("pulsar://:h/ush@host:6650/tenant", "written as %XX"),
        ("pulsar://hush@host:6650/tenant/ns", "the token is its password"),
        ("pulsar://:hush@host:66 50/tenant/ns", "expected pulsar://"),
        ("pulsar://:hush@host,,other/tenant/ns", "expected pulsar://"),
    ],
)
def test_a_url_that_cannot_be_right(url: str, words: str) -> None:
    for made in (sink_of, source_of):
        with pytest.raises(ConfigError, match=words) as refused:
            made(url)
        assert "ush" not in str(refused.value)


def test_the_token_is_shown_nowhere() -> None:
    for url in ("pulsar+ssl://:hush@a:6651,b:6651/t/n?ca=/etc/ca.pem", "pulsar://a:6650/t/n?token=hush"):
        for end in (sink_of(url), source_of(url)):
            assert "hush" not in repr(vars(end))
