"""Task factories that run a task's first step at once, inside of `create_task`."""

import asyncio

from qqbot.bot.context import Delivered
from qqbot.dispatcher import DirectSource, ShardSource
from qqbot.dispatcher.delivery import Wanted
from qqbot.models.events import C2CMessageCreate
from tests.bot.eager import eager_task_factory
from tests.dispatcher.standins import FakeLease, One, Table, deliver, message, publish, running, settle


async def test_events_are_handled_once_and_in_order_in_workers_that_start_at_once() -> None:
    order: list[tuple[str, int]] = []
    publishing = False

    async def handler(delivered: Delivered) -> None:
        assert not publishing, "no handler runs inside of the reader"
        event = delivered.event
        assert isinstance(event, C2CMessageCreate)
        if event.content == "1":
            await delivered.wait_for(Wanted((C2CMessageCreate,)), 5)
        await asyncio.sleep(0)
        order.append((event.author.openid, int(event.content)))

    async with running(Table([One(handler)], bare=True), max_inflight=4) as dispatcher:
        feed, direct = ShardSource(dispatcher, FakeLease()), DirectSource(dispatcher)
        asyncio.get_running_loop().set_task_factory(eager_task_factory)
        try:
            for seq in range(1, 101):
                publishing = True
                publish(feed, message(seq, "AB"[seq % 2]))
                publishing = False
                if not seq % 7:
                    await asyncio.sleep(0)
            await settle()
            assert await feed.drain(5) == 0
            assert await deliver(direct, message(200), b"") == "handled"
        finally:
            asyncio.get_running_loop().set_task_factory(None)
        assert (dispatcher.inflight, dispatcher.waiting, dispatcher.queued) == (0, 0, 0)
    for user in "AB":
        seqs = [seq for author, seq in order if author == user and seq not in (1, 200)]
        assert seqs == sorted(seqs)
    assert len(order) == len(set(order)) == 100  # 2 .. 100 without the one that was awaited, and 1, and 200
