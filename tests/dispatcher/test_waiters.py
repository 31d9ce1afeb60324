"""Handlers that wait for further events: they hold up nobody, lose nothing and cannot deadlock."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from qqbot.bot.context import Delivered
from qqbot.dispatcher import ShardSource, waiters
from qqbot.dispatcher.delivery import Wanted
from qqbot.errors import ConfigError, LeaseLost, QQBotError
from qqbot.models.events import C2CMessageCreate, Event, InteractionCreate, MessageAuditPass
from qqbot.models.frames import Frame
from qqbot.models.outcome import Outcome
from tests.dispatcher.standins import FakeLease, One, Table, click, message, publish, running, settle

MESSAGE = Wanted((C2CMessageCreate,))


def audit(seq: int) -> Frame:
    body = {"audit_id": "a1", "guild_id": "g", "channel_id": "c", "message_id": "m"}
    return Frame(op=0, d=msgspec.Raw(msgspec.json.encode(body)), s=seq, t="MESSAGE_AUDIT_PASS", id=f"audit:{seq}")


def content(delivered: Delivered) -> str:
    event = delivered.event
    assert isinstance(event, C2CMessageCreate)
    return event.content


async def test_a_three_step_dialog_beside_other_conversations() -> None:
    said: list[str] = []

    async def handler(first: Delivered) -> None:
        if isinstance(first.event, C2CMessageCreate) and first.event.author.openid == "B":
            said.append(f"B {content(first)}")
            return
        second = await first.wait_for(MESSAGE, 5)
        third = await second.wait_for(MESSAGE, 5)  # a dialog may go on from either
        said.append("-".join(map(content, (first, second, third))))

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2, "B"), message(3))
        await settle()
        publish(feed, message(4, "B"), message(5))
        assert await feed.drain(5) == 0
        publish(feed, message(6))  # a new dialog
        await settle()
        assert dispatcher.waiting == 1
    assert said == ["B 2", "B 4", "1-3-5"]


async def test_a_click_and_the_verdict_of_a_review_are_awaited_in_the_handler_of_their_conversation() -> None:
    seen: list[str] = []

    async def handler(first: Delivered) -> None:
        if not isinstance(first.event, C2CMessageCreate):
            seen.append(f"handler got {first.frame.t}")
            return
        pressed = await first.wait_for(Wanted((InteractionCreate,)), 5)
        verdict = await first.wait_for(Wanted((MessageAuditPass,)), 5)
        seen.append(f"{pressed.frame.id} {verdict.frame.id}")

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        publish(feed, click(2))
        await settle()
        publish(feed, audit(3), audit(4))
        assert await feed.drain(5) == 0
    assert seen == ["handler got MESSAGE_AUDIT_PASS", "click:2 audit:3"]


async def test_1000_dialogs_are_open_while_other_events_flow() -> None:
    answers: list[str] = []
    others = 0

    async def handler(first: Delivered) -> None:
        nonlocal others
        if content(first) == "0":
            others += 1
            return
        second = await first.wait_for(MESSAGE, 30)
        answers.append(f"{content(first)}-{content(second)}")

    async with running(Table([One(handler)], bare=True), max_inflight=16, max_queued=16) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())

        async def send(seq: int, user: str, text: str) -> None:
            await feed.room()
            body = msgspec.json.decode(message(seq, user).d)
            body["content"] = text
            publish(feed, msgspec.structs.replace(message(seq, user), d=msgspec.Raw(msgspec.json.encode(body))))

        for number in range(1000):
            await send(2 * number + 1, f"U{number}", f"q{number}")
            await send(2 * number + 2, "other", "0")
        await settle()
        assert dispatcher.waiting == 1000
        assert dispatcher.inflight == 0
        assert others == 1000
        for number in range(1000):
            await send(3000 + number, f"U{number}", f"a{number}")
        assert await feed.drain(10) == 0
    assert sorted(answers) == sorted(f"q{number}-a{number}" for number in range(1000))


async def test_more_events_than_may_be_in_flight_queue_behind_a_dialog_that_goes_on() -> None:
    order: list[str] = []

    async def handler(first: Delivered) -> None:
        if content(first) != "1":
            order.append(content(first))
            return
        second = await first.wait_for(MESSAGE, 5)
        await asyncio.sleep(0.01)
        order.append(f"1-{content(second)}")

    async with running(Table([One(handler)], bare=True), max_inflight=3, max_queued=3) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        for seq in range(1, 10):
            await feed.room()
            publish(feed, message(seq))
            if seq == 1:
                await settle()
        assert await feed.drain(5) == 0
    assert order == ["1-2", *map(str, range(3, 10))]


async def test_all_events_of_a_dialog_stay_unfinished_until_it_ends() -> None:
    gate = asyncio.Event()

    async def handler(first: Delivered) -> None:
        if first.lease is not None and content(first) == "1":
            await first.wait_for(MESSAGE, 5)
            await first.wait_for(MESSAGE, 5)
        await gate.wait()

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        publish(feed, message(2))
        await settle()
        publish(feed, message(3), message(4, "B"))
        await settle()
        assert (feed.watermark.low, feed.watermark.done) == (0, ())
        gate.set()
        assert await feed.drain(5) == 0
        assert feed.watermark.low == 4


async def test_a_timeout_waits_for_its_turn_like_an_event() -> None:
    order: list[str] = []
    gate = asyncio.Event()

    async def handler(first: Delivered) -> None:
        if content(first) == "2":
            await gate.wait()
            order.append("2")
            return
        try:
            await first.wait_for(Wanted((C2CMessageCreate,), lambda event: event.content == "never"), 0.01)
        except TimeoutError as error:
            order.append(f"timeout: {error}")

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2))
        await asyncio.sleep(0.05)
        assert order == []
        gate.set()
        assert await feed.drain(5) == 0
        assert dispatcher.inflight == 0
    assert order == ["2", "timeout: wait_for(C2CMessageCreate): nothing came within 0.01 s"]


async def test_a_wait_that_is_cancelled_gives_the_event_back() -> None:
    seen: list[str] = []

    async def handler(first: Delivered) -> None:
        seen.append(content(first))
        if content(first) == "1":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await first.wait_for(MESSAGE, None)
            seen.append("gave up")
            gave_up.set()

    gave_up = asyncio.Event()
    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await asyncio.wait_for(gave_up.wait(), 5)
        await settle()
        assert (dispatcher.waiting, dispatcher.inflight) == (0, 0)
        publish(feed, message(2))
        assert await feed.drain(5) == 0
    assert seen == ["1", "gave up", "2"]


async def test_a_handler_that_gave_up_is_in_flight_again_and_holds_its_lane() -> None:
    order: list[str] = []
    gate = asyncio.Event()

    async def handler(first: Delivered) -> None:
        if content(first) == "1":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await first.wait_for(MESSAGE, None)
            gave_up.set()
            await gate.wait()
        order.append(content(first))

    gave_up = asyncio.Event()
    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await asyncio.wait_for(gave_up.wait(), 5)
        assert dispatcher.inflight == 1
        publish(feed, message(2))
        await settle()
        gate.set()
        assert await feed.drain(5) == 0
        assert dispatcher.inflight == 0
    assert order == ["1", "2"]


async def test_two_waits_at_once_take_what_comes_in_either_order() -> None:
    seen: list[str | None] = []

    async def handler(first: Delivered) -> None:
        both = await asyncio.gather(
            first.wait_for(MESSAGE, 5),
            first.wait_for(Wanted((InteractionCreate,)), 5),
        )
        seen.extend(each.frame.id for each in both)

    for frames in ((message(2), click(3)), (click(2), message(3))):
        seen.clear()
        async with running(Table([One(handler)], bare=True), max_inflight=2) as dispatcher:
            feed = ShardSource(dispatcher, FakeLease())
            publish(feed, message(1))
            await settle()
            for frame in frames:
                publish(feed, frame)
                await settle()
            assert await feed.drain(5) == 0
            assert (dispatcher.inflight, feed.waiting) == (0, 0)
        assert set(seen) == {frame.id for frame in frames}


async def test_what_the_predicate_raises_goes_to_who_waits_and_the_event_to_the_handlers() -> None:
    seen: list[str] = []

    async def handler(first: Delivered) -> None:
        if content(first) != "1":
            seen.append(content(first))
            return

        def broken(_: Event) -> bool:
            raise LookupError("broken")

        try:
            await first.wait_for(Wanted((C2CMessageCreate,), broken), 5)
        except LookupError as error:
            seen.append(str(error))

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        publish(feed, message(2))
        assert await feed.drain(5) == 0
    assert sorted(seen) == ["2", "broken"]


@pytest.mark.parametrize("anywhere", [False, True])
async def test_only_what_happens_in_the_conversation_is_taken_unless_anywhere(anywhere: bool) -> None:
    seen: list[str] = []

    async def handler(first: Delivered) -> None:
        seen.append(content(first))
        if content(first) == "1":
            taken = await first.wait_for(Wanted((C2CMessageCreate,), anywhere=anywhere), None)
            seen.append(f"took {content(taken)}")

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        publish(feed, message(2, "B"))
        assert await feed.drain(5) == (0 if anywhere else 1)
    assert seen == (["1", "took 2"] if anywhere else ["1", "2"])


async def test_a_repeat_of_the_message_that_began_a_dialog_is_no_answer_in_it() -> None:
    answers: list[str | None] = []

    async def handler(first: Delivered) -> None:
        answers.append((await first.wait_for(MESSAGE, 5)).frame.id)

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        again = msgspec.structs.replace(message(1), s=2, id="again")
        publish(feed, again)
        await settle()
        publish(feed, message(3))
        assert await feed.drain(5) == 0
        publish(feed, msgspec.structs.replace(message(3), s=4, id="again"))  # nor is what was consumed handled again
        assert await feed.drain(5) == 0
        assert dispatcher.waiting == 0
    assert answers == ["C2C_MESSAGE_CREATE:3"]


async def test_one_wait_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiters, "MAX_WAITS", 2)
    table = Table([])

    async def handler(first: Delivered) -> None:
        await first.wait_for(MESSAGE, 5)

    table.handlers, table.bare = [One(handler)], True
    async with running(table) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2, "B"), message(3, "C"))
        await settle()
        assert dispatcher.waiting == 2
    (error,) = table.errors
    assert isinstance(error, ConfigError)
    assert "timeout=" in str(error)


@pytest.mark.parametrize("users", [1, 100])
async def test_dialogs_without_end_never_stop_the_reading(users: int) -> None:
    table = Table([], bare=True)
    begun = taken = 0

    async def handler(first: Delivered) -> None:
        nonlocal begun, taken
        begun += 1
        while True:
            await first.wait_for(MESSAGE, None)
            taken += 1

    table.handlers = [One(handler)]
    async with running(table) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        for seq in range(1, 6001):
            async with asyncio.timeout(5):
                await feed.room()
            publish(feed, message(seq, f"U{seq % users}"))
            if not seq % 50:
                await settle()
        async with asyncio.timeout(10):
            while begun + taken < 6000:
                await asyncio.sleep(0)
        await settle()
        assert dispatcher.inflight == 0
        assert feed.pending == feed.waiting < 4096
    assert "keep what has to last in a database" in str(table.errors[0])
    assert all(isinstance(error, ConfigError) for error in table.errors)


async def test_room_is_told_where_timeouts_put_more_in_flight_than_allowed() -> None:
    async def handler(first: Delivered) -> None:
        if content(first) in ("1", "2"):
            with contextlib.suppress(TimeoutError):
                await first.wait_for(MESSAGE, 0.01)
        await asyncio.sleep(0.05)

    async with running(Table([One(handler)], bare=True), max_inflight=1, max_queued=1) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        for seq, user in enumerate("ABCD", 1):
            async with asyncio.timeout(5):
                await feed.room()
            publish(feed, message(seq, user))
            await settle()
        assert await feed.drain(5) == 0
        assert (dispatcher.inflight, dispatcher.full_for) == (0, 0)


async def test_an_answer_that_came_before_the_question_was_asked_is_taken() -> None:
    answers: list[str] = []
    asking = asyncio.Event()

    async def handler(first: Delivered) -> None:
        await asking.wait()  # a reply whose answer is slow
        answers.append(content(await first.wait_for(MESSAGE, 5)))

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2, "B"))
        await settle()
        publish(feed, message(3), message(4, "B"))
        await settle()
        asking.set()
        assert await feed.drain(5) == 0
    assert sorted(answers) == ["3", "4"]


async def test_an_answer_that_came_while_no_more_handlers_could_run_is_taken() -> None:
    answers: list[str] = []
    handled: list[str] = []
    asking = asyncio.Event()

    async def handler(first: Delivered) -> None:
        if content(first) != "1":
            await asyncio.sleep(0.1 if content(first) == "2" else 0)  # longer than the answer is waited for
            handled.append(content(first))
            return
        await asking.wait()
        answers.append(content(await first.wait_for(MESSAGE, 0.05)))

    async with running(Table([One(handler)], bare=True), max_inflight=1) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2, "B"), *(message(seq, f"U{seq}") for seq in range(3, 103)), message(103))
        await settle()
        assert (dispatcher.inflight, dispatcher.queued) == (1, 102)
        asking.set()
        assert await feed.drain(5) == 0
        assert (dispatcher.inflight, dispatcher.waiting, dispatcher.queued) == (0, 0, 0)
    assert answers == ["103"]
    assert handled == [str(seq) for seq in range(2, 103)]


async def test_a_timeout_goes_on_although_no_more_handlers_could_run() -> None:
    ended: list[str] = []
    gate = asyncio.Event()

    async def handler(first: Delivered) -> None:
        if content(first) == "1":
            with contextlib.suppress(TimeoutError):
                await first.wait_for(MESSAGE, 0.01)
            ended.append("1")
            gate.set()
        else:
            await gate.wait()

    async with running(Table([One(handler)], bare=True), max_inflight=1) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2, "B"), message(3, "C"))
        assert await feed.drain(5) == 0
        assert dispatcher.inflight == 0
    assert ended == ["1"]


async def test_draining_does_not_wait_for_a_dialog_and_its_first_event_comes_again() -> None:
    ended: list[str] = []

    async def handler(first: Delivered) -> None:
        try:
            await first.wait_for(MESSAGE, None)
        finally:
            ended.append("cancelled")

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await feed.drain(10) == 1
        assert loop.time() - began < 5
    assert ended == ["cancelled"]
    assert feed.watermark.low == 0


@pytest.mark.parametrize("caught", [False, True])
async def test_a_dialog_ends_with_the_lease_of_the_event_that_began_it(caught: bool) -> None:
    seen: list[str] = []

    async def handler(first: Delivered) -> None:
        try:
            second = await first.wait_for(MESSAGE, None)
        except LeaseLost:
            seen.append("lost")
            with pytest.raises(asyncio.CancelledError):  # a loop around it would have no end
                await first.wait_for(MESSAGE, None)
            if not caught:
                raise
        else:
            seen.append(f"{content(first)}-{content(second)}")

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        before, beside, after = (ShardSource(dispatcher, FakeLease()) for _ in range(3))
        publish(before, message(1))
        publish(beside, message(5, "B"))
        await settle()
        before.end()
        publish(after, message(2))
        assert await before.drain(5) == 0
        publish(after, message(3))
        publish(beside, message(6, "B"))
        assert await after.drain(5) == await beside.drain(5) == 0
    assert seen == ["lost", "2-3", "5-6"]
    assert before.watermark.low == 0, "its next owner gets it again"


async def test_a_handler_that_waits_again_and_again_ends_with_its_lease() -> None:
    table = Table([], bare=True)
    lost = 0

    async def handler(first: Delivered) -> None:
        nonlocal lost
        while lost < 1000:  # without end, but for this bound
            with contextlib.suppress(QQBotError):
                await first.wait_for(MESSAGE, None)
            lost += 1

    table.handlers.append(One(handler))
    async with running(table) as dispatcher:
        before = ShardSource(dispatcher, FakeLease())
        publish(before, message(1))
        await settle()
        before.end()
        assert await before.drain(5) == 0
    assert lost == 1
    assert before.watermark.low == 0
    assert [str(error.__cause__) for error in table.errors] == ["wait_for after LeaseLost: let the handler end"]


async def test_an_event_whose_handler_begins_to_wait_after_the_lease_comes_again() -> None:
    go_on = asyncio.Event()
    lost: list[bool] = []

    async def handler(first: Delivered) -> None:
        await go_on.wait()
        try:
            await first.wait_for(MESSAGE, None)
        except LeaseLost:
            lost.append(True)

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        before = ShardSource(dispatcher, FakeLease())
        publish(before, message(1))
        await settle()
        before.end()
        go_on.set()
        assert await before.drain(5) == 0
    assert lost == [True]
    assert before.watermark.low == 0, "its next owner gets it again"


@pytest.mark.parametrize("tracking", [False, True])
@pytest.mark.parametrize("refused", [False, True])
async def test_a_repeat_under_a_later_lease_runs_after_a_first_run_that_was_refused(
    tracking: bool, refused: bool
) -> None:
    runs = 0
    go_on = asyncio.Event()

    async def handler(first: Delivered) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            await go_on.wait()
            if refused:
                raise LeaseLost("it was lost")

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        if tracking:
            dispatcher.remember_events()
        lease = FakeLease()
        before, after = ShardSource(dispatcher, lease), ShardSource(dispatcher, FakeLease())
        publish(before, message(1))
        await settle()
        lease.held = False
        publish(after, message(1))
        await settle()
        go_on.set()
        await settle()
        assert after.watermark.low == 1
    assert runs == 1 + refused


async def test_an_event_that_interrupts_when_its_turn_has_come_holds_up_no_other() -> None:
    seen: list[str] = []
    end_first, interrupt = asyncio.Event(), asyncio.Event()

    async def handler(delivered: Delivered) -> None:
        seen.append(content(delivered))
        if content(delivered) in ("1", "2"):
            with pytest.raises(TimeoutError):
                await delivered.wait_for(Wanted((InteractionCreate,)), 60)
            await interrupt.wait()
        if content(delivered) == "1":
            wait = delivered.open_interruption(Wanted((C2CMessageCreate,), anywhere=True))
            seen.append(f"{content(await wait.future)} in 1")
        elif content(delivered) == "3":
            await end_first.wait()

    async with running(Table([One(handler)], bare=True), max_inflight=2) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1), message(2, "B"))
        await settle()
        publish(feed, message(3, "C"), message(4, "C"))
        await settle()  # 4 waits behind 3
        dispatcher.waiters.advance(60)
        await settle()
        end_first.set()
        await settle()  # 4 has its turn, but 1 and 2 are those that may run
        interrupt.set()
        publish(feed, message(5, "C"))
        assert await feed.drain(5) == 0
    assert seen == ["1", "2", "3", "4 in 1", "5"]


async def test_a_task_that_outlived_the_handler_waits_beyond_the_lease() -> None:
    seen: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    async def later(first: Delivered) -> None:
        await asyncio.sleep(0)  # the handler has ended
        seen.append(content(await first.wait_for(MESSAGE, 5)))

    async def handler(first: Delivered) -> None:
        tasks.append(asyncio.create_task(later(first)))

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        before, after = (ShardSource(dispatcher, FakeLease()) for _ in range(2))
        publish(before, message(1))
        await settle()
        before.end()
        publish(after, message(2))
        await tasks[0]
    assert seen == ["2"]


async def test_time_spent_waiting_is_not_the_handlers() -> None:
    table = Table([], bare=True)
    ended: list[str] = []

    async def handler(first: Delivered) -> None:
        await first.wait_for(MESSAGE, 5)
        ended.append("waited")
        await asyncio.sleep(5)

    table.handlers = [One(handler)]
    async with running(table, handler_timeout=0.1) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await asyncio.sleep(0.3)
        assert table.errors == []
        publish(feed, message(2))
        assert await feed.drain(5) == 0
    assert ended == ["waited"]
    (error,) = table.errors
    assert isinstance(error, TimeoutError)
    assert "one did not end within 0.1 s" in str(error)


@pytest.mark.parametrize("answered", [False, True])
async def test_a_handler_whose_time_is_up_may_wait_while_it_ends(answered: bool) -> None:
    table = Table([], bare=True)
    ended: list[str] = []

    async def handler(first: Delivered) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            with contextlib.suppress(TimeoutError):
                ended.append(content(await first.wait_for(MESSAGE, 5 if answered else 0.1)))

    table.handlers = [One(handler)]
    async with running(table, handler_timeout=0.05) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        async with asyncio.timeout(5):
            while not dispatcher.waiting:
                await asyncio.sleep(0)
            if answered:
                publish(feed, message(2))
            while feed.pending:
                await feed.changed()
        assert (dispatcher.inflight, dispatcher.waiting, feed.waiting) == (0, 0, 0)
    assert ended == ["2"] * answered
    (error,) = table.errors
    assert "one did not end within 0.05 s" in str(error)


async def test_the_time_limit_of_one_handler_is_not_that_of_the_next() -> None:
    table = Table([], bare=True)
    tasks: list[asyncio.Task[Delivered]] = []

    async def first_one(first: Delivered) -> None:
        if content(first) == "1":
            tasks.append(asyncio.create_task(first.wait_for(MESSAGE, 5)))
            await asyncio.sleep(0)  # it waits, and the time limit stands still

    async def second_one(first: Delivered) -> None:
        if content(first) == "1":
            try:
                await asyncio.sleep(60)
            finally:
                publish(feed, message(2))
                await asyncio.sleep(0.1)

    table.handlers = [One(first_one), One(second_one, "two")]
    async with running(table, handler_timeout=0.1) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        async with asyncio.timeout(5):
            while feed.pending or not tasks:
                await feed.changed()
            assert content(await tasks[0]) == "2"
        assert (dispatcher.inflight, dispatcher.waiting, feed.waiting) == (0, 0, 0)
    (error,) = table.errors
    assert "two did not end within 0.1 s" in str(error)


async def test_a_timeout_is_not_told_as_the_end_of_an_event() -> None:
    outcomes: list[Outcome] = []
    tasks: list[asyncio.Task[Delivered]] = []

    async def handler(first: Delivered) -> None:
        tasks.append(asyncio.create_task(first.wait_for(MESSAGE, 0.01)))

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        dispatcher.settled = [lambda _, outcome: outcomes.append(outcome)]
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        with pytest.raises(TimeoutError):
            await tasks[0]
    # An eager task waits while the handler still runs, which is reported, too.
    assert [outcome for outcome in outcomes if outcome != "waiting"] == ["handled"]


async def test_the_outcomes_are_told_in_order() -> None:
    outcomes: list[tuple[str, Outcome]] = []

    async def handler(first: Delivered) -> None:
        await first.wait_for(MESSAGE, 5)
        await first.wait_for(MESSAGE, 5)

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        dispatcher.settled = [lambda event_id, outcome: outcomes.append((event_id.partition(":")[2], outcome))]
        feed = ShardSource(dispatcher, FakeLease())
        for seq in (1, 2, 3):
            publish(feed, message(seq))
            await settle()
        assert await feed.drain(5) == 0
    assert outcomes == [("1", "waiting"), ("2", "consumed"), ("3", "consumed"), ("1", "handled")]


async def test_a_task_that_outlives_the_handler_may_wait_too() -> None:
    answers: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    async def later(first: Delivered) -> None:
        answers.append(content(await first.wait_for(MESSAGE, 5)))

    async def handler(first: Delivered) -> None:
        tasks.append(asyncio.create_task(later(first)))

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        publish(feed, message(2))
        assert await feed.drain(5) == 0
        await asyncio.gather(*tasks)
        assert (dispatcher.inflight, feed.waiting) == (0, 0)
    assert answers == ["2"]


@pytest.mark.parametrize("way", ["handled", "raises", "cancels itself"])
async def test_however_a_dialog_ends_the_lane_goes_on(way: str) -> None:
    seen: list[str] = []
    ways: dict[str, Callable[[], Any]] = {
        "handled": lambda: None,
        "raises": lambda: 1 / 0,
        "cancels itself": lambda: _current_task().cancel(),
    }

    async def handler(first: Delivered) -> None:
        seen.append(content(first))
        if content(first) == "1":
            await first.wait_for(MESSAGE, 5)
            ways[way]()
            await asyncio.sleep(0)

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        publish(feed, message(2), message(3), message(4))
        assert await feed.drain(5) == 0
        assert dispatcher.inflight == 0
    assert seen == ["1", "3", "4"]


def _current_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None
    return task


async def test_an_event_whose_wait_gave_up_before_its_turn_is_handled() -> None:
    seen: list[str] = []
    gate = asyncio.Event()

    async def handler(first: Delivered) -> None:
        if content(first) == "1":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await first.wait_for(Wanted((C2CMessageCreate,), lambda event: event.content == "3"), None)
            gate.set()
        if content(first) == "2":
            await gate.wait()
        seen.append(content(first))

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        publish(feed, message(2), message(3))  # 3 is to be taken, but 2 comes first
        assert await feed.drain(5) == 0
        assert dispatcher.inflight == 0
    assert sorted(seen) == ["1", "2", "3"]


async def test_an_event_whose_wait_gave_up_goes_to_the_next_one_who_waits() -> None:
    answers: list[str] = []
    gate = asyncio.Event()

    async def handler(first: Delivered) -> None:
        if content(first) == "2":
            await gate.wait()
            return
        wanted = Wanted((C2CMessageCreate,), lambda event: event.content == "3")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                await first.wait_for(wanted, None)
        asyncio.get_running_loop().call_later(0.02, gate.set)
        answers.append(content(await first.wait_for(wanted, 5)))

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        publish(feed, message(2), message(3))
        assert await feed.drain(5) == 0
        assert dispatcher.inflight == 0
    assert answers == ["3"]


async def test_a_timeout_that_nobody_waits_for_any_more_lets_its_lane_go_on() -> None:
    seen: list[str] = []
    gate = asyncio.Event()

    async def handler(first: Delivered) -> None:
        if content(first) == "1":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.03):
                    await first.wait_for(Wanted((C2CMessageCreate,), lambda _: False), 0.01)
            gate.set()
        if content(first) == "2":
            await gate.wait()
        seen.append(content(first))

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        publish(feed, message(2))
        async with asyncio.timeout(5):
            await gate.wait()
        publish(feed, message(3), message(4))
        assert await feed.drain(5) == 0
        assert dispatcher.inflight == 0
    assert sorted(seen) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("steps", range(5))
async def test_what_the_second_of_two_waits_took_while_it_was_cancelled_is_handled(steps: int) -> None:
    seen: list[str | None] = []

    async def handler(first: Delivered) -> None:
        if content_or_id(first) != "1":
            seen.append(first.frame.id)
            return
        both = [
            asyncio.create_task(first.wait_for(MESSAGE, 5)),
            asyncio.create_task(first.wait_for(Wanted((InteractionCreate,)), 5)),
        ]
        done, pending = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        seen.extend(task.result().frame.id for task in done)

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        publish(feed, message(2))
        for _ in range(steps):
            await asyncio.sleep(0)
        publish(feed, click(3))
        assert await feed.drain(5) == 0
        assert (dispatcher.inflight, dispatcher.waiting, feed.waiting) == (0, 0, 0)
    assert sorted(map(str, seen)) == ["C2C_MESSAGE_CREATE:2", "click:3"]


async def test_what_a_wait_took_while_it_was_cancelled_comes_after_its_handler() -> None:
    orders: list[list[str]] = []

    async def handler(first: Delivered) -> None:
        if content(first) == "1":
            wait = asyncio.create_task(first.wait_for(MESSAGE, 5))
            await asyncio.wait([wait, asyncio.create_task(asked.wait())], return_when=asyncio.FIRST_COMPLETED)
            wait.cancel()
            await asyncio.sleep(0.01)
            if not wait.cancelled():
                orders[-1].append(content(wait.result()))
        orders[-1].append(content(first))

    for steps in range(5):
        orders.append([])
        async with running(Table([One(handler)], bare=True)) as dispatcher:
            asked = asyncio.Event()
            feed = ShardSource(dispatcher, FakeLease())
            publish(feed, message(1))
            await settle()
            asked.set()
            for _ in range(steps):
                await asyncio.sleep(0)
            publish(feed, message(2), message(3))
            assert await feed.drain(5) == 0
            assert (dispatcher.inflight, dispatcher.waiting, feed.waiting) == (0, 0, 0)
        assert sorted(orders[-1]) == ["1", "2", "3"]
    assert ["1", "2", "3"] in orders, orders


async def test_a_task_that_outlives_its_handler_does_not_wait_beyond_the_end() -> None:
    tasks: list[asyncio.Task[Delivered]] = []

    async def handler(first: Delivered) -> None:
        wanted = Wanted((InteractionCreate,))
        tasks.extend(asyncio.create_task(first.wait_for(wanted, timeout)) for timeout in (None, 1.0, None))

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
        publish(feed, click(2))  # taken, and never handed over
    done, pending = await asyncio.wait(tasks, timeout=5)
    assert (len(done), len(pending)) == (3, 0)
    assert all(task.cancelled() for task in done)


async def test_a_handler_that_waits_while_it_is_cancelled_does_not_hold_up_the_end() -> None:
    async def handler(first: Delivered) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await first.wait_for(MESSAGE, 60)

    async with asyncio.timeout(10), running(Table([One(handler)], bare=True)) as dispatcher:
        feed = ShardSource(dispatcher, FakeLease())
        publish(feed, message(1))
        await settle()
    assert feed.watermark.low == 0


def content_or_id(delivered: Delivered) -> str:
    return content(delivered) if isinstance(delivered.event, C2CMessageCreate) else str(delivered.frame.id)


async def test_timeouts_end_earlier() -> None:
    outcomes: list[Outcome] = []

    async def handler(first: Delivered) -> None:
        for timeouts in ((60, 120), (60,)):
            waits = [first.wait_for(MESSAGE, timeout) for timeout in timeouts]
            results = await asyncio.gather(*waits, return_exceptions=True)
            assert [type(result) for result in results] == [TimeoutError] * len(timeouts)

    async with running(Table([One(handler)], bare=True)) as dispatcher:
        dispatcher.settled = [lambda _, outcome: outcomes.append(outcome)]
        publish(ShardSource(dispatcher, FakeLease()), frame := message(1))
        await settle()
        assert dispatcher.waiters.advance(59) == []
        assert dispatcher.waiters.advance(2) == []  # the handler waits for the end of the other
        await settle()
        assert dispatcher.waiting == 1
        assert dispatcher.waiters.advance(60) == [frame.id]
        await settle()
        assert outcomes == ["waiting", "waiting"]
        assert dispatcher.waiters.advance(60) == [frame.id]
        await settle()
        assert outcomes == ["waiting", "waiting", "handled"]
        assert dispatcher.waiters.advance(60) == []
