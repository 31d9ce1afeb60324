"""Random handlers on random events, that come by two ways at once: nothing lost, nothing twice, nothing left over."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest

from qqbot.bot.context import Delivered
from qqbot.dispatcher import DirectSource, Dispatcher, ShardSource
from qqbot.dispatcher.delivery import Wanted
from qqbot.models.events import C2CMessageCreate, Event, InteractionCreate
from qqbot.models.frames import Frame
from qqbot.models.outcome import Outcome
from tests.dispatcher.standins import FakeLease, One, Table, click, deliver, message, running
from tests.dispatcher.test_sources import Ids

EVENTS = 150
TALKERS = ("A", "B", "C")  # whose handlers wait for further events
OTHERS = ("D", "E", "F")


class World:
    """One dispatcher under random load, and what became of each event."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.shared = self.chance.random() < 0.3
        self.two_ways = self.shared or self.chance.random() < 0.5
        self.leases = [FakeLease(), FakeLease()]
        self.begun: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self.running: dict[str, str] = {}  # by lane, of the others
        self.order: dict[str, list[int]] = {}
        self.workers: list[asyncio.Task[object]] = []
        self.callers: dict[asyncio.Task[Outcome | None], str] = {}
        self.table = Table([One(self.first, when=self.wants), One(self.second, "two")], bare=True)
        self.actions: list[Callable[[Delivered], Awaitable[object]]] = [
            self.answer,
            self.sleep,
            self.fail,
            self.cancel_itself,
            self.await_what_is_cancelled,
            self.cancel_a_worker,
        ]
        self.dialogs: list[Callable[[Delivered], Awaitable[object]]] = [
            self.ask,
            self.ask_within_a_time,
            self.ask_two_at_once,
            self.ask_for_the_first_of_two,
            self.ask_and_go_on,
        ]

    def run(self) -> AbstractAsyncContextManager[Dispatcher]:
        return running(
            self.table,
            max_inflight=self.chance.choice((1, 2, 8, 64)),
            max_queued=self.chance.choice((1, 2, 8, 64, 10_000)),
            handler_timeout=self.chance.choice((None, 0.05)),
            seen=Ids() if self.shared else None,
        )

    # What handlers do

    def wants(self, event: Event) -> bool:
        if self.chance.random() < 0.02:
            raise LookupError("a predicate that fails")
        return True

    async def first(self, delivered: Delivered) -> None:
        ordering_key = delivered.event.ordering_key
        talks = ordering_key.endswith(TALKERS)
        if not talks:
            assert ordering_key not in self.running, "one after another"
            self.order.setdefault(ordering_key, []).append(delivered.frame.s or 0)
            self.running[ordering_key] = str(delivered.frame.id)
        try:
            await self.chance.choice((*self.actions, *self.dialogs) if talks else self.actions)(delivered)
        finally:
            if not talks:
                del self.running[ordering_key]

    async def second(self, delivered: Delivered) -> None:
        self.begun[str(delivered.frame.id)] += 1
        if self.chance.random() < 0.3:
            await self.answer(delivered)

    async def answer(self, _: Delivered) -> None:
        for _step in range(self.chance.randrange(3)):
            await asyncio.sleep(0)

    async def sleep(self, _: Delivered) -> None:
        await asyncio.sleep(self.chance.random() * 0.004)

    async def fail(self, delivered: Delivered) -> None:
        await self.answer(delivered)
        raise ValueError("a handler that fails")

    async def cancel_itself(self, _: Delivered) -> None:
        _this_task().cancel()
        await asyncio.sleep(0)

    async def await_what_is_cancelled(self, _: Delivered) -> None:
        task = asyncio.create_task(asyncio.sleep(1))
        asyncio.get_running_loop().call_soon(task.cancel)
        await task

    async def cancel_a_worker(self, _: Delivered) -> None:
        self.workers.append(_this_task())
        if not self.shared and self.chance.random() < 0.3:
            await asyncio.sleep(0)
            self.chance.choice(self.workers).cancel()

    async def wait_for(self, delivered: Delivered, timeout: float | None = None) -> Delivered:
        kind = self.chance.choice((C2CMessageCreate, InteractionCreate))
        anywhere = self.chance.random() < 0.2
        when = self.chance.choice((of_a_talker, lambda event: of_a_talker(event) and self.wants(event)))
        limit = self.chance.random() * 0.01 if timeout is None else timeout
        taken = await delivered.wait_for(Wanted((kind,), when, anywhere), limit)
        self.taken[str(taken.frame.id)] += 1
        return taken

    def waiting(self, delivered: Delivered) -> "asyncio.Task[Delivered]":
        """A task that may outlive its handler, whose end nobody has to look at."""
        task = asyncio.create_task(self.wait_for(delivered))
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return task

    async def ask(self, delivered: Delivered) -> None:
        for _ in range(self.chance.randrange(1, 4)):
            delivered = await self.wait_for(delivered)
            await self.answer(delivered)

    async def ask_within_a_time(self, delivered: Delivered) -> None:
        async with asyncio.timeout(self.chance.random() * 0.006):
            await self.wait_for(delivered)

    async def ask_two_at_once(self, delivered: Delivered) -> None:
        await asyncio.gather(*(self.waiting(delivered) for _ in range(2)), return_exceptions=True)

    async def ask_for_the_first_of_two(self, delivered: Delivered) -> None:
        waits = [self.waiting(delivered) for _ in range(2)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        if self.chance.random() < 0.5:
            await self.ask(delivered)

    async def ask_and_go_on(self, delivered: Delivered) -> None:
        wait = self.waiting(delivered)
        await self.sleep(delivered)
        await wait

    # What comes

    async def read(self, feed: ShardSource, door: DirectSource | None, first: int) -> None:
        """What a shard's reader does, and beside it the webhook."""
        for seq in range(first, first + EVENTS):
            user = self.chance.choice((*TALKERS, *OTHERS))
            frame = self.chance.choice((message, message, click))(seq, user)
            if feed.full:
                await feed.room()
            if door is not None and self.chance.random() < 0.3:
                self.deliver(door, frame)
            feed.publish(frame, b"")
            if self.chance.random() < 0.1:
                feed.publish(frame, b"")
            if door is not None and self.chance.random() < 0.3:
                self.deliver(door, frame)
            if self.chance.random() < 0.3:
                await asyncio.sleep(self.chance.choice((0, 0, 0.001)))

    def deliver(self, door: DirectSource, frame: Frame) -> None:
        if self.chance.random() < 0.3:
            task: asyncio.Task[Outcome | None] = asyncio.create_task(_take(door, frame))
        else:
            task = asyncio.create_task(deliver(door, frame, b""))
        self.callers[task] = str(frame.id)
        if self.chance.random() < 0.1:
            asyncio.get_running_loop().call_later(0.001, task.cancel)

    def ways(self, dispatcher: Dispatcher) -> tuple[list[ShardSource], DirectSource | None]:
        return [ShardSource(dispatcher, lease) for lease in self.leases], DirectSource(
            dispatcher
        ) if self.two_ways else None

    # What must hold

    def check_order(self) -> None:
        if not self.two_ways:
            for seqs in self.order.values():
                for feed in range(len(self.leases)):
                    of_feed = [seq for seq in seqs if (seq - 1) // EVENTS == feed]
                    assert of_feed == sorted(of_feed)

    def check_outcomes(self) -> None:
        """Who was told that an event is done was told the truth."""
        for caller, event_id in self.callers.items():
            if not caller.cancelled() and caller.result() in ("handled", "failed", "consumed"):
                assert self.begun[event_id] + self.taken[event_id] == 1 or caller.result() == "failed"


def of_a_talker(event: Event) -> bool:
    """What a wait gives back may come later than what followed it: so the others' events are not waited for."""
    return event.ordering_key.endswith(TALKERS)


async def _take(door: DirectSource, frame: Frame) -> None:
    await door.take(frame, b"")


def _this_task() -> "asyncio.Task[object]":
    task = asyncio.current_task()
    assert task is not None
    return task


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.001)


def nothing_is_left(dispatcher: Dispatcher, feeds: list[ShardSource], door: DirectSource | None) -> None:
    inlets = (*feeds, *([] if door is None else [door]))
    assert (dispatcher.inflight, dispatcher.waiting, dispatcher.full_for) == (0, 0, 0)
    assert [(source.pending, source.waiting) for source in inlets] == [(0, 0)] * len(inlets)
    assert not dispatcher._ordering.held
    assert not dispatcher._ordering.holders
    assert not dispatcher._dedupe.unfinished
    assert (dispatcher.queued, dispatcher.queued_bytes) == (0, 0)
    assert not dispatcher.backlog.empty()


@pytest.mark.parametrize("seed", range(24))
async def test_all_is_handled_once(seed: int) -> None:
    world = World(seed)
    async with world.run() as dispatcher:
        feeds, door = world.ways(dispatcher)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            for number, feed in enumerate(feeds):
                group.create_task(world.read(feed, door, 1 + number * EVENTS))
        await _until(lambda: all(caller.done() for caller in world.callers))
        inlets = (*feeds, *([] if door is None else [door]))  # what `take` has queued has no caller to wait for
        await _until(lambda: not any(each.pending for each in inlets) and not dispatcher.inflight + dispatcher.waiting)
        nothing_is_left(dispatcher, feeds, door)
        for number, feed in enumerate(feeds):
            assert (feed.watermark.low, feed.watermark.done) == ((number + 1) * EVENTS, ())
    times = world.begun + world.taken
    assert len(times) == 2 * EVENTS
    assert set(times.values()) == {1}
    world.check_order()
    world.check_outcomes()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("seed", range(100, 124))
async def test_what_is_not_handled_comes_again(seed: int) -> None:
    """The end, or the loss of a lease, at a random moment."""
    world = World(seed)
    async with world.run() as dispatcher:
        feeds, door = world.ways(dispatcher)
        readers = [
            asyncio.create_task(world.read(feed, door, 1 + number * EVENTS)) for number, feed in enumerate(feeds)
        ]
        await asyncio.sleep(world.chance.random() * 0.05)
        world.leases[0].held = False
        await asyncio.sleep(world.chance.random() * 0.05)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await feeds[1].drain(world.chance.random() * 0.01)
    await _until(lambda: all(caller.done() for caller in world.callers))
    nothing_is_left(dispatcher, feeds, door)
    times = world.begun + world.taken
    assert set(times.values()) <= {1}
    for number, feed in enumerate(feeds):
        finished = set(range(1 + number * EVENTS, feed.watermark.low + 1))
        for first, last in feed.watermark.done:
            finished.update(range(first, last + 1))
        begun = {int(event_id.rpartition(":")[2]) for event_id in times}
        assert finished <= begun, "what is finished was handled"
    world.check_order()
    world.check_outcomes()
    await _until(partial(_alone, asyncio.current_task()))


def _alone(me: "asyncio.Task[object] | None") -> bool:
    return asyncio.all_tasks() == {me}
