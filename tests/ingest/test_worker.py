"""`bot.work`: from a source to the handlers and back, in order, bounded, until every event is done."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from qqbot import Bot, C2CMessageCreate, ConfigError, Context, Envelope, Intents
from qqbot.testing import Simulator
from tests.ingest.memory import MemoryBroker, MemorySink, MemorySource
from tests.waiting import until


def envelope(sim: Simulator, seq: int, user: str = "A", *, age: float = 0.0, text: str = "") -> Envelope:
    data = {
        "id": f"m{seq}",
        "content": text or str(seq),
        "timestamp": "2026-01-01T00:00:00+08:00",
        "author": {"id": user, "user_openid": user},
    }
    frame = {"op": 0, "s": seq, "t": "C2C_MESSAGE_CREATE", "id": f"C2C_MESSAGE_CREATE:{seq}", "d": data}
    return Envelope(
        id=f"C2C_MESSAGE_CREATE:{seq}",
        type="C2C_MESSAGE_CREATE",
        shard=0,
        session="s",
        seq=seq,
        key=user,
        ts=round((time.time() - age) * 1000),
        raw=msgspec.json.encode(frame),
        app_id=sim.app_id,
    )


class Logic:
    """A bot that logs what it handles; a test tells it what to do in between."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.broker = MemoryBroker()
        self.source = MemorySource(self.broker)
        self.bot = Bot(sim.credentials, endpoints=sim.endpoints, drain=5)
        self.log: list[str] = []
        self.again: list[bool] = []
        self.running = 0
        self.most = 0
        self.fails: Callable[[str], bool] = lambda _: False
        self.open = asyncio.Event()
        self.open.set()

        @self.bot.on
        async def handle(ctx: Context[C2CMessageCreate]) -> None:
            self.log.append(ctx.text)
            self.again.append(ctx.again)
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                await asyncio.sleep(0)
                if ctx.text == "ask":
                    answer = await ctx.wait_for(C2CMessageCreate, timeout=10)
                    self.log.append(f"answer {answer.text}")
                await self.open.wait()
                if self.fails(ctx.text):
                    raise ValueError("it fails")
            finally:
                self.running -= 1

    async def publish(self, *envelopes: Envelope) -> None:
        await self.broker.store(envelopes)


@pytest.fixture
async def logic(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Logic]:
    monkeypatch.setattr("qqbot.ingest.worker.RETRY_SECONDS", 0.01)
    async with Simulator() as sim:
        yield Logic(sim)


async def test_every_event_is_handled_in_the_order_of_its_conversation(logic: Logic) -> None:
    events = [envelope(logic.sim, seq, f"user-{seq % 5}") for seq in range(1, 201)]
    await logic.publish(*events[:100])
    work = asyncio.create_task(logic.bot.work(logic.source))
    await until(lambda: len(logic.log) == 100)
    await logic.publish(*events[100:])
    await until(logic.broker.finished)
    assert logic.bot.stats().lag == 0
    await logic.bot.stop()
    await work
    assert sorted(logic.log, key=int) == [str(seq) for seq in range(1, 201)]
    for user in range(5):
        mine = [int(text) for text in logic.log if int(text) % 5 == user]
        assert mine == sorted(mine)
    assert logic.source.app_id == logic.sim.app_id
    assert set(logic.again) == {False}


async def test_it_works_inside_a_bot_that_is_served(logic: Logic) -> None:
    async with logic.bot.serve(connect=False):
        await logic.publish(envelope(logic.sim, 1))
        work = asyncio.create_task(logic.bot.work(logic.source))
        await until(logic.broker.finished)
        await logic.source.stop()
        await work
        assert logic.log == ["1"], "the bot goes on without its source"
        assert logic.bot.stats().lag == 0


async def test_so_many_are_begun_at_a_time(logic: Logic) -> None:
    logic.open.clear()
    await logic.publish(*(envelope(logic.sim, seq, f"user-{seq}") for seq in range(1, 31)))
    work = asyncio.create_task(logic.bot.work(logic.source, concurrency=4))
    await until(lambda: logic.running == 4)
    await asyncio.sleep(0.05)
    assert logic.most == 4
    logic.open.set()
    await until(logic.broker.finished)
    assert logic.most == 4
    await logic.bot.stop()
    await work


async def test_a_handler_that_waits_leaves_room_for_what_it_waits_for(logic: Logic) -> None:
    await logic.publish(envelope(logic.sim, 1, text="ask"))
    work = asyncio.create_task(logic.bot.work(logic.source, concurrency=1))
    await until(lambda: logic.log == ["ask"])
    await logic.publish(envelope(logic.sim, 2, text="yes"))
    await until(logic.broker.finished)
    assert logic.log == ["ask", "answer yes"]
    await logic.bot.stop()
    await work


async def test_a_failing_event_runs_again_and_becomes_a_dead_letter(logic: Logic) -> None:
    logic.fails = lambda text: text == "bad" or (text == "once" and logic.log.count("once") == 1)
    dead = MemorySink(MemoryBroker())
    await logic.publish(envelope(logic.sim, 1, text="bad"), envelope(logic.sim, 2, text="once"))
    work = asyncio.create_task(logic.bot.work(logic.source, attempts=4, dead_letters=dead))
    await until(logic.broker.finished)
    stats = logic.bot.stats()
    assert (stats.retries, stats.dead_letters) == (4, 1)
    await logic.bot.stop()
    await work
    assert (logic.log.count("bad"), logic.log.count("once")) == (4, 2)
    assert logic.again.count(False) == 2, "each repeat is marked"
    (letter,) = dead.broker.published
    assert letter.id == "C2C_MESSAGE_CREATE:1"
    assert letter.headers == {"qqbot-attempts": "4", "qqbot-reason": "its handlers failed"}
    assert dead.events == ["opened", "published", "closed"]


@pytest.mark.parametrize("error", [ConnectionError("down"), asyncio.CancelledError()], ids=repr)
async def test_dead_letters_wait_for_their_sink(logic: Logic, error: BaseException) -> None:
    class Failing(MemorySink):
        async def publish(self, batch: object, fence: object) -> None:
            if len(self.events) < 3:
                self.events.append("refused")
                raise error
            await super().publish(batch, fence)  # type: ignore[arg-type]

    logic.fails = lambda _: True
    dead = Failing(MemoryBroker())
    await logic.publish(envelope(logic.sim, 1))
    work = asyncio.create_task(logic.bot.work(logic.source, attempts=1, dead_letters=dead))
    await until(logic.broker.finished)
    await logic.bot.stop()
    await work
    assert dead.events == ["opened", "refused", "refused", "published", "closed"]


async def test_dead_letters_that_cannot_be_right_are_refused_at_the_start(logic: Logic) -> None:
    class Wrong(MemorySink):
        async def check_for(self, app_id: str) -> None:
            raise ConfigError(f"not for {app_id}")

    with pytest.raises(ConfigError, match=f"not for {logic.sim.app_id}"):
        await logic.bot.work(logic.source, dead_letters=Wrong(MemoryBroker()))


async def test_dead_letters_that_refuse_an_event_end_the_work(logic: Logic) -> None:
    class Refusing(MemorySink):
        async def publish(self, batch: object, fence: object) -> None:
            raise ConfigError("no rights")

    logic.fails = lambda _: True
    await logic.publish(envelope(logic.sim, 1))
    work = logic.bot.work(logic.source, attempts=1, dead_letters=Refusing(MemoryBroker()))
    with pytest.raises(ConfigError, match="no rights"):
        await asyncio.wait_for(work, 10)
    assert not logic.broker.finished(), "it comes again"


async def test_without_dead_letters_a_failing_event_is_named_in_the_log(
    logic: Logic, caplog: pytest.LogCaptureFixture
) -> None:
    logic.fails = lambda _: True
    await logic.publish(envelope(logic.sim, 1))
    work = asyncio.create_task(logic.bot.work(logic.source, attempts=1))
    await until(logic.broker.finished)
    await logic.bot.stop()
    await work
    assert "C2C_MESSAGE_CREATE:1' is given up" in caplog.text


async def test_what_is_no_event_becomes_a_dead_letter(logic: Logic) -> None:
    dead = MemorySink(MemoryBroker())
    broken = msgspec.structs.replace(envelope(logic.sim, 1), raw=b"\xff no frame")
    await logic.publish(broken, envelope(logic.sim, 2))
    work = asyncio.create_task(logic.bot.work(logic.source, dead_letters=dead))
    await until(logic.broker.finished)
    await logic.bot.stop()
    await work
    assert [letter.raw for letter in dead.broker.published] == [broken.raw]
    assert logic.log == ["2"]


async def test_an_event_that_ends_every_worker_becomes_a_dead_letter(logic: Logic) -> None:
    dead = MemorySink(MemoryBroker())
    await logic.publish(envelope(logic.sim, 1))
    for stored in logic.broker.partitions:
        for received in stored.values():
            received.deliveries = 20
    work = asyncio.create_task(logic.bot.work(logic.source, dead_letters=dead))
    await until(logic.broker.finished)
    await logic.bot.stop()
    await work
    assert logic.log == [] and len(dead.broker.published) == 1


async def test_what_is_too_old_is_dropped(logic: Logic, caplog: pytest.LogCaptureFixture) -> None:
    await logic.publish(envelope(logic.sim, 1, age=400), envelope(logic.sim, 2, age=10))
    work = asyncio.create_task(logic.bot.work(logic.source, max_age=300))
    await until(logic.broker.finished)
    assert logic.bot.stats().expired == 1
    await logic.bot.stop()
    await work
    assert logic.log == ["2"]
    assert "older than 300 s" in caplog.text


async def test_events_of_another_bot_are_dropped(logic: Logic, caplog: pytest.LogCaptureFixture) -> None:
    await logic.publish(msgspec.structs.replace(envelope(logic.sim, 1), app_id="other"), envelope(logic.sim, 2))
    work = asyncio.create_task(logic.bot.work(logic.source))
    await until(logic.broker.finished)
    await logic.bot.stop()
    await work
    assert logic.log == ["2"]
    assert "'other'" in caplog.text


async def test_stopping_lets_what_has_begun_end(logic: Logic) -> None:
    logic.open.clear()
    await logic.publish(*(envelope(logic.sim, seq, f"user-{seq}") for seq in range(1, 4)))
    work = asyncio.create_task(logic.bot.work(logic.source))
    await until(lambda: logic.running == 3)
    stopping = asyncio.create_task(logic.bot.stop())
    await asyncio.sleep(0.05)
    await logic.publish(envelope(logic.sim, 4))
    assert not work.done()
    logic.open.set()
    await stopping
    await work
    assert sorted(logic.log) == ["1", "2", "3"]
    assert [each.envelope.seq for stored in logic.broker.partitions for each in stored.values()] == [4]


async def test_what_does_not_end_in_time_is_waited_for_once(logic: Logic, caplog: pytest.LogCaptureFixture) -> None:
    logic.bot = Bot(logic.sim.credentials, endpoints=logic.sim.endpoints, drain=0.1)
    begun = asyncio.Event()

    @logic.bot.on
    async def never_end(ctx: Context[C2CMessageCreate]) -> None:
        begun.set()
        await asyncio.Event().wait()

    await logic.publish(envelope(logic.sim, 1))
    work = asyncio.create_task(logic.bot.work(logic.source))
    await begun.wait()
    await logic.bot.stop()
    await work
    warnings = [record.getMessage() for record in caplog.records if "unfinished after" in record.getMessage()]
    assert len(warnings) == 1 and "1 events are unfinished after 0.1 s, and come again" in warnings[0]
    assert not logic.broker.finished()


async def test_what_a_dead_worker_had_begun_comes_again_and_is_marked(logic: Logic) -> None:
    logic.open.clear()
    await logic.publish(envelope(logic.sim, 1))
    work = asyncio.create_task(logic.bot.work(logic.source))
    await until(lambda: logic.running == 1)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert not logic.broker.finished()
    following = Logic(logic.sim)
    following.broker, following.source = logic.broker, MemorySource(logic.broker)
    work = asyncio.create_task(following.bot.work(following.source))
    await until(logic.broker.finished)
    await following.bot.stop()
    await work
    assert following.again == [True]


@pytest.mark.parametrize("answers", [1, 2])
async def test_a_copy_without_a_mark_is_not_answered_twice(sim: Simulator, answers: int) -> None:
    """The platform has repeated a call, two intakes have stored it, and the partition moved between the copies."""
    broker, seen = MemoryBroker(), list[bool]()
    intake = Bot(sim.credentials, endpoints=sim.endpoints, sink=MemorySink(broker), intents=Intents.GROUP_AND_C2C_EVENT)
    async with intake:
        await intake.ready()
        sim.push_message("c2c", user="U", text="hi")
        await until(lambda: bool(broker.published))
    copy = msgspec.structs.replace(broker.published[0], shard=None, session="", seq=0)
    for number in range(2):
        worker = Bot(sim.credentials, endpoints=sim.endpoints)

        @worker.on
        async def answer(ctx: Context[C2CMessageCreate]) -> None:
            seen.append(ctx.again)
            for text in range(answers):
                await ctx.reply(str(text))

        work = asyncio.create_task(worker.work(MemorySource(broker)))
        if number:
            await broker.store([copy])
        await until(broker.finished)
        await worker.stop()
        await work
    assert [message.text for message in sim.user("U").messages] == [str(text) for text in range(answers)]
    assert seen == [False, False], "it is no failure, which would run it again"


async def test_wrong_options_are_refused(logic: Logic) -> None:
    for options in ({"concurrency": 0}, {"attempts": 0}, {"max_age": 0.0}, {"max_age": float("nan")}):
        with pytest.raises(ConfigError):
            await logic.bot.work(logic.source, **options)  # type: ignore[arg-type]


async def test_an_error_of_the_source_ends_the_work(logic: Logic) -> None:
    class Refused(MemorySource):
        async def run(self, app_id: str, work: object) -> None:
            raise ConfigError("another number of partitions")

    with pytest.raises(ConfigError, match="another number"):
        await logic.bot.work(Refused(logic.broker))
