"""Events that no shard of this process received: awaited, repeated, forgotten, shared with other processes."""

import asyncio
import gc
import tracemalloc

import msgspec
import pytest

from qqbot.bot.context import Delivered
from qqbot.dispatcher import DirectSource, ShardSource, dedupe
from qqbot.dispatcher.delivery import Wanted
from qqbot.errors import Interrupted
from qqbot.models.events import C2CMessageCreate
from qqbot.models.frames import Frame
from qqbot.models.outcome import Outcome
from tests.dispatcher.standins import FakeLease, One, Table, click, deliver, message, publish, running, settle


class Ids:
    """A set that other processes write to as well."""

    def __init__(self, *known: str) -> None:
        self.known = set(known)

    async def add(self, event_id: str) -> bool:
        await asyncio.sleep(0)
        new = event_id not in self.known
        self.known.add(event_id)
        return new

    async def contains(self, event_id: str) -> bool:
        await asyncio.sleep(0)
        return event_id in self.known

    async def discard(self, event_id: str) -> None:
        self.known.discard(event_id)


def counting(seen: list[str], gate: asyncio.Event | None = None) -> One:
    async def handler(delivered: Delivered) -> None:
        seen.append(delivered.frame.id or "")
        if gate is not None:
            await gate.wait()

    return One(handler)


async def test_deliver_returns_when_the_handlers_have_ended() -> None:
    seen: list[str] = []
    async with running(Table([counting(seen)], bare=True)) as dispatcher:
        door = DirectSource(dispatcher)
        assert await deliver(door, message(1), b"") == "handled"
        assert await deliver(door, message(2), b"") == "handled"
    assert seen == ["C2C_MESSAGE_CREATE:1", "C2C_MESSAGE_CREATE:2"]


async def test_deliver_tells_a_failure_and_what_nobody_wants() -> None:
    async def handler(_: Delivered) -> None:
        raise ValueError

    async with running(Table([One(handler)], unwanted={"C2C_MSG_REJECT"}, bare=True)) as dispatcher:
        door = DirectSource(dispatcher)
        assert await deliver(door, message(1), b"") == "failed"
        assert await deliver(door, message(2, name="C2C_MSG_REJECT"), b"") == "unwanted"


async def test_a_repeat_waits_for_the_first_ones_end_and_ends_like_it() -> None:
    seen: list[str] = []
    gate = asyncio.Event()
    async with running(Table([counting(seen, gate)], bare=True)) as dispatcher:
        door = DirectSource(dispatcher)
        both = [asyncio.create_task(deliver(door, message(1), b"")) for _ in range(2)]
        await settle()
        assert not any(task.done() for task in both)
        gate.set()
        assert await asyncio.gather(*both) == ["handled", "handled"]
        assert await deliver(door, message(1), b"") == "handled"
        assert await door.drain(5) == 0
    assert len(seen) == 1


async def test_a_repeat_waits_for_the_first_ones_end_however_many_came_since(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qqbot.dispatcher.dedupe.REMEMBERED_EVENTS", 4)
    monkeypatch.setattr("qqbot.dispatcher.dedupe.REMEMBERED_MESSAGES", 4)
    seen: list[str] = []
    gate = asyncio.Event()

    async def handler(delivered: Delivered) -> None:
        seen.append(delivered.frame.id or "")
        if delivered.frame.s == 1:
            await gate.wait()

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        door = DirectSource(dispatcher)
        first = asyncio.create_task(deliver(door, message(1), b""))
        for seq in range(2, 30):
            assert await deliver(door, message(seq, "B"), b"") == "handled"
        again = asyncio.create_task(deliver(door, message(1), b""))
        await settle()
        assert not again.done()
        gate.set()
        assert await asyncio.gather(first, again) == ["handled", "handled"]
    assert seen.count("C2C_MESSAGE_CREATE:1") == 1


@pytest.mark.parametrize("shared", [False, True])
async def test_what_failed_runs_again_where_its_sender_delivers_it_again(shared: bool) -> None:
    runs, ids = 0, Ids()

    async def fails_twice(_: Delivered) -> None:
        nonlocal runs
        runs += 1
        if runs <= 2:
            raise ValueError

    async with running(Table([One(fails_twice)], bare=True), seen=ids if shared else None) as dispatcher:
        door = DirectSource(dispatcher)
        for outcome in ("failed", "failed", "handled", "handled"):
            assert await deliver(door, message(1), b"", retry=True) == outcome
            assert ids.known == ({message(1).id} if shared and outcome == "handled" else set())
        assert runs == 3


async def test_what_failed_stays_so_where_its_sender_does_not_deliver_it_again() -> None:
    runs = 0

    async def fails(_: Delivered) -> None:
        nonlocal runs
        runs += 1
        raise ValueError

    async with running(Table([One(fails)], bare=True)) as dispatcher:
        door = DirectSource(dispatcher)
        assert [await deliver(door, message(1), b"") for _ in range(2)] == ["failed"] * 2
    assert runs == 1


async def test_a_repeat_whose_sender_delivers_it_again_speaks_for_the_first() -> None:
    gate, runs = asyncio.Event(), 0

    async def fails_once(_: Delivered) -> None:
        nonlocal runs
        runs += 1
        await gate.wait()
        if runs == 1:
            raise ValueError

    async with running(Table([One(fails_once)], bare=True)) as dispatcher:
        door, feed = DirectSource(dispatcher), ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        second = asyncio.create_task(deliver(door, message(1), b"", retry=True))
        await settle()
        gate.set()
        assert await second == "failed"
        assert await deliver(door, message(1), b"", retry=True) == "handled"
    assert runs == 2


async def test_an_event_that_comes_both_ways_is_handled_once_and_its_seq_finished_with_it() -> None:
    seen: list[str] = []
    gate = asyncio.Event()
    async with running(Table([counting(seen, gate)], bare=True)) as dispatcher:
        door, feed = DirectSource(dispatcher), ShardSource(dispatcher, FakeLease())
        await door.take(message(1), b"")
        publish(feed, message(1))
        await settle()
        assert feed.watermark.low == 0  # a crash now must bring it again
        gate.set()
        assert await feed.drain(5) == 0
        assert feed.watermark.low == 1
        publish(feed, message(2))
        assert await feed.drain(5) == 0
        assert await deliver(door, message(2), b"") == "handled"
    assert len(seen) == 2


async def test_whether_an_earlier_process_began_an_event_does_not_change_with_a_new_session() -> None:
    again: dict[str, bool] = {}
    gate = asyncio.Event()

    async def handler(delivered: Delivered) -> None:
        await gate.wait()
        again[delivered.frame.id or ""] = delivered.again

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        feed.begin("taken over", 1, taken_over=True)
        publish(feed, message(2), message(3))
        feed.caught_up(2)
        feed.begin("of this process", 0)
        publish(feed, click(1, "B"))
        await settle()  # all wait, in two conversations
        gate.set()
        assert await feed.drain(5) == 0
    assert again == {
        "C2C_MESSAGE_CREATE:1": False,
        "C2C_MESSAGE_CREATE:2": True,
        "C2C_MESSAGE_CREATE:3": False,
        "click:1": False,
    }


async def test_what_is_cut_short_by_the_end_is_told_to_come_again() -> None:
    seen: list[str] = []
    async with running(Table([counting(seen, asyncio.Event())], bare=True)) as dispatcher:
        door = DirectSource(dispatcher)
        begun = asyncio.create_task(deliver(door, message(1), b""))
        queued = asyncio.create_task(deliver(door, message(2), b""))
        await settle()
    assert await asyncio.gather(begun, queued) == [None, None]
    assert await deliver(door, message(3), b"") is None
    assert len(seen) == 1


async def test_who_waits_for_room_is_not_overtaken() -> None:
    order: list[int | None] = []

    async def handler(delivered: Delivered) -> None:
        order.append(delivered.frame.s)
        await asyncio.sleep(0)

    async with running(Table([One(handler)], bare=True), max_inflight=1) as dispatcher:
        door = DirectSource(dispatcher)

        async def one_after_another(*seqs: int) -> None:
            for seq in seqs:
                assert await deliver(door, message(seq), b"") == "handled"

        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(one_after_another(1, 4, 6))
            group.create_task(one_after_another(2, 5))
            group.create_task(one_after_another(3))
    assert order == [1, 2, 3, 4, 5, 6]


async def test_the_end_is_told_to_who_waits_also_where_it_is_cut_short_itself() -> None:
    async def handler(_: Delivered) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)

    delivering: list[asyncio.Task[Outcome | None]] = []

    async def serve() -> None:
        async with running(Table([One(handler)], bare=True)) as dispatcher:
            door = DirectSource(dispatcher)
            delivering.extend(asyncio.create_task(deliver(door, message(seq), b"")) for seq in (1, 2))
            await asyncio.sleep(60)

    serving = asyncio.create_task(serve())
    for _ in range(2):
        await settle()
        serving.cancel()
    await asyncio.wait([serving])
    async with asyncio.timeout(5):
        assert await asyncio.gather(*delivering) == [None, None]


async def test_deliver_waits_for_room() -> None:
    gate = asyncio.Event()
    async with running(Table([counting([], gate)], bare=True), max_inflight=1) as dispatcher:
        door = DirectSource(dispatcher)
        await door.take(message(1), b"")
        second = asyncio.create_task(deliver(door, message(2, "B"), b""))
        await settle()
        assert dispatcher.inflight == 1
        gate.set()
        assert await second == "handled"


async def test_what_another_process_finished_is_not_handled_and_what_is_finished_here_is_shared() -> None:
    seen: list[str] = []
    ids = Ids("C2C_MESSAGE_CREATE:1")
    async with running(Table([counting(seen)], bare=True), seen=ids) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2))
        assert await feed.drain(5) == 0
        assert feed.watermark.low == 2, "what is finished elsewhere is finished here"
        assert await deliver(DirectSource(dispatcher), message(1), b"") is not None
    assert seen == ["C2C_MESSAGE_CREATE:2"]
    assert ids.known == {"C2C_MESSAGE_CREATE:1", "C2C_MESSAGE_CREATE:2"}


async def test_what_a_handler_took_is_shared_when_the_handler_ends() -> None:
    ids, gate = Ids(), asyncio.Event()

    async def handler(first: Delivered) -> None:
        await first.wait_for(Wanted((C2CMessageCreate,)), 5)
        await gate.wait()

    async with running(Table([One(handler)], bare=True), seen=ids) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        publish(feed, message(2))
        await settle()
        assert ids.known == set()  # a process that dies now repeats the dialog, and another one must not skip it
        gate.set()
        assert await feed.drain(5) == 0
        assert ids.known == {"C2C_MESSAGE_CREATE:1", "C2C_MESSAGE_CREATE:2"}


async def test_an_event_whose_answer_goes_first_is_claimed_and_given_back_when_the_end_cuts_it_short() -> None:
    seen: list[str] = []
    ids = Ids("C2C_MESSAGE_CREATE:1")
    async with running(Table([counting(seen, asyncio.Event())], bare=True), seen=ids) as dispatcher:
        door = DirectSource(dispatcher)
        await door.take(message(1), b"")
        await door.take(message(2), b"")
        await settle()
        assert "C2C_MESSAGE_CREATE:2" in ids.known  # accepted ones, since the sender will not repeat them
    assert seen == ["C2C_MESSAGE_CREATE:2"]
    assert ids.known == {"C2C_MESSAGE_CREATE:1"}


async def test_a_lease_that_ends_while_the_shared_ids_are_asked_leaves_the_event_to_the_next_owner() -> None:
    lease, seen = FakeLease(), list[str]()

    class Slow(Ids):
        async def contains(self, event_id: str) -> bool:
            lease.held = False
            return await super().contains(event_id)

    async with running(Table([counting(seen)], bare=True), seen=Slow()) as dispatcher:
        feed = ShardSource(dispatcher, lease)
        publish(feed, message(1))
        await feed.drain(5)
        assert seen == [] and feed.watermark.low == 0


@pytest.mark.parametrize("first", ["door", "feed"])
async def test_an_event_that_comes_both_ways_at_once_is_handled_where_its_id_is_claimed_for_all_processes(
    first: str,
) -> None:
    seen: list[str] = []
    async with running(Table([counting(seen)], bare=True), seen=Ids()) as dispatcher:
        door, feed = DirectSource(dispatcher), ShardSource(dispatcher, FakeLease())
        for step in range(4):
            frame = message(step + 1)
            if first == "feed":
                publish(feed, frame)
            taking = asyncio.create_task(door.take(frame, b""))
            for _ in range(step):
                await asyncio.sleep(0)
            if first == "door":
                publish(feed, frame)
            assert await taking
            assert (await feed.drain(5), await door.drain(5)) == (0, 0)
        assert feed.watermark.low == 4
    assert seen == [f"C2C_MESSAGE_CREATE:{seq}" for seq in (1, 2, 3, 4)]


async def test_many_that_are_taken_at_once_are_no_more_than_there_is_room_for() -> None:
    gate = asyncio.Event()
    async with running(Table([counting([], gate)], bare=True), max_inflight=4, seen=Ids()) as dispatcher:
        door = DirectSource(dispatcher)
        taking = [asyncio.create_task(door.take(message(seq, f"U{seq}"), b"")) for seq in range(50)]
        await settle()
        assert dispatcher.inflight == 4
        gate.set()
        assert all(await asyncio.gather(*taking))
        assert await door.drain(5) == 0


async def test_what_waits_for_room_until_the_end_is_told_to_come_again() -> None:
    ids = Ids()
    stuck = Table([counting([], asyncio.Event())], bare=True)
    async with running(stuck, max_inflight=1, max_queued=1, seen=ids) as dispatcher:
        door = DirectSource(dispatcher)
        assert await door.take(message(1), b"")
        assert await door.take(message(2), b"")
        waiting = asyncio.create_task(door.take(message(3), b""))
        await settle()
        assert not waiting.done()
    assert not await waiting
    assert ids.known == set()


@pytest.mark.parametrize("outcome", ["handled", "failed"])
async def test_a_lease_that_is_lost_leaves_the_event_to_the_next_owner(outcome: Outcome) -> None:
    lease = FakeLease()
    seen: list[str] = []
    async with running(Table([counting(seen)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, lease)
        lease.held = False
        publish(feed, message(1))
        assert await feed.drain(5) == 0
        assert feed.watermark.low == 0
        again = ShardSource(dispatcher, FakeLease())  # and where this process owns it again, the same message runs
        publish(again, message(1))
        assert await again.drain(1) == 0
    assert seen == ["C2C_MESSAGE_CREATE:1"]
    assert outcome


@pytest.mark.parametrize("awaited", [True, False])
async def test_repeats_of_an_unfinished_event_keep_no_payload(awaited: bool) -> None:
    seen: list[str] = []
    gate = asyncio.Event()
    async with running(Table([counting(seen, gate)], bare=True)) as dispatcher:
        door = DirectSource(dispatcher)
        first = asyncio.create_task(deliver(door, large(), b"", retry=True))
        await settle()
        gc.collect()
        tracemalloc.start()
        repeats = []
        for _ in range(2000):
            if awaited:
                repeats.append(await door.accept(large(), bytes(20_000), retry=True))
            else:
                assert await door.take(large(), bytes(20_000))
            if not len(repeats) % 50:
                await settle()
        await settle()
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert kept < 4_000_000, "40 MB of payloads are kept"
        assert (dispatcher.queued, dispatcher.queued_bytes) == (0, 0)
        refused = [repeat for repeat in repeats if repeat.done()]
        assert len(refused) == (2000 - dedupe.MAX_ATTACHED if awaited else 0)
        for repeat in refused:
            with pytest.raises(Interrupted, match="deliver it again"):
                repeat.result()
        gate.set()
        assert await first == "handled"
        assert {await repeat for repeat in repeats if repeat not in refused} == ({"handled"} if awaited else set())
        assert door.pending == 0
    assert seen == ["C2C_MESSAGE_CREATE:1"]


async def test_a_caller_that_went_away_makes_room_for_another_repeat() -> None:
    gate = asyncio.Event()
    async with running(Table([counting([], gate)], bare=True)) as dispatcher:
        door = DirectSource(dispatcher)
        first = asyncio.create_task(deliver(door, message(1), b"", retry=True))
        await settle()
        for _ in range(dedupe.MAX_ATTACHED + 10):
            gone = asyncio.create_task(deliver(door, message(1), b"", retry=True))
            await settle()
            gone.cancel()
            await asyncio.wait([gone])
        last = asyncio.create_task(deliver(door, message(1), b"", retry=True))
        await settle()
        gate.set()
        assert (await first, await last) == ("handled", "handled")


def large() -> Frame:
    body = {
        "id": "m1",
        "content": "x" * 20_000,
        "timestamp": "2026-01-01T00:00:00+08:00",
        "author": {"id": "A", "user_openid": "A"},
    }
    return msgspec.structs.replace(message(1), d=msgspec.Raw(msgspec.json.encode(body)))
