"""NATS JetStream as a broker, on a real server: both contracts, and what only a server can do to them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from qqbot import ConfigError, Envelope, Fence, FencedOut, QQBotError
from qqbot.config import Secret
from qqbot.ingest import sink_of, source_of
from qqbot.ingest.nats import NatsSink, NatsTopic, decode_envelope
from qqbot.ingest.nats_connection import FAILURES, NatsConnection, parsed
from qqbot.ingest.nats_source import NatsSource, NatsWorkers
from qqbot.models.codec import pack
from qqbot.models.ingest import Received
from qqbot.testing import EventSinkContract, EventSourceContract
from qqbot.testing.event_contracts import APP_ID, FIRST, MakeSink, MakeSource, Publish, ReadStored, sample
from tests.cli.program import environment, qqbot
from tests.ingest.nats_server import NatsServer, needs_nats, started
from tests.ingest.reader import Reader
from tests.redis.servers import Relay
from tests.sockets import free_port
from tests.waiting import until

PARTITIONS = 4
STREAM = f"qqbot_{APP_ID}_events"
EVENTS = f"qqbot.{APP_ID}.events.event"
WEBHOOK = Fence(None, 0)

pytestmark = needs_nats


async def stored(server: NatsServer) -> list[Envelope]:
    return [decode_envelope(data) for subject, data in await server.messages(STREAM) if ".event." in subject]


class TestNatsSink(EventSinkContract):
    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSink, ReadStored]]:
        async with started() as server:

            async def read() -> Sequence[Envelope]:
                return await stored(server)

            yield lambda: NatsSink(server.url, partitions=PARTITIONS), read


class TestNatsSource(EventSourceContract):
    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[MakeSource, Publish]]:
        async with started() as server, NatsSink(server.url, partitions=PARTITIONS) as sink:

            async def publish(batch: Sequence[Envelope]) -> None:
                await sink.publish(batch, WEBHOOK)

            yield lambda: NatsSource(server.url, partitions=PARTITIONS, ttl=2), publish


@asynccontextmanager
async def reading(url: str, reader: Reader, ttl: float = 2.0) -> AsyncIterator[NatsSource]:
    async with NatsSource(url, partitions=PARTITIONS, ttl=ttl) as source:
        run = asyncio.create_task(source.run(APP_ID, reader))
        try:
            yield source
        finally:
            await source.stop()
            reader.open.set()
            await run


async def publish_until_stored(sink: NatsSink, batch: Sequence[Envelope], fence: Fence = WEBHOOK) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await sink.publish(batch, fence)
            except (QQBotError, *FAILURES):
                await asyncio.sleep(0.05)
            else:
                return


def assert_order(received: Sequence[Received]) -> None:
    """Each key's events came in order; one may have come again, after which what followed comes again too."""
    for key in {each.envelope.key for each in received}:
        first = list(dict.fromkeys(int(each.envelope.seq) for each in received if each.envelope.key == key))
        assert first == sorted(first), f"{key} is out of order: {first}"


def warnings(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if text in record.getMessage()]


# --- outages of the server


async def test_a_server_that_is_absent_is_waited_for_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    server, reader = NatsServer(port=free_port()), Reader()
    try:
        async with reading(server.url, reader), NatsSink(server.url, partitions=PARTITIONS) as sink:
            with pytest.raises(FAILURES):
                await sink.publish([sample(1)], WEBHOOK)
            await asyncio.sleep(1.2)
            assert len(warnings(caplog, "NatsSink: nats://127.0.0.1")) == 1
            assert len(warnings(caplog, "NatsSource: nats://127.0.0.1")) == 1
            assert len(caplog.records) == 2
            await server.start()
            await publish_until_stored(sink, [sample(1)])
            await reader.until(1)
    finally:
        server.close()


@pytest.mark.parametrize("jetstream", ["sync_interval: always"])
async def test_a_server_that_is_restarted_loses_and_reorders_nothing(jetstream: str) -> None:
    reader, count = Reader(), 0
    async with (
        started(jetstream=jetstream) as server,
        reading(server.url, reader, ttl=4),
        NatsSink(server.url, partitions=PARTITIONS) as sink,
    ):
        for turn in range(30):
            if turn in (8, 20):
                restart = asyncio.create_task(server.restart())
            size = 5 if turn % 2 else 30
            await publish_until_stored(sink, [sample(count + n, f"key-{n % 7}") for n in range(size)], Fence(FIRST, 1))
            count += size
        await restart
        await reader.until(count)
    assert_order(reader.received)


async def test_connections_that_are_cut_lose_and_reorder_nothing() -> None:
    reader, count = Reader(), 0
    async with started() as server, Relay(server) as relay:  # type: ignore[arg-type]
        url = f"nats://127.0.0.1:{relay.port}"
        async with reading(url, reader, ttl=6), NatsSink(url, partitions=PARTITIONS) as sink:

            async def cut() -> None:
                for _ in range(4):
                    await asyncio.sleep(0.3)
                    relay.cut()
                    await asyncio.sleep(0.05)
                    relay.mend()

            cutting = asyncio.create_task(cut())
            while not cutting.done():
                size = 3 if count % 2 else 40
                await publish_until_stored(
                    sink, [sample(count + n, f"key-{n % 7}") for n in range(size)], Fence(FIRST, 1)
                )
                count += size
            await reader.until(count)
            assert set(reader.ids) == {f"event-{number}" for number in range(count)}
    assert_order(reader.received)


async def test_a_server_that_hangs_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qqbot.ingest.nats_connection.OPERATION_SECONDS", 0.5)
    reader = Reader()
    async with (
        started() as server,
        reading(server.url, reader, ttl=20),
        NatsSink(server.url, partitions=PARTITIONS) as sink,
    ):
        await publish_until_stored(sink, [sample(number) for number in range(5)])
        await reader.until(5)
        server.freeze()
        for _ in range(2):
            with pytest.raises(FAILURES):
                await sink.publish([sample(number) for number in range(5, 10)], WEBHOOK)
        server.thaw()
        await publish_until_stored(sink, [sample(number) for number in range(5, 10)])
        await reader.until(10)
    assert_order(reader.received)


async def test_a_server_that_lost_its_data_is_used_again() -> None:
    reader = Reader()
    async with (
        started() as server,
        reading(server.url, reader),
        NatsSink(server.url, partitions=PARTITIONS) as sink,
    ):
        await sink.publish([sample(number) for number in range(50)], Fence(FIRST, 1))
        await reader.until(50)
        await server.restart(empty=True)
        for number in range(50, 55):
            await publish_until_stored(sink, [sample(number)], Fence(FIRST, 1))
        await reader.until(55)
    assert {each.deliveries for each in reader.received[50:]} == {1}


async def test_a_stream_that_was_deleted_is_made_again() -> None:
    reader = Reader()
    async with (
        started() as server,
        reading(server.url, reader),
        NatsSink(server.url, partitions=PARTITIONS) as sink,
    ):
        await sink.publish([sample(number) for number in range(50)], Fence(FIRST, 1))
        await reader.until(50)
        await server.call(f"STREAM.DELETE.{STREAM}")
        for number in range(50, 55):
            await publish_until_stored(sink, [sample(number)], Fence(FIRST, 1))
        await reader.until(55)


async def test_what_ends_after_its_stream_was_deleted_deletes_nothing_of_the_next() -> None:
    reader = Reader()
    async with (
        started() as server,
        reading(server.url, reader, ttl=30),
        NatsSink(server.url, partitions=PARTITIONS) as sink,
    ):
        reader.open.clear()
        await sink.publish([sample(number) for number in range(50)], WEBHOOK)
        await reader.until(50)
        await server.call(f"STREAM.DELETE.{STREAM}")
        await publish_until_stored(sink, [sample(number) for number in range(50, 55)])
        reader.open.set()
        await reader.until(55)


# --- what a person has to correct


@pytest.mark.parametrize("end", [sink_of, source_of])
async def test_wrong_credentials_are_refused(end: Any) -> None:
    async with started('authorization { user: "robot", password: "p@ss:w/rd" }') as server:
        good = server.url.replace("nats://", "nats://robot:p%40ss%3Aw%2Frd@")
        async with end(good):
            pass
        for bad in (server.url, server.url.replace("nats://", "nats://robot:hunter2@")):
            with pytest.raises(ConfigError, match=r"refuses us.*Authorization Violation") as caught:
                async with end(bad):
                    pass
            assert "hunter2" not in "".join(frames(caught.value))


def frames(error: BaseException) -> list[str]:
    """All that a report of an error may show: its text, and the variables of its frames inside the package."""
    found, trace = [repr(error)], error.__traceback__
    while trace is not None:
        if "/tests/" not in trace.tb_frame.f_code.co_filename:
            found += map(repr, trace.tb_frame.f_locals.values())
        trace = trace.tb_next
    return found


async def test_a_token_is_a_user_without_a_password() -> None:
    async with started('authorization { token: "t0ken" }') as server:
        async with NatsSink(server.url.replace("nats://", "nats://t0ken@"), partitions=PARTITIONS) as sink:
            await sink.publish([sample(1)], WEBHOOK)
        with pytest.raises(ConfigError, match="refuses us"):
            await NatsSink(server.url.replace("nats://", "nats://other@")).__aenter__()


async def test_a_right_that_is_missing_is_no_outage() -> None:
    user = 'user: "robot", password: "secret", permissions: { publish: { deny: ["$JS.API.>"] } }'
    async with started(f"authorization {{ users: [{{ {user} }}] }}") as server:
        with pytest.raises(ConfigError, match="permissions violation"):
            await NatsSource(server.url.replace("nats://", "nats://robot:secret@")).__aenter__()


@pytest.mark.parametrize("right", ["$JS.API.CONSUMER.MSG.NEXT.>", "$JS.API.DIRECT.GET.>"])
async def test_a_right_whose_lack_has_no_answer_ends_the_worker(right: str) -> None:
    user = f'user: "robot", password: "secret", permissions: {{ publish: {{ deny: ["{right}"] }} }}'
    async with started(f"authorization {{ users: [{{ {user} }}] }}") as server:
        source = NatsSource(server.url.replace("nats://", "nats://robot:secret@"), partitions=PARTITIONS)
        async with source:
            with pytest.raises(ConfigError, match="permissions violation"):
                await source.run(APP_ID, Reader())


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("subjects", {"subjects": ["other.>"]}),
        ("retention", {"retention": "interest"}),
        ("discard", {"discard": "old", "discard_new_per_subject": False, "max_msgs": 10}),
        ("no_ack", {"no_ack": True}),
    ],
)
async def test_a_stream_that_would_lose_events_is_refused(name: str, setting: dict[str, object]) -> None:
    async with started() as server:
        async with NatsSink(server.url) as sink:
            await sink.check_for(APP_ID)
        config = (await server.call(f"STREAM.INFO.{STREAM}"))["config"]
        await server.call(f"STREAM.DELETE.{STREAM}")
        assert "error" not in await server.call(f"STREAM.CREATE.{STREAM}", config | setting)
        async with NatsSink(server.url) as sink, NatsSource(server.url) as source:
            with pytest.raises(ConfigError, match=f"has {name}="):
                await sink.check_for(APP_ID)
            with pytest.raises(ConfigError, match=f"has {name}="):
                await source.run(APP_ID, Reader())


async def test_replicas_without_a_cluster_are_no_outage() -> None:
    async with started() as server, NatsSink(server.url, replicas=3) as sink:
        with pytest.raises(ConfigError, match="non-clustered"):
            await sink.check_for(APP_ID)


async def test_an_intake_that_cannot_store_ends_before_it_connects(tmp_path: Path) -> None:
    from qqbot.testing import Simulator

    async with started() as server, Simulator() as sim:
        async with NatsSink(server.url, partitions=4) as sink:
            await sink.check_for(sim.app_id)
        env = environment(sim, QQBOT_BROKER_URL=f"{server.url}?partitions=5", QQBOT_SHARDS="1")
        async with qqbot("intake", env=env, cwd=tmp_path) as intake:
            end = await intake.finished()
        assert (end.code, sim.identifies) == (3, [])
        assert "use partitions=4" in end.err
        assert "Traceback" not in end.err


async def test_a_server_without_jetstream_is_no_place(caplog: pytest.LogCaptureFixture) -> None:
    async with started(jetstream="") as server:
        async with NatsSink(server.url) as sink:
            with pytest.raises(ConnectionError, match="not enabled"):
                await sink.publish([sample(1)], WEBHOOK)
        assert warnings(caplog, "JetStream does not answer: it is not enabled")


async def test_wrong_credentials_end_the_process_with_3(tmp_path: Path) -> None:
    file = tmp_path / "bot.py"
    file.write_text("from qqbot import Bot\nbot = Bot()\n")
    from qqbot.testing import Simulator

    async with started('authorization { user: "robot", password: "secret" }') as server, Simulator() as sim:
        url = server.url.replace("nats://", "nats://robot:hunter2@")
        async with qqbot("work", file, env=environment(sim, QQBOT_BROKER_URL=url)) as work:
            end = await work.finished()
    assert end.code == 3
    assert "refuses us" in end.err
    assert "hunter2" not in end.out + end.err


async def test_another_number_of_partitions_is_refused() -> None:
    async with started() as server, NatsSink(server.url, partitions=4) as sink:
        await sink.publish([sample(1)], WEBHOOK)
        async with NatsSink(server.url, partitions=5) as other:
            with pytest.raises(ConfigError, match="has 4 partitions, not 5"):
                await other.publish([sample(2)], WEBHOOK)
        async with NatsSource(server.url, partitions=5) as source:
            with pytest.raises(ConfigError, match="use partitions=4"):
                await source.run(APP_ID, Reader())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nats://host?partitions=0", "from 1 to 1024"),
        ("nats://host?partitions=x", "not a whole number"),
        ("nats://host?max_length=3", "at least 16"),
        ("nats://host?stream=a.b", "name"),
        ("nats://host?replicas=9", "1 to 5"),
        ("nats://host?partition=4", "unknown option partition"),
        ("nats://user:hunter2@/x", "host is missing"),
        ("nats://user:hunter2@host/x", "path"),
        ("nats://user:hunter2@host:port", "wrong"),
        ("nats://user:hunter2@host:0", "wrong"),
        ("nats://user:hunter2@a host", "wrong"),
        ("nats://user?hunter2@host", "wrong place"),
        ("nats://user#hunter2@host", "wrong place"),
    ],
)
def test_a_url_that_cannot_be_right(url: str, words: str) -> None:
    for end in (sink_of, source_of):
        with pytest.raises(ConfigError, match=words) as caught:
            end(url)
        assert "hunter2" not in str(caught.value)


async def test_the_next_host_is_tried() -> None:
    async with started() as server:
        url = f"nats://127.0.0.1:{free_port()},127.0.0.1:{server.port}"
        async with NatsSink(url, partitions=PARTITIONS) as sink:
            await sink.publish([sample(1)], WEBHOOK)
        assert len(await stored(server)) == 1


async def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    chain, key, trusted = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(chain, append=True)
    certificate.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(trusted)
    async with started(f'tls {{ cert_file: "{chain}", key_file: "{key}" }}') as server:
        url = f"tls://localhost:{server.port}"
        with pytest.raises(ConfigError, match="CERTIFICATE_VERIFY_FAILED"):
            await NatsSink(url).__aenter__()
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        async with NatsSink(url, partitions=PARTITIONS) as sink:
            await sink.publish([sample(1)], WEBHOOK)


async def test_a_password_is_never_sent_without_the_tls_that_was_asked_for() -> None:
    heard = bytearray()

    async def strip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer as a server without TLS does, or one in between that takes it away."""
        writer.write(b'INFO {"server_id": "one", "version": "2.12.0", "max_payload": 1048576, "headers": true}\r\n')
        with suppress(ConnectionError):
            heard.extend(await reader.read())
        writer.close()

    async with await asyncio.start_server(strip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConfigError, match="offers no TLS") as caught:
            await NatsSink(f"tls://robot:hunter2@127.0.0.1:{port}").__aenter__()
    assert heard == b""
    assert "hunter2" not in "".join(frames(caught.value))


def test_without_the_package_the_error_says_what_to_install() -> None:
    program = (
        "import sys\nsys.modules['nats'] = None\nfrom qqbot import ConfigError\nfrom qqbot.ingest import source_of\n"
        "try:\n    source_of('nats://host')\nexcept ConfigError as error:\n    print(ascii(str(error)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'aioqqbot[nats]'" in done.stdout, done.stderr


# --- what is no event


async def put(server: NatsServer, index: int, data: bytes, version: str | None) -> None:
    """Store a message as another program would."""
    headers = b"NATS/1.0\r\n" + (f"Qqbot-Version: {version}\r\n".encode() if version else b"") + b"\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b'CONNECT {"verbose":false,"headers":true}\r\nSUB a 1\r\n')
    writer.write(f"HPUB {EVENTS}.{index} a {len(headers)} {len(headers) + len(data)}\r\n".encode())
    writer.write(headers + data + b"\r\n")
    while not (await reader.readline()).startswith((b"MSG", b"HMSG")):
        pass
    writer.close()


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"text", pack({"id": 1}), b"\x91" * 5000])
async def test_what_is_no_event_is_put_aside(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader()
    async with started() as server, NatsSink(server.url, partitions=PARTITIONS) as sink:
        await sink.publish([sample(1)], WEBHOOK)
        index = int((await server.messages(STREAM))[0][0].rpartition(".")[2])
        await put(server, index, data, "1")
        await put(server, index, pack(sample(2)), None)  # without a version, but an event
        await sink.publish([sample(3)], WEBHOOK)
        async with reading(server.url, reader):
            await reader.until(3)
        assert await server.messages(f"{STREAM}_unreadable") == [(f"{STREAM}_unreadable.{index}", data)]
        assert await stored(server) == []
    assert reader.ids == ["event-1", "event-2", "event-3"]
    assert len(warnings(caplog, "is no event")) == 1


async def test_a_newer_version_ends_the_worker_and_keeps_the_event() -> None:
    reader = Reader()
    async with started() as server, NatsSink(server.url, partitions=PARTITIONS) as sink:
        await sink.publish([sample(1)], WEBHOOK)
        await put(server, 0, b"of a later release", "2")
        async with NatsSource(server.url, partitions=PARTITIONS) as source:
            with pytest.raises(ConfigError, match="update the workers before the intake"):
                await source.run(APP_ID, reader)
        assert (f"{EVENTS}.0", b"of a later release") in await server.messages(STREAM)


# --- bounds


async def test_a_full_stream_refuses_and_trims_nothing() -> None:
    reader = Reader()
    async with started() as server, NatsSink(server.url, partitions=PARTITIONS, max_length=40) as sink:
        await sink.publish([sample(number) for number in range(10)], Fence(FIRST, 1))
        for size in (1, 20):
            with pytest.raises(QQBotError, match=r"is full: .*maximum messages per subject exceeded"):
                await sink.publish([sample(10 + number) for number in range(size)], Fence(FIRST, 1))
        async with reading(server.url, reader):
            await reader.until(10)
            await publish_until_stored(sink, [sample(10 + number) for number in range(20)], Fence(FIRST, 1))
            await reader.until(30)
        assert await stored(server) == []
    assert_order(reader.received)
    assert len(reader.received) == 30


async def test_a_few_events_that_meet_a_full_partition_are_not_reordered() -> None:
    reader = Reader()
    async with started() as server, NatsSink(server.url, partitions=PARTITIONS, max_length=12) as sink:
        batch = [sample(number, f"key-{number % 3}") for number in range(15)]
        with pytest.raises(QQBotError, match="full"):
            await sink.publish(batch, Fence(FIRST, 1))
        async with reading(server.url, reader):
            await publish_until_stored(sink, batch, Fence(FIRST, 1))
            await reader.until(15)
    assert_order(reader.received)
    assert len(reader.received) == 15, "what had been stored was stored again"


async def test_the_limit_is_raised_and_never_lowered() -> None:
    async with started() as server:
        for most, expected in ((20, 5), (400, 100), (8, 100)):
            async with NatsSink(server.url, partitions=PARTITIONS, max_length=most) as sink:
                await sink.publish([sample(most)], WEBHOOK)
            config = (await server.call(f"STREAM.INFO.{STREAM}"))["config"]
            assert config["max_msgs_per_subject"] == expected
        assert len(await stored(server)) == 3


async def test_an_event_that_is_too_large_says_what_to_do() -> None:
    async with started("max_payload: 100KB") as server, NatsSink(server.url, partitions=PARTITIONS) as sink:
        for batch in ([sample(1, raw=b"x" * 200_000)], [sample(n, raw=b"x" * 200_000) for n in range(20)]):
            with pytest.raises(QQBotError, match=r"event-\d+.* bytes .*max_payload"):
                await sink.publish(batch, WEBHOOK)


@pytest.mark.parametrize("size", [1, 10, 40])
async def test_a_batch_that_comes_again_is_stored_once(size: int) -> None:
    async with started() as server, NatsSink(server.url, partitions=PARTITIONS) as sink:
        batch = [sample(number, f"key-{number}") for number in range(size)]
        for _ in range(2):
            await sink.publish(batch, Fence(FIRST, 1))
        assert len(await stored(server)) == size


@pytest.mark.parametrize("size", [1, 10, 40, 1200])
async def test_an_earlier_owner_stores_nothing_of_any_batch(size: int) -> None:
    async with started() as server, AsyncExitStack() as stack:
        earlier, later = [await stack.enter_async_context(NatsSink(server.url)) for _ in range(2)]
        batch = [sample(number, f"key-{number}") for number in range(size)]
        await earlier.publish(batch, Fence(FIRST, 5))
        await later.publish([sample(9999)], Fence(FIRST, 8))
        with pytest.raises(FencedOut) as caught:
            await earlier.publish([sample(2000 + number, f"key-{number}") for number in range(size)], Fence(FIRST, 5))
        assert caught.value.token == 8
        assert (await server.call(f"STREAM.INFO.{STREAM}"))["state"]["messages"] == size + 2


# --- the ownership of partitions


async def test_what_is_finished_behind_an_open_event_is_deleted() -> None:
    reader = Reader()
    reader.stuck = {"event-0", "event-7"}
    async with started() as server, NatsSink(server.url, partitions=PARTITIONS) as sink:
        async with reading(server.url, reader) as source:
            await sink.publish([sample(number) for number in range(20)], WEBHOOK)
            await reader.until(20)
            await sink.publish([sample(number) for number in range(20, 40)], WEBHOOK)
            await reader.until(40)
            async with asyncio.timeout(10):
                while source.lag != 2:
                    await asyncio.sleep(0.02)
        assert [envelope.id for envelope in await stored(server)] == ["event-0", "event-7"]
        following = Reader()
        async with reading(server.url, following):
            await following.until(2)
            await asyncio.sleep(0.2)
        assert [(each.envelope.id, each.deliveries) for each in following.received] == [("event-0", 2), ("event-7", 2)]
        assert await stored(server) == []


async def test_deliveries_count_the_workers_that_had_begun_an_event() -> None:
    async with started() as server, NatsSink(server.url, partitions=PARTITIONS) as sink:
        for turn in range(1, 4):
            await sink.publish([sample(turn)], WEBHOOK)
            reader = Reader()
            reader.stuck = {"event-1", "event-2", "event-3"}
            async with reading(server.url, reader):
                await reader.until(turn)
            found = {each.envelope.id: each.deliveries for each in reader.received}
            assert found == {f"event-{number}": turn + 1 - number for number in range(1, turn + 1)}


async def test_one_that_ends_moves_no_partition_of_the_others() -> None:
    one, two, three = readers = Reader(), Reader(), Reader()

    def owned() -> list[int]:
        return [sum(partition.lease.valid() for partition in reader.partitions) for reader in readers]

    async with started() as server, AsyncExitStack() as last:
        async with reading(server.url, one, ttl=1):
            await until(lambda: owned() == [4, 0, 0])
            await last.enter_async_context(reading(server.url, two, ttl=1))
            await until(lambda: owned() == [2, 2, 0])
            await last.enter_async_context(reading(server.url, three, ttl=1))
            await until(lambda: owned() == [2, 1, 1])
        await until(lambda: owned() == [0, 2, 2])
        assert [len(reader.partitions) for reader in readers] == [4, 3, 2]


async def test_a_worker_that_was_silent_for_its_ttl_is_the_last() -> None:
    async with started() as server, NatsSink(server.url), NatsConnection(parsed(Secret(server.url))[0]) as connection:
        topic = NatsTopic(APP_ID, "events", PARTITIONS)
        one, two = (NatsWorkers(connection, topic, 1, 0.6, Reader()) for _ in range(2))
        assert await one.beat() == (1, 0)
        assert await two.beat() == (2, 1)
        assert await one.beat() == (2, 0)
        await asyncio.sleep(0.35)
        assert await two.beat() == (2, 1)
        await asyncio.sleep(0.3)
        assert await one.beat() == (2, 1)
        assert await two.beat() == (2, 0)
        await two.leave()
        assert await one.beat() == (1, 0)


async def test_a_worker_that_is_cut_off_stops_before_another_begins() -> None:
    cut_off, other = Reader(), Reader()
    cut_off.open.clear()
    async with (
        started() as server,
        NatsSink(server.url, partitions=PARTITIONS) as sink,
        Relay(server) as relay,  # type: ignore[arg-type]
        reading(f"nats://127.0.0.1:{relay.port}", cut_off, ttl=2),
    ):
        await sink.publish([sample(number, f"key-{number}") for number in range(20)], WEBHOOK)
        await cut_off.until(20)
        relay.cut()
        async with reading(server.url, other, ttl=2):
            async with asyncio.timeout(10):
                while len(other.partitions) < PARTITIONS:
                    held = [partition.lease.shard.index for partition in cut_off.partitions if partition.lease.valid()]
                    taken = [partition.lease.shard.index for partition in other.partitions]
                    assert not set(held) & set(taken)
                    await asyncio.sleep(0.001)
            await other.until(20)
            assert all(each.deliveries > 1 for each in other.received)
            relay.mend()


async def test_a_worker_whose_record_was_overwritten_delivers_nothing_more() -> None:
    """As if its clock had stood still: the write before the next delivery is refused."""
    reader = Reader()
    async with (
        started() as server,
        NatsSink(server.url, partitions=1) as sink,
        NatsSource(server.url, partitions=1, ttl=60) as source,
    ):
        run = asyncio.create_task(source.run(APP_ID, reader))
        await sink.publish([sample(1)], WEBHOOK)
        await reader.until(1)
        await take_over(server)
        await sink.publish([sample(2)], WEBHOOK)
        async with asyncio.timeout(5):
            while reader.partitions[0].lease.valid():
                await asyncio.sleep(0.01)
        assert reader.ids == ["event-1"]
        await source.stop()
        await run


async def take_over(server: NatsServer) -> None:
    record = json.dumps({"owner": "another worker", "ttl": 60.0, "stream": "", "marks": []}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b'CONNECT {"verbose":false}\r\nSUB a 1\r\n')
    writer.write(f"PUB $KV.{STREAM}.partition.0 a {len(record)}\r\n".encode() + record + b"\r\n")
    while not (await reader.readline()).startswith(b"MSG"):
        pass
    writer.close()


async def test_a_second_run_of_one_source_is_refused() -> None:
    async with started() as server, reading(server.url, Reader()) as source:
        await asyncio.sleep(0.05)
        with pytest.raises(ConfigError, match="being read already"):
            await source.run(APP_ID, Reader())


async def test_neither_end_is_used_before_it_is_entered() -> None:
    with pytest.raises(ConfigError, match="async with"):
        await NatsSink("nats://host").publish([sample(1)], WEBHOOK)
    with pytest.raises(ConfigError, match="async with"):
        await NatsSource("nats://host").run(APP_ID, Reader())


async def test_a_cancellation_at_any_point_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()

    async def work(url: str) -> None:
        reader = Reader()
        async with NatsSink(url, partitions=PARTITIONS) as sink, NatsSource(url, partitions=PARTITIONS) as source:
            run = asyncio.create_task(source.run(APP_ID, reader))
            try:
                for number in range(1000):
                    await sink.publish([sample(number, f"key-{n}") for n in range(1 + number % 30)], WEBHOOK)
            finally:
                run.cancel()
                with suppress(asyncio.CancelledError):
                    await run

    async with started() as server:
        for step in range(0, 40, 2):
            task = asyncio.create_task(work(server.url))
            await asyncio.sleep(step * 0.002)
            task.cancel()
            async with asyncio.timeout(5):
                await asyncio.wait([task])
            assert task.cancelled()
            await asyncio.sleep(0.01)
            assert asyncio.all_tasks() == before | {asyncio.current_task()}
