"""Events that no shard of this process received: awaited, repeated, forgotten, shared with other processes."""

import asyncio

import msgspec
import pytest

from qqbot.dispatcher import Door, Feed
from qqbot.ports import Delivered, Outcome
from tests.dispatcher.standins import Held, One, Table, message, publish, running


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
        door = Door(dispatcher)
        assert await door.deliver(message(1), b"") == "handled"
        assert await door.deliver(message(2), b"") == "handled"
    assert seen == ["C2C_MESSAGE_CREATE:1", "C2C_MESSAGE_CREATE:2"]


async def test_deliver_tells_a_failure_and_what_nobody_wants() -> None:
    async def handler(_: Delivered) -> None:
        raise ValueError

    async with running(Table([One(handler)], unwanted={"C2C_MSG_REJECT"}, bare=True)) as dispatcher:
        door = Door(dispatcher)
        assert await door.deliver(message(1), b"") == "failed"
        assert await door.deliver(message(2, name="C2C_MSG_REJECT"), b"") == "unwanted"


async def test_a_repeat_waits_for_the_first_ones_end_and_ends_like_it() -> None:
    seen: list[str] = []
    gate = asyncio.Event()
    async with running(Table([counting(seen, gate)], bare=True)) as dispatcher:
        door = Door(dispatcher)
        both = [asyncio.create_task(door.deliver(message(1), b"")) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert not any(task.done() for task in both)
        gate.set()
        assert await asyncio.gather(*both) == ["handled", "handled"]
        assert await door.deliver(message(1), b"") == "handled"
        assert await door.drain(1) == 0
    assert len(seen) == 1


async def test_what_was_forgotten_runs_again() -> None:
    seen: list[str] = []
    async with running(Table([counting(seen)], bare=True)) as dispatcher:
        door = Door(dispatcher)
        await door.take(message(1), b"")
        assert await door.drain(1) == 0
        door.forget("C2C_MESSAGE_CREATE:1")
        repeat = msgspec.structs.replace(message(1), d=message(9).d)  # another message under the same event id
        assert await door.deliver(repeat, b"") == "handled"
    assert len(seen) == 2


async def test_an_event_that_comes_both_ways_is_handled_once_and_its_seq_finished_with_it() -> None:
    seen: list[str] = []
    gate = asyncio.Event()
    async with running(Table([counting(seen, gate)], bare=True)) as dispatcher:
        door, feed = Door(dispatcher), Feed(dispatcher, Held())
        await door.take(message(1), b"")
        publish(feed, message(1))
        await asyncio.sleep(0.01)
        assert feed.watermark.low == 0  # a crash now must bring it again
        gate.set()
        assert await feed.drain(1) == 0
        assert feed.watermark.low == 1
        publish(feed, message(2))
        assert await feed.drain(1) == 0
        assert await door.deliver(message(2), b"") == "handled"
    assert len(seen) == 2


async def test_what_is_cut_short_by_the_end_is_told_to_come_again() -> None:
    seen: list[str] = []
    async with running(Table([counting(seen, asyncio.Event())], bare=True)) as dispatcher:
        door = Door(dispatcher)
        begun = asyncio.create_task(door.deliver(message(1), b""))
        queued = asyncio.create_task(door.deliver(message(2), b""))
        await asyncio.sleep(0.01)
    assert await asyncio.gather(begun, queued) == [None, None]
    assert await door.deliver(message(3), b"") is None
    assert len(seen) == 1


async def test_deliver_waits_for_room() -> None:
    gate = asyncio.Event()
    async with running(Table([counting([], gate)], bare=True), max_inflight=1) as dispatcher:
        door = Door(dispatcher)
        await door.take(message(1), b"")
        second = asyncio.create_task(door.deliver(message(2, "B"), b""))
        await asyncio.sleep(0.01)
        assert dispatcher.inflight == 1
        gate.set()
        assert await second == "handled"


async def test_what_another_process_finished_is_not_handled_and_what_is_finished_here_is_shared() -> None:
    seen: list[str] = []
    ids = Ids("C2C_MESSAGE_CREATE:1")
    async with running(Table([counting(seen)], bare=True), seen=ids) as dispatcher:
        feed = Feed(dispatcher, Held())
        publish(feed, message(1), message(2))
        assert await feed.drain(1) == 0
    assert seen == ["C2C_MESSAGE_CREATE:2"]
    assert ids.known == {"C2C_MESSAGE_CREATE:1", "C2C_MESSAGE_CREATE:2"}


async def test_an_event_whose_answer_goes_first_is_claimed_and_given_back_when_the_end_cuts_it_short() -> None:
    seen: list[str] = []
    ids = Ids("C2C_MESSAGE_CREATE:1")
    async with running(Table([counting(seen, asyncio.Event())], bare=True), seen=ids) as dispatcher:
        door = Door(dispatcher)
        await door.take(message(1), b"")
        await door.take(message(2), b"")
        await asyncio.sleep(0.01)
        assert "C2C_MESSAGE_CREATE:2" in ids.known  # accepted ones, since the sender will not repeat them
    assert seen == ["C2C_MESSAGE_CREATE:2"]
    assert ids.known == {"C2C_MESSAGE_CREATE:1"}


@pytest.mark.parametrize("outcome", ["handled", "failed"])
async def test_a_lease_that_is_lost_leaves_the_event_to_the_next_owner(outcome: Outcome) -> None:
    lease = Held()
    seen: list[str] = []
    async with running(Table([counting(seen)], bare=True)) as dispatcher:
        feed = Feed(dispatcher, lease)
        lease.held = False
        publish(feed, message(1))
        assert await feed.drain(1) == 0
        assert feed.watermark.low == 0
        again = Feed(dispatcher, Held())  # and where this process owns it again, the same message runs
        publish(again, message(1))
        assert await again.drain(1) == 0
    assert seen == ["C2C_MESSAGE_CREATE:1"]
    assert outcome
