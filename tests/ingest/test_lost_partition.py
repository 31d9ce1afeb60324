"""A worker that loses a partition, and gets it again, while handlers of before still run."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from qqbot import Bot, C2CMessageCreate, Context, LeaseLost
from qqbot.ingest.source import PartitionWork
from qqbot.models.gateway import ShardKey
from qqbot.models.ingest import Envelope, Received
from qqbot.testing import Simulator
from tests.ingest.test_worker import envelope
from tests.waiting import until


class Ownership:
    """The one partition while it is owned; it is its own lease."""

    shard = ShardKey(0, 0, 1)

    def __init__(self, events: Sequence[Envelope], deliveries: int) -> None:
        self.finished: list[str] = []
        self.held = True
        self._events = [Received(event, event.id, deliveries) for event in events]
        self._given_up = asyncio.Event()

    @property
    def lease(self) -> "Ownership":
        return self

    def valid(self) -> bool:
        return self.held

    async def receive(self) -> Sequence[Received]:
        events, self._events = self._events, []
        if not events:
            await self._given_up.wait()
        return events

    def done(self, received: Received) -> None:
        self.finished.append(received.envelope.id)

    def lose(self) -> None:
        self.held = False
        self.end()

    def end(self) -> None:
        self._given_up.set()


class Source:
    """Owns one partition several times, one ownership after another."""

    lag = 0

    def __init__(self, *ownerships: Ownership) -> None:
        self.ownerships = ownerships

    async def run(self, app_id: str, work: PartitionWork) -> None:
        for ownership in self.ownerships:
            await work(ownership)

    async def stop(self) -> None:
        for ownership in self.ownerships:
            ownership.end()


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as sim:
        yield sim


def pushed(sim: Simulator, *texts: str) -> list[Envelope]:
    """Return envelopes of messages that the platform knows, so that they can be answered."""
    found: list[Envelope] = []
    for seq, text in enumerate(texts, 1):
        event = envelope(sim, seq, "A", text=text)
        sim.push("C2C_MESSAGE_CREATE", msgspec.json.decode(event.raw)["d"], event_id=event.id)
        found.append(event)
    return found


async def test_a_dialog_goes_on_under_the_next_ownership(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qqbot.ingest.worker.RETRY_SECONDS", 0.01)
    events = pushed(sim, "ask", "answer")
    first, second = Ownership(events, 1), Ownership(events, 2)
    bot = Bot(sim.credentials, endpoints=sim.endpoints, drain=0.05)
    begun: list[str] = []
    go_on = asyncio.Event()
    refused: list[bool] = []

    @bot.on
    async def ask(ctx: Context[C2CMessageCreate]) -> None:
        begun.append(ctx.text)
        await ctx.reply(f"to {ctx.text}")
        if ctx.text == "ask":
            answer = await ctx.wait_for(C2CMessageCreate, timeout=5)
            begun.append(f"{answer.text} to a question")
            await go_on.wait()
            try:
                await answer.reply(f"to {answer.text}")
            except LeaseLost:
                refused.append(True)
                raise

    work = asyncio.create_task(bot.work(Source(first, second)))
    await until(lambda: "answer to a question" in begun)
    first.lose()
    await asyncio.sleep(0.2)  # the second ownership begins, and its events wait for the end of the same ones
    go_on.set()
    await until(lambda: len(second.finished) == 2)
    second.end()
    await work
    assert refused == [True]
    assert first.finished == []
    assert sorted(second.finished) == sorted(event.id for event in events)
    assert [message.text for message in sim.user("A").messages] == ["to ask", "to answer"]


async def test_a_handler_that_waits_takes_no_event_of_a_later_ownership(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qqbot.ingest.worker.RETRY_SECONDS", 0.01)
    events = pushed(sim, "ask", "ask more", "answer")
    ownerships = Ownership(events[:1], 1), Ownership(events[1:2], 1), Ownership(events, 2)
    bot = Bot(sim.credentials, endpoints=sim.endpoints, drain=0.05)
    taken: list[str] = []

    @bot.on
    async def ask(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply(f"to {ctx.text}")
        if ctx.text.startswith("ask"):
            try:
                answer = await ctx.wait_for(C2CMessageCreate, timeout=5)
            except LeaseLost:
                taken.append(f"nothing by {ctx.text}")
                return  # it is no end of the event all the same
            taken.append(f"{answer.text} by {ctx.text}")
            await answer.reply(f"to {answer.text}")

    work = asyncio.create_task(bot.work(Source(*ownerships)))
    for number, ownership in enumerate(ownerships[:2], 1):
        await until(lambda: len(sim.user("A").messages) == number)  # noqa: B023 - awaited here
        await until(lambda: bot.stats().inflight == 0)  # the handler waits
        ownership.lose()
    await until(lambda: len(ownerships[2].finished) == 3)
    ownerships[2].end()
    await work
    assert taken == ["nothing by ask", "nothing by ask more", "ask more by ask"]
    assert [ownership.finished for ownership in ownerships[:2]] == [[], []]
    assert [message.text for message in sim.user("A").messages] == ["to ask", "to ask more", "to answer"]


@pytest.mark.parametrize("attempts", [1, 3])
async def test_a_dialog_is_left_to_the_next_owner_of_a_partition_that_is_given_up(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    monkeypatch.setattr("qqbot.ingest.worker.RETRY_SECONDS", 0.01)
    monkeypatch.setattr("qqbot.bot.run.ENDING_SECONDS", 0.1)
    ownership = Ownership([envelope(sim, 1, "A", text="ask"), envelope(sim, 2, "B", text="slow")], 1)
    bot = Bot(sim.credentials, endpoints=sim.endpoints, drain=0.01)
    begun: list[str] = []

    @bot.on
    async def ask(ctx: Context[C2CMessageCreate]) -> None:
        begun.append(ctx.text)
        if ctx.text == "slow":
            await asyncio.Event().wait()  # it does not end in time
        await ctx.wait_for(C2CMessageCreate)

    async with bot.serve(connect=False):
        work = asyncio.create_task(bot.work(Source(ownership), attempts=attempts))
        await until(lambda: len(begun) == 2)
        ownership.end()
        await work
        assert bot.stats().dead_letters == 0
    assert begun == ["ask", "slow"]
    assert ownership.finished == []


async def test_what_fails_because_its_partition_was_lost_is_no_dead_letter(sim: Simulator) -> None:
    ownership = Ownership(pushed(sim, "hello"), 1)
    bot = Bot(sim.credentials, endpoints=sim.endpoints)

    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        ownership.lose()
        await ctx.reply("hello")

    async with bot.serve(connect=False):
        await bot.work(Source(ownership), attempts=1)
        assert bot.stats().dead_letters == 0
    assert ownership.finished == []


async def test_dialogs_begin_anew_under_a_lease_that_is_valid_again(sim: Simulator) -> None:
    first, other = Ownership([], 1), Ownership([], 1)
    bot = Bot(sim.credentials, endpoints=sim.endpoints)
    events = pushed(sim, "ask", "answer")

    @bot.on
    async def ask(ctx: Context[C2CMessageCreate]) -> None:
        if ctx.text == "ask":
            answer = await ctx.wait_for(C2CMessageCreate, timeout=5)
            await answer.reply(f"to {answer.text}")

    async with bot.serve(connect=False):
        asked = asyncio.create_task(bot.handle(events[0], lease=first))
        await until(lambda: bot.stats().waiting == 1)
        first.held = False
        await bot.handle(envelope(sim, 3, "B", text="hello"), lease=other)
        first.held = True
        assert await asked == "failed"
        asked = asyncio.create_task(bot.handle(events[0], lease=first, again=True))
        await until(lambda: bot.stats().waiting == 1)
        assert await bot.handle(events[1], lease=first) == "consumed"
        assert await asked == "handled"
    assert [message.text for message in sim.user("A").messages] == ["to answer"]


async def test_a_run_after_a_failure_may_answer_once_more(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qqbot.ingest.worker.RETRY_SECONDS", 0.01)
    events = pushed(sim, "hello")
    only = Ownership(events, 1)
    bot = Bot(sim.credentials, endpoints=sim.endpoints)

    @bot.on
    async def fail(ctx: Context[C2CMessageCreate]) -> None:
        if not ctx.again:
            await ctx.reply("it failed, trying again")
            raise ValueError("it fails")
        await ctx.reply("hello")

    work = asyncio.create_task(bot.work(Source(only)))
    await until(lambda: only.finished)
    only.end()
    await work
    assert [message.text for message in sim.user("A").messages] == ["it failed, trying again", "hello"]
