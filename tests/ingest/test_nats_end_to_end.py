"""Intake and workers as processes around a NATS server: what dies loses nothing, and keeps the order."""

import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from qqbot.testing import Simulator
from tests.cli.program import environment, qqbot
from tests.ingest.nats_server import needs_nats, started
from tests.ingest.users import BOT, ROUNDS, USERS, Users

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

        users = Users(sim)
        async with work() as one, work() as other, intake():
            await sim.ready()
            for worker in (one, other):
                await worker.line("err", "working")
            await users.push(0, ROUNDS // 2)
            await users.answered(USERS)
            if dying == "worker":
                one.signal(signal.SIGKILL)
            else:
                await server.restart()
            await users.push(ROUNDS // 2, ROUNDS)
            await users.answered(USERS * ROUNDS)
        assert len(sim.identifies) == 1
        users.check()
