"""The dispatcher alone: order, bounds, workers, repeats; handlers and leases are stand-ins at the seams."""

import asyncio
import contextlib
import gc
import itertools
from contextvars import ContextVar, copy_context

import msgspec
import pytest

from qqbot.bot.context import Delivered
from qqbot.dispatcher import Dispatcher, ShardSource
from qqbot.dispatcher.backlog import BURST
from qqbot.dispatcher.delivery import Delivery, Parked
from qqbot.lease import current_lease
from qqbot.models.events import (
    C2CMessageCreate,
    Event,
    InteractionCreate,
    UnknownEvent,
)
from tests.dispatcher.standins import FakeLease, One, Table, click, message, publish, running, settle


async def test_events_of_one_conversation_run_one_after_another_others_beside() -> None:
    begun: list[str] = []
    gate = asyncio.Event()

    async def handler(event: C2CMessageCreate) -> None:
        begun.append(event.content)
        await gate.wait()

    async with running(Table([One(handler)])) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2), message(3, "B"), message(4))
        await settle()
        assert begun == ["1", "3"]
        gate.set()
        assert await feed.drain(5) == 0
        assert begun == ["1", "3", "2", "4"]


async def test_a_click_does_not_queue_behind_a_message_of_its_conversation() -> None:
    seen: list[str] = []

    async def handler(event: Event) -> None:
        seen.append(type(event).__name__)
        if not isinstance(event, InteractionCreate):
            await asyncio.Event().wait()

    async with running(Table([One(handler)])) as dispatcher:
        publish(ShardSource(dispatcher, FakeLease()), message(1), click(2))
        await settle()
        assert seen == ["C2CMessageCreate", "InteractionCreate"]


async def test_a_repeat_within_the_session_is_dropped() -> None:
    seen: list[str] = []

    async def handler(event: C2CMessageCreate) -> None:
        seen.append(event.content)

    async with running(Table([One(handler)])) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        feed.begin("session", 1)
        publish(feed, message(1), message(2), message(2), message(3), message(2))
        await feed.drain(5)
        assert seen == ["2", "3"]
        assert feed.repeats == 3


async def test_one_message_under_two_event_names_reaches_a_handler_once() -> None:
    seen: list[str] = []

    async def handler(event: C2CMessageCreate) -> None:
        seen.append(event.content)

    async with running(Table([One(handler)])) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        again = msgspec.structs.replace(message(1), s=2)
        publish(feed, message(1), again)
        await feed.drain(5)
        assert seen == ["1"]


async def test_at_most_max_inflight_run_and_max_queued_wait_then_room_waits() -> None:
    gate = asyncio.Event()

    async def handler(event: Event) -> None:
        await gate.wait()

    async with running(Table([One(handler)]), max_inflight=3, max_queued=2) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        for seq, user in enumerate("ABCDE", 1):
            assert not feed.full
            publish(feed, message(seq, user))
            await settle()
        assert (dispatcher.inflight, dispatcher.queued) == (3, 2)
        assert feed.full
        assert dispatcher.full_for > 0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(feed.room(), 0.02)
        waiting = asyncio.create_task(feed.room())
        await asyncio.sleep(0)
        gate.set()
        await asyncio.wait_for(waiting, 5)
        assert not feed.full
        assert await feed.drain(5) == 0
        assert (dispatcher.inflight, dispatcher.queued, dispatcher.full_for) == (0, 0, 0)


async def test_waiting_events_are_bounded_by_their_bytes_too() -> None:
    gate = asyncio.Event()

    async def handler(event: Event) -> None:
        await gate.wait()

    async with running(Table([One(handler)]), max_queued_bytes=1000) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        assert feed.publish(message(1), b"x" * 300)
        await settle()
        assert dispatcher.queued_bytes == 0, "what is handled does not wait"
        assert [feed.publish(message(seq), b"x" * 300) for seq in range(2, 6)] == [True, True, True, False]
        assert (feed.full, dispatcher.queued, dispatcher.queued_bytes) == (True, 4, 1200)
        gate.set()
        await asyncio.wait_for(feed.room(), 5)
        assert await feed.drain(5) == 0
        assert dispatcher.queued_bytes == 0


async def test_a_conversation_with_10_000_messages_holds_up_no_other_one() -> None:
    handled: list[int] = []
    answered: list[float] = []
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def handler(event: C2CMessageCreate) -> None:
        if event.author.openid == "B":
            answered.append(loop.time())
            return
        if not handled:
            await gate.wait()
        handled.append(int(event.content))

    async with running(Table([One(handler)]), max_queued=20_000) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        for seq in range(1, 10_001):
            if not feed.publish(message(seq), message(seq).d):
                await asyncio.sleep(0)
        await settle()
        assert (dispatcher.inflight, dispatcher.queued, dispatcher.workers) == (1, 9_999, 2)
        asked = loop.time()
        publish(feed, message(10_001, "B"))
        async with asyncio.timeout(5):
            while not answered:
                await asyncio.sleep(0)
        assert answered[0] - asked < 0.1
        gate.set()
        assert await feed.drain(30) == 0
        assert (dispatcher.inflight, dispatcher.queued, dispatcher.queued_bytes) == (0, 0, 0)
    assert handled == list(range(1, 10_001))


async def test_what_waits_behind_its_conversation_is_kept_small() -> None:
    gate = asyncio.Event()

    async def handler(event: C2CMessageCreate) -> None:
        await gate.wait()

    async with running(Table([One(handler)])) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2))
        await settle()
        ((key, (delivery,)),) = dispatcher._ordering.held.items()
        assert isinstance(delivery, Delivery)
        assert (key, type(delivery.event)) == ("c2c:A", Parked)
        gate.set()
        assert await feed.drain(5) == 0


async def test_many_events_that_do_not_suspend_let_other_tasks_run_in_between() -> None:
    handled = 0
    seen: list[int] = []

    async def handler(event: Event) -> None:
        nonlocal handled
        handled += 1

    async with running(Table([One(handler)])) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, *(message(seq, str(seq)) for seq in range(1, 1001)))
        while handled < 1000:
            await asyncio.sleep(0)
            seen.append(handled)
    assert max(after - before for before, after in itertools.pairwise((0, *seen))) <= 64


async def test_handlers_that_do_not_suspend_need_two_workers_at_most() -> None:
    async def handler(event: Event) -> None: ...

    async with running(Table([One(handler)]), max_inflight=1000) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, *(message(seq, str(seq)) for seq in range(1, 501)))
        await feed.drain(5)
        assert dispatcher.workers <= 2


async def test_idle_workers_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qqbot.dispatcher.workers.IDLE_SECONDS", 0.02)
    gate = asyncio.Event()

    async def handler(event: Event) -> None:
        await gate.wait()

    async with running(Table([One(handler)])) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, *(message(seq, str(seq)) for seq in range(1, 21)))
        await settle()
        assert dispatcher.workers == 20
        gate.set()
        await feed.drain(5)
        async with asyncio.timeout(10):
            while dispatcher.workers:
                await asyncio.sleep(0.01)
        publish(feed, message(30))
        assert await feed.drain(5) == 0


async def test_an_exception_stays_with_its_event() -> None:
    seen: list[str] = []

    async def fail(event: Event) -> None:
        raise ValueError("no")

    async def handler(event: C2CMessageCreate) -> None:
        seen.append(event.content)

    table = Table([One(fail), One(handler)])
    outcomes: list[tuple[str, str]] = []
    async with running(table) as dispatcher:
        dispatcher.settled.append(lambda event_id, outcome: outcomes.append((event_id, outcome)))
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2))
        await feed.drain(5)
    assert seen == ["1", "2"]
    assert [str(error) for error in table.errors] == ["no", "no"]
    assert outcomes == [("C2C_MESSAGE_CREATE:1", "failed"), ("C2C_MESSAGE_CREATE:2", "failed")]


async def test_a_predicate_chooses_and_its_exception_stays_with_its_handler() -> None:
    seen: list[str] = []
    outcomes: list[str] = []

    async def handler(event: C2CMessageCreate) -> None:
        seen.append(event.content)

    def fail(event: C2CMessageCreate) -> bool:
        raise ValueError("no")

    table = Table([One(handler, when=lambda event: event.content == "2"), One(handler, when=fail)])
    async with running(table) as dispatcher:
        dispatcher.settled.append(lambda _, outcome: outcomes.append(outcome))
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2))
        await feed.drain(5)
        table.handlers.pop()
        publish(feed, message(3))
        await feed.drain(5)
    assert seen == ["2"]
    assert outcomes == ["failed", "failed", "unwanted"]
    assert len(table.errors) == 2


async def test_a_stray_cancellation_stays_with_its_event() -> None:
    async def handler(event: Event) -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        asyncio.get_running_loop().call_soon(task.cancel)
        await task

    table = Table([One(handler)])
    async with running(table) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        assert await feed.drain(5) == 0
    assert "cancelled" in str(table.errors[0])


async def test_an_unwanted_event_is_finished_and_not_decoded() -> None:
    outcomes: list[str] = []

    async def handler(event: Event) -> None: ...

    async with running(Table([One(handler)], unwanted={"C2C_MESSAGE_CREATE"})) as dispatcher:
        dispatcher.settled.append(lambda _, outcome: outcomes.append(outcome))
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, msgspec.structs.replace(message(1), d=msgspec.Raw(b"{not even JSON")))
        assert await feed.drain(5) == 0
        assert outcomes == ["unwanted"]
        assert feed.watermark.low == 1


async def test_what_does_not_fit_becomes_an_unknown_event() -> None:
    seen: list[Event] = []

    async def handler(event: Event) -> None:
        seen.append(event)

    async with running(Table([One(handler)])) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, msgspec.structs.replace(message(1), d=msgspec.Raw(b"[1]")))
        await feed.drain(5)
    assert isinstance(seen[0], UnknownEvent)
    assert seen[0].error


async def test_nothing_is_handled_under_a_lost_lease_and_it_stays_unfinished() -> None:
    seen: list[Event] = []

    async def handler(event: Event) -> None:
        seen.append(event)

    async with running(Table([One(handler)])) as dispatcher:
        lease = FakeLease()
        feed = ShardSource(dispatcher, lease)
        publish(feed, message(1))
        lease.held = False
        assert await feed.drain(5) == 0
        assert seen == []
        assert feed.watermark.low == 0


async def test_handlers_see_the_lease_of_their_event() -> None:
    seen: list[object] = []

    async def handler(event: Event) -> None:
        seen.append(current_lease.get())

    async with running(Table([One(handler)])) as dispatcher:
        first, second = FakeLease(), FakeLease(token=2)
        publish(ShardSource(dispatcher, first), message(1))
        publish(ShardSource(dispatcher, second), message(2))
        await settle()
        assert seen == [first, second]


async def test_what_a_handler_sets_in_its_context_stays_with_its_event() -> None:
    tenant: ContextVar[str] = ContextVar("tenant", default="nobody")
    seen: list[str] = []

    async def handler(event: C2CMessageCreate) -> None:
        seen.append(tenant.get())
        tenant.set(event.content)
        await asyncio.sleep(0)
        seen.append(tenant.get())

    async with running(Table([One(handler)])) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        for seq in (1, 2):
            publish(feed, message(seq))
            await feed.drain(5)
    assert seen == ["nobody", "1", "nobody", "2"]


async def test_timeouts_and_tasks_work_in_a_handler() -> None:
    seen: list[str] = []

    async def handler(event: C2CMessageCreate) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        with pytest.raises(ZeroDivisionError):
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(10))
                _ = 1 / 0
        seen.append(event.content)

    table = Table([One(handler)])
    async with running(table) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await feed.drain(5)
    assert seen == []  # the group wraps the error: pytest.raises lets it through
    assert isinstance(table.errors[0], ExceptionGroup)


@pytest.mark.parametrize("how", ["cancels itself", "raises what is no Exception"])
async def test_a_worker_that_a_handler_ends_does_not_stall_its_lane(how: str, caplog: pytest.LogCaptureFixture) -> None:
    class Odd(BaseException):
        pass

    seen: list[str] = []

    async def handler(event: C2CMessageCreate) -> None:
        seen.append(event.content)
        if event.content == "1":
            if how == "raises what is no Exception":
                raise Odd
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)

    caplog.set_level("INFO")
    table = Table([One(handler)])
    async with running(table) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2), message(3))
        assert await feed.drain(5) == 0
    assert seen == ["1", "2", "3"]
    assert ("was cancelled while it handled" if how == "cancels itself" else "ended its worker") in caplog.text
    assert table.errors == []


async def test_a_handler_that_cancels_itself_and_ends_leaves_the_next_event_alone() -> None:
    seen: list[str] = []

    async def handler(event: C2CMessageCreate) -> None:
        task = asyncio.current_task()
        if event.content == "1" and task is not None:
            task.cancel()
            return
        await asyncio.sleep(0)
        seen.append(event.content)

    table = Table([One(handler)])
    async with running(table) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2, "B"), message(3, "C"))
        assert await feed.drain(5) == 0
        publish(feed, message(4))
        assert await feed.drain(5) == 0
    assert (seen, table.errors) == (["2", "3", "4"], [])


async def test_a_handler_that_swallows_its_cancellation_does_not_hold_up_the_end() -> None:
    async def handler(event: Event) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    loop = asyncio.get_running_loop()
    async with running(Table([One(handler)])) as dispatcher:
        publish(ShardSource(dispatcher, FakeLease()), message(1))
        await settle()
        start = loop.time()
    assert loop.time() - start < 5


async def test_what_the_end_of_the_loop_cuts_off_comes_again() -> None:
    async def handler(event: Event) -> None:
        await asyncio.Event().wait()

    async def serve() -> None:
        async with running(table) as dispatcher:
            feeds.append(ShardSource(dispatcher, FakeLease()))
            publish(feeds[0], message(1))
            await asyncio.Event().wait()

    table, feeds = Table([One(handler)]), list[ShardSource]()
    serving = asyncio.create_task(serve())
    await asyncio.sleep(0.01)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.wait([serving])
    assert (feeds[0].watermark.low, feeds[0].given_up, table.errors) == (0, 1, [])


async def test_a_cancellation_that_the_owner_caught_before_is_no_end_of_the_loop() -> None:
    async def handler(event: Event) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    async def serve() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        async with running(table) as dispatcher:
            feed = ShardSource(dispatcher, FakeLease())
            publish(feed, message(1))
            assert await feed.drain(5) == 0

    table = Table([One(handler)])
    await asyncio.create_task(serve())
    assert table.errors == []  # it was cancelled on purpose


async def test_a_flood_of_unknown_names_is_not_remembered_without_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    names = [f"NAME_{number}" for number in range(3000)]
    async with running(Table([], unwanted=set(names))) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, *(message(seq, name=name) for seq, name in enumerate(names, 1)))
        assert await feed.drain(5) == 0
    assert len(caplog.records) == 1024


async def test_drain_tells_what_is_left_and_leaving_cancels_it() -> None:
    ended: list[str] = []

    async def handler(event: C2CMessageCreate) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(event.content)

    async with running(Table([One(handler)])) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2, "B"))
        assert await feed.drain(0.02) == 2
        assert feed.watermark.low == 0
    assert sorted(ended) == ["1", "2"]
    gc.collect()
    assert len(asyncio.all_tasks()) == 1


async def test_a_message_is_remembered_beyond_the_next_few_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qqbot.dispatcher.dedupe.REMEMBERED_MESSAGES", 2)
    seen: list[str] = []

    async def handler(event: C2CMessageCreate) -> None:
        seen.append(event.content)

    async with running(Table([One(handler)])) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2), msgspec.structs.replace(message(1), s=3))
        await feed.drain(5)
    assert seen == ["1", "2"]


async def test_only_so_many_messages_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qqbot.dispatcher.dedupe.REMEMBERED_MESSAGES", 2)
    seen: list[str] = []

    async def handler(event: C2CMessageCreate) -> None:
        seen.append(event.content)

    async with running(Table([One(handler)])) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, *(message(seq) for seq in range(1, 6)), msgspec.structs.replace(message(1), s=6))
        await feed.drain(5)
    assert seen == ["1", "2", "3", "4", "5", "1"]


async def test_what_was_finished_before_a_restart_is_not_handled_again() -> None:
    seen: list[str] = []

    async def handler(event: C2CMessageCreate) -> None:
        seen.append(event.content)

    async with running(Table([One(handler)])) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        feed.begin("session", 1, ((3, 4),))
        publish(feed, *(message(seq) for seq in range(1, 6)))
        await feed.drain(5)
    assert seen == ["2", "5"]


async def test_a_worker_that_is_cancelled_after_it_was_woken_is_replaced() -> None:
    seen: list[int | None] = []
    tasks: list[asyncio.Task[object]] = []

    async def handler(delivered: Delivered) -> None:
        task = asyncio.current_task()  # to "cancel what I did before", a bot may think; but it is a worker
        assert task is not None
        tasks.append(task)
        seen.append(delivered.frame.s)

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        for seq in (1, 3, 5):
            publish(feed, message(seq))
            assert await feed.drain(5) == 0
            publish(feed, message(seq + 1))
            tasks[-1].cancel()
            assert await feed.drain(5) == 0
    assert seen == [1, 2, 3, 4, 5, 6]


async def test_a_handler_that_ignores_its_cancellation_at_the_end_is_the_last_one() -> None:
    seen: list[int | None] = []

    async def handler(delivered: Delivered) -> None:
        seen.append(delivered.frame.s)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2), message(3, "B"), message(4, "B"))
        await settle()
    assert seen == [1, 3]
    assert (dispatcher.inflight, feed.watermark.low, feed.watermark.done) == (0, 1, ((3, 3),))


async def test_each_event_has_the_moment_of_its_arrival_however_long_others_wait() -> None:
    now = 0.0
    received: list[float] = []
    gate = asyncio.Event()

    async def handler(delivered: Delivered) -> None:
        received.append(delivered.received)
        await gate.wait()

    dispatcher = Dispatcher(Table([One(handler)], bare=True), lambda: now, max_inflight=1)
    async with dispatcher.within(copy_context()):
        feed = ShardSource(dispatcher, FakeLease())
        for seq in range(1, 5):
            now = 100.0 * seq
            publish(feed, message(seq, f"U{seq}"))
            await settle()
        gate.set()
        assert await feed.drain(5) == 0
    assert received == [100.0, 200.0, 300.0, 400.0]


async def test_a_reader_that_ends_a_burst_lets_handlers_run_and_readers_take_turns() -> None:
    handled = 0

    async def handler(event: Event) -> None:
        nonlocal handled
        handled += 1

    async with running(Table([One(handler)])) as dispatcher:
        first, second, third = (ShardSource(dispatcher, FakeLease()) for _ in range(3))
        more = [first.publish(message(seq, str(seq)), b"") for seq in range(1, BURST + 1)]
        assert more == [True] * (BURST - 1) + [False]
        assert all(source.full for source in (first, second, third))
        order: list[ShardSource] = []

        async def read(source: ShardSource) -> None:
            await source.room()
            order.append(source)
            seq = 1000 * len(order)
            while source.publish(message(seq, str(seq)), b""):
                seq += 1

        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            for source in (second, third, first):
                group.create_task(read(source))
        assert order == [second, third, first]
        for source in order:
            assert await source.drain(5) == 0
        assert not dispatcher.full
    assert BURST + 3 <= handled <= BURST + 3 * 2 * BURST, "a turn is one burst, on top of what waits at its beginning"
