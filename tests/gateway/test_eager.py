"""A shard and its parts under `asyncio.eager_task_factory`: a task may have ended before `create_task` returns."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from qqbot.aio.background import background
from qqbot.gateway.handover import buffered
from qqbot.models.gateway import ResumeState
from tests.gateway import wire
from tests.gateway.scripted import StillLease, stage
from tests.gateway.test_handover import FakeConsumer, publish

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")

STATE = ResumeState(session_id="session", seq=7, me="42", name="robot")


@pytest.fixture(autouse=True)
async def eager() -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    loop.set_task_factory(getattr(asyncio, "eager_task_factory", None))
    yield
    loop.set_task_factory(None)


@pytest.mark.parametrize("state", [None, STATE])
async def test_a_shard_connects_and_beats(state: ResumeState | None) -> None:
    async with stage() as made, made.running(state) as shard:
        connection = await made.gateway.accept()
        await connection.greet(0.05)
        await connection.send(wire.ready() if state is None else wire.resumed())
        await made.inbox.has(1)
        for _ in range(3):
            await connection.heartbeat()
            await connection.send(wire.ACK)
        assert shard.ready


async def test_a_pacemaker_that_fails_in_its_first_step_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(self: object) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr("qqbot.gateway.protocol.GatewayProtocol.deadline", fault)
    async with stage() as made, made.shard() as shard:
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(shard.run(), 20)


async def test_a_task_may_end_before_the_block_begins(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise OSError("no disk")

    async with background(asyncio.sleep(0), broken(), name="short") as (_, failed):
        assert failed.done()
        await asyncio.sleep(0)
        assert ["no disk" in str(record.exc_info) for record in caplog.records] == [True]


async def test_a_standby_lease_that_is_active_already() -> None:
    class Active(StillLease):
        kept = 10.0

        async def wait_active(self) -> None:
            pass

    consumer = FakeConsumer()
    async with buffered(consumer, Active()) as source:
        publish(source, 1)
        assert consumer.taken == [1]
