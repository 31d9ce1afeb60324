"""What a worker relies on: repeats, leases, headers; and how a sink begins and ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Self

import msgspec
import pytest
from msgspec.structs import replace

from qqbot import (
    Bot,
    C2CMessageCreate,
    Context,
    Envelope,
    Fence,
    Intents,
    Interrupted,
    LeaseLost,
)
from qqbot.config import GatewayConfig
from qqbot.testing import Simulator
from tests.dispatcher.standins import FakeLease, message

FAST = GatewayConfig(pace=0.02, identify_window=0.2)


def envelope(seq: int, *, headers: dict[str, str] | None = None, nameless: bool = False) -> Envelope:
    frame = message(seq)
    if nameless:
        frame = msgspec.structs.replace(frame, id=None)
    return Envelope(
        id=f"C2C_MESSAGE_CREATE:{seq}",
        type="C2C_MESSAGE_CREATE",
        shard=0,
        session="s",
        seq=seq,
        key="A",
        ts=round(time.time() * 1000),
        raw=msgspec.json.encode(frame),
        headers=headers or {},
    )


class Worker:
    """A bot whose handler fails as often as it is told to, and waits while it is told to."""

    def __init__(self, sim: Simulator) -> None:
        self.bot = Bot(sim.credentials, endpoints=sim.endpoints, drain=0.2)
        self.failures = 0
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.again: list[bool] = []
        self.headers: list[dict[str, str]] = []
        self.refused: list[LeaseLost] = []

        @self.bot.on
        async def handle(ctx: Context[C2CMessageCreate]) -> None:
            self.again.append(ctx.again)
            self.headers.append(dict(ctx.headers))
            assert ctx.shard is None, "no shard of this process received it"
            self.begun.set()
            await self.go_on.wait()
            if self.failures:
                self.failures -= 1
                raise ValueError("it fails")
            try:
                await ctx.api.users.me()  # any call will do
            except LeaseLost as error:
                self.refused.append(error)
                raise


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        simulator.push_message("c2c", user="U", text="so that there is one")
        yield simulator


@pytest.fixture
async def worker(sim: Simulator) -> AsyncIterator[Worker]:
    worker = Worker(sim)
    async with worker.bot.serve(connect=False):
        yield worker


async def test_a_failed_event_runs_again_if_its_sender_repeats_it(worker: Worker) -> None:
    worker.failures = 1
    assert await worker.bot.handle(envelope(1), retry=True) == "failed"
    assert await worker.bot.handle(envelope(1), retry=True) == "handled"
    assert await worker.bot.handle(envelope(1), retry=True) == "handled"
    assert len(worker.again) == 2, "once it has succeeded, it does not run again"


async def test_without_retry_a_failed_event_is_answered_from_memory(worker: Worker) -> None:
    worker.failures = 1
    assert await worker.bot.handle(envelope(1)) == "failed"
    assert await worker.bot.handle(envelope(1)) == "failed"
    assert len(worker.again) == 1


async def test_what_a_broker_delivers_again_is_marked(worker: Worker) -> None:
    await worker.bot.handle(envelope(1))
    await worker.bot.handle(envelope(2), again=True)
    await worker.bot.handle(replace(envelope(3), again=True))  # stored twice, perhaps, at two places
    assert worker.again == [False, True, True]


async def test_a_worker_that_lost_its_partition_sends_nothing_more(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    lease = FakeLease()
    worker.go_on.clear()
    handling = asyncio.create_task(worker.bot.handle(envelope(1), lease=lease))
    await worker.begun.wait()
    behind = asyncio.create_task(worker.bot.handle(envelope(2), lease=lease))
    await asyncio.sleep(0.01)
    lease.held = False
    worker.go_on.set()
    assert await handling == "failed"
    assert len(worker.refused) == 1
    with pytest.raises(Interrupted):
        await behind
    assert worker.again == [False], "what had not begun belongs to the next owner"
    (ended,) = [record for record in caplog.records if "was cut short for" in record.getMessage()]
    assert (ended.levelname, ended.exc_info) == ("WARNING", None), "it is no fault of the handler"


async def test_leases_of_several_partitions_are_independent(worker: Worker) -> None:
    lost, held = FakeLease(held=False), FakeLease()
    with pytest.raises(Interrupted):
        await worker.bot.handle(envelope(1), lease=lost)
    await worker.bot.handle(envelope(1), lease=held, again=True)
    assert worker.again == [True]


async def test_headers_reach_the_handler(worker: Worker) -> None:
    await worker.bot.handle(envelope(1, headers={"traceparent": "00-1-2-01"}))
    await worker.bot.handle(envelope(2))
    assert worker.headers == [{"traceparent": "00-1-2-01"}, {}]


async def test_an_event_without_an_id_is_known_by_that_of_its_envelope(worker: Worker) -> None:
    await worker.bot.handle(envelope(1, nameless=True))
    await worker.bot.handle(envelope(1, nameless=True))
    assert len(worker.again) == 1


class OpenedSink:
    """Refuses what comes while it is not open."""

    def __init__(self) -> None:
        self.is_open = False
        self.events: list[str] = []
        self.stored: list[Envelope] = []

    async def __aenter__(self) -> Self:
        self.is_open = True
        self.events.append("opened")
        return self

    async def __aexit__(self, *error: object) -> None:
        self.is_open = False
        self.events.append("closed")

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        assert self.is_open
        self.stored.extend(batch)


async def test_a_sink_is_opened_before_the_first_batch_and_closed_after_the_last(sim: Simulator) -> None:
    sink = OpenedSink()
    bot = Bot(sink=sink, intents=Intents.GROUP_AND_C2C_EVENT, gateway=FAST)

    @bot.on_envelope
    def add(name: str, event_id: str, headers: dict[str, str]) -> None:
        headers["of"] = f"{name} {event_id}"

    @bot.on_envelope
    def fail(name: str, event_id: str, headers: dict[str, str]) -> None:
        raise ZeroDivisionError

    published = []
    bot.on_published(published.append)
    for _ in range(2):
        async with sim.run(bot):
            sim.push_message("c2c", user="U", text="hello")
            async with asyncio.timeout(10):
                while not sink.stored:
                    await asyncio.sleep(0.01)
            assert bot.stats().published == 1
            assert bot.stats().publish_failures == 0
        (stored,) = sink.stored
        assert stored.app_id == sim.app_id
        assert stored.headers == {"of": f"{stored.type} {stored.id}"}
        sink.stored.clear()
    assert sink.events == ["opened", "closed"] * 2
    assert [(each.events, each.error) for each in published] == [(1, None)] * 2
