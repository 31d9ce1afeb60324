"""Intake apart from logic, inside one process: what reaches the sink, and when it counts as finished."""

import asyncio
import logging
import sys
from collections.abc import Sequence

import pytest

from qqbot import Bot, ConfigError, Envelope, Fence, FencedOut, Intents, Interrupted
from qqbot.config import GatewayConfig
from qqbot.ingest import Forwarder, QueueSink
from qqbot.models.gateway import ShardKey
from qqbot.models.ingest import key_of
from qqbot.testing import Simulator
from tests.dispatcher.standins import FakeLease, message

FAST = GatewayConfig(pace=0.02, identify_window=0.2)


class Store:
    """Stores every batch; raises `failures` first."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.again: list[bool] = []
        self.failures: list[BaseException] = []
        self.fences: set[Fence] = set()
        self.open = asyncio.Event()
        self.open.set()

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        await self.open.wait()
        self.fences.add(fence)
        if self.failures:
            raise self.failures.pop()
        self.batches.append([envelope.id for envelope in batch])
        self.again += [envelope.again for envelope in batch]


async def test_an_event_is_finished_when_the_sink_has_returned() -> None:
    store = Store()
    store.open.clear()
    async with Forwarder(store).within() as forwarder:
        feed = forwarder.feed(FakeLease())
        feed.begin("s", 0)
        for seq in (1, 2, 3):
            feed.publish(message(seq), b"{}")
        feed.publish(message(2), b"{}")
        await asyncio.sleep(0.01)
        assert (feed.watermark.low, feed.repeats) == (0, 1)
        store.open.set()
        assert await feed.drain(5) == 0
        assert feed.watermark.low == 3
    assert [name for batch in store.batches for name in batch] == [f"C2C_MESSAGE_CREATE:{seq}" for seq in (1, 2, 3)]
    assert store.fences == {Fence(FakeLease().shard, 1)}


async def test_a_sink_that_cannot_be_right_for_the_bot_ends_it_at_the_start() -> None:
    class Wrong(Store):
        async def check_for(self, app_id: str) -> None:
            raise ConfigError(f"not for {app_id}")

    with pytest.raises(ConfigError, match="not for 102"):
        async with Forwarder(Wrong(), app_id="102").within():
            pass


async def test_a_sink_that_fails_gets_the_batch_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("qqbot.ingest.forwarder.RETRY_SECONDS", 0.01)
    caplog.set_level(logging.INFO)
    store = Store()
    store.failures = [OSError("broker away"), OSError("broker away")]
    async with Forwarder(store).within() as forwarder:
        feed = forwarder.feed(FakeLease())
        feed.publish(message(1), b"{}")
        assert await feed.drain(5) == 0
        feed.publish(message(2), b"{}")
        assert await feed.drain(5) == 0
    assert store.batches == [["C2C_MESSAGE_CREATE:1"], ["C2C_MESSAGE_CREATE:2"]]
    assert store.again == [True, False], "an attempt that failed may have stored it"
    assert caplog.text.count("broker away") == 1, "logged at most once a minute"
    assert caplog.text.count("takes events again") == 1


async def test_a_sink_that_a_person_has_to_correct_gets_nothing_more() -> None:
    store = Store()
    store.failures = [ConfigError("no rights")]
    async with Forwarder(store).within() as forwarder:
        feed = forwarder.feed(FakeLease())
        feed.begin("s", 0)
        feed.publish(message(1), b"{}")
        async with asyncio.timeout(5):
            await forwarder.refused.wait()
        feed.publish(message(2), b"{}")
        assert await feed.drain(60) == 2, "without a wait, because none will be stored"
        assert feed.watermark.low == 0, "so that the platform delivers them again"
        assert str(forwarder.refusal) == "no rights"
    assert store.batches == []


async def test_a_sink_that_a_person_has_to_correct_ends_a_webhook_too() -> None:
    store = Store()
    store.failures = [ConfigError("no rights")]
    async with Forwarder(store).within() as forwarder:
        with pytest.raises(Interrupted):
            await forwarder.receive(message(1), b"{}")
        assert forwarder.refused.is_set()


async def test_what_an_earlier_process_may_have_stored_is_marked() -> None:
    store = Store()
    async with Forwarder(store).within() as forwarder:
        feed = forwarder.feed(FakeLease())
        feed.begin("s", 3, taken_over=True)
        feed.publish(message(4), b"{}")
        feed.publish(message(5), b"{}")
        feed.caught_up(5)
        feed.publish(message(6), b"{}")
        feed.begin("t", 0)
        feed.publish(message(1), b"{}")
        assert await feed.drain(5) == 0
    assert store.again == [True, True, False, False]


async def test_a_later_owner_takes_over_what_was_not_stored() -> None:
    store = Store()
    store.failures = [FencedOut("token 1 is old", 7)]
    lease = FakeLease()
    async with Forwarder(store).within() as forwarder:
        feed = forwarder.feed(lease)
        feed.publish(message(1), b"{}")
        await feed.drain(5)
        assert feed.watermark.low == 0 and lease.fences == [7]
        assert forwarder.inflight == 0
    assert store.batches == []


async def test_a_shard_that_another_process_owns_holds_up_no_other_one() -> None:
    store = Store()
    async with Forwarder(store, max_inflight=4).within() as forwarder:
        fenced, other = forwarder.feed(FakeLease()), forwarder.feed(FakeLease(ShardKey(1, 0, 2)))
        store.failures = [FencedOut("token 1 is old")]
        fenced.publish(message(1), b"{}")
        assert await fenced.drain(5) == 0
        for seq in range(2, 20):
            fenced.publish(message(seq), b"{}")
        assert (forwarder.inflight, fenced.watermark.low) == (0, 0)
        other.publish(message(1), b"{}")
        assert await other.drain(5) == 0
        assert other.watermark.low == 1


async def test_a_cancellation_that_comes_out_of_the_sink_is_a_failure_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qqbot.ingest.forwarder.RETRY_SECONDS", 0.01)
    store = Store()
    store.failures = [asyncio.CancelledError()]
    async with Forwarder(store).within() as forwarder:
        feed = forwarder.feed(FakeLease())
        feed.publish(message(1), b"{}")
        assert await feed.drain(5) == 0
    assert store.batches == [["C2C_MESSAGE_CREATE:1"]]


@pytest.mark.parametrize("raises", [False, True])
async def test_a_sink_that_loses_its_cancellation_does_not_hold_up_the_end(
    raises: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(Store):
        lost = False

        async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
            self.batches.append([envelope.id for envelope in batch])
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if self.lost:
                    raise
                self.lost = True
                if raises:
                    raise OSError("broker away") from None

    monkeypatch.setattr("qqbot.ingest.forwarder.LARGEST_BATCH", 1)
    store = Deaf()
    async with asyncio.timeout(5), Forwarder(store).within() as forwarder:
        feed = forwarder.feed(FakeLease())
        for seq in (1, 2):
            feed.publish(message(seq), b"{}")
        await asyncio.sleep(0.01)
    assert store.batches == [["C2C_MESSAGE_CREATE:1"]]
    assert feed.watermark.low == (0 if raises else 1)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_a_sink_that_stores_before_its_task_is_known() -> None:
    class Instant(Store):
        async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
            self.batches.append([envelope.id for envelope in batch])

    asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory", None))
    store = Instant()
    async with Forwarder(store, max_inflight=1).within() as forwarder:
        feed = forwarder.feed(FakeLease())
        for seq in range(1, 50):
            assert feed.publish(message(seq), b"{}"), "what is stored already is not in flight"
        assert (feed.watermark.low, forwarder.inflight, await feed.drain(5)) == (49, 0, 0)
    assert len(store.batches) == 49


async def test_a_full_sink_stops_the_reading() -> None:
    store = Store()
    store.open.clear()
    async with Forwarder(store, max_inflight=2).within() as forwarder:
        feed = forwarder.feed(FakeLease())
        assert feed.publish(message(1), b"{}")
        assert not feed.publish(message(2), b"{}")
        room = asyncio.create_task(feed.room())
        await asyncio.sleep(0.01)
        assert not room.done()
        store.open.set()
        async with asyncio.timeout(5):
            await room


def test_order_is_kept_by_channel_else_guild_else_group_else_user_else_the_event_itself() -> None:
    from msgspec import Raw

    def key(name: str, data: bytes) -> str:
        return key_of(name, Raw(data), "event")

    assert key("AT_MESSAGE_CREATE", b'{"guild_id":"g","channel_id":"c","author":{"id":"u"}}') == "c"
    assert key("CHANNEL_DELETE", b'{"id":"c","guild_id":"g"}') == "c"
    assert key("GUILD_MEMBER_ADD", b'{"guild_id":"g","user":{"id":"u"}}') == "g"
    assert key("DIRECT_MESSAGE_CREATE", b'{"guild_id":"g","channel_id":"c","author":{"id":"u"}}') == "g"
    assert key("GUILD_CREATE", b'{"id":"g"}') == "g"
    assert key("GROUP_AT_MESSAGE_CREATE", b'{"id":"m","group_openid":"G","author":{"id":"u"}}') == "G"
    assert key("C2C_MESSAGE_CREATE", b'{"id":"m","author":{"user_openid":"U"}}') == "U"
    assert key("FRIEND_ADD", b'{"openid":"U"}') == "U"
    assert key("NEW", b'{"id":"m"}') == "event"
    for odd in (b"[1]", b'{"a":' * 5000, b'{"id":"\xff"}', b'{"id":' + b"9" * 5000 + b"}"):
        assert key("NEW", odd) == "event"


async def test_one_bot_receives_and_another_handles_in_one_process() -> None:
    sink = QueueSink()
    intake = Bot(sink=sink, intents=Intents.GROUP_AND_C2C_EVENT, gateway=FAST)
    worker = Bot()
    seen: list[str] = []

    from qqbot import C2CMessageCreate, Context

    @worker.on
    async def handle(ctx: Context[C2CMessageCreate]) -> None:
        seen.append(ctx.text)
        await ctx.reply(ctx.text)
        assert ctx.shard is None

    async def work() -> None:
        async for delivery in sink:
            assert await worker.handle(delivery.envelope) == "handled"
            delivery.ack()

    async with (
        Simulator() as sim,
        worker.serve(credentials=sim.credentials, endpoints=sim.endpoints, connect=False),
        sim.run(intake),
    ):
        working = asyncio.create_task(work())
        try:
            for name in ("Alice", "Bob"):
                sim.push_message("c2c", user=name, text=f"hi {name}")
            async with asyncio.timeout(10):
                while not all(sim.user(name).messages for name in ("Alice", "Bob")):
                    await asyncio.sleep(0.01)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        assert [sim.user(name).messages[-1].text for name in ("Alice", "Bob")] == ["hi Alice", "hi Bob"]
    assert sorted(seen) == ["hi Alice", "hi Bob"]
