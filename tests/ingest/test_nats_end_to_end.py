"""Intake and workers as processes around a NATS server: what dies loses nothing, and keeps the order."""

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from qqbot.testing import Simulator
from tests.cli.program import environment, qqbot
from tests.ingest.nats_server import needs_nats, started
from tests.ingest.test_streams_end_to_end import BOT, ROUNDS, USERS, check

pytestmark = [
    needs_nats,
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL"),
    pytest.mark.timeout(150),
]


@pytest.mark.parametrize("dying", ["worker", "server"])
async def test_what_dies_loses_nothing_and_answers_nothing_twice(dying: str, tmp_path: Path) -> None:
    file = tmp_path / "bot.py"
    file.write_text(BOT)
    async with Simulator() as sim, started() as server:
        env = environment(sim, QQBOT_BROKER_URL=f"{server.url}?partitions=4", QQBOT_SHARDS="1")
        work, intake = partial(qqbot, "work", file, env=env), partial(qqbot, "intake", env=env)

        def texts(user: int) -> list[str]:
            return [message.text or "" for message in sim.user(f"U{user}").messages]

        async def answered(count: int) -> None:
            async with asyncio.timeout(60):
                while sum(len(set(texts(user))) for user in range(USERS)) < count:
                    await asyncio.sleep(0.05)

        async def push(first: int, last: int) -> None:
            for number in range(first, last):
                for user in range(USERS):
                    sim.push_message("c2c", user=f"U{user}", text=str(number))
                await asyncio.sleep(0.02)

        async with work() as one, work() as other, intake():
            await sim.ready()
            for worker in (one, other):
                await worker.line("err", "working")
            await push(0, ROUNDS // 2)
            await answered(USERS)
            if dying == "worker":
                one.signal(signal.SIGKILL)
            else:
                await server.restart()
            await push(ROUNDS // 2, ROUNDS)
            await answered(USERS * ROUNDS)
        assert len(sim.identifies) == 1
        check([texts(user) for user in range(USERS)])
