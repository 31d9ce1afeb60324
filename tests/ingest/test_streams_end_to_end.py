"""Intake, store and workers as processes: what dies loses nothing, keeps the order, and answers nothing twice."""

import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from qqbot.testing import Simulator
from tests.cli.program import environment, qqbot
from tests.ingest.users import BOT, ROUNDS, USERS, Users
from tests.redis.servers import default_engine, started

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL"), pytest.mark.timeout(150)]


@pytest.mark.parametrize("dying", ["worker", "store", "intake"])
async def test_what_dies_loses_nothing_and_answers_nothing_twice(dying: str, tmp_path: Path) -> None:
    file = tmp_path / "bot.py"
    file.write_text(BOT)
    durable = ("--appendonly", "yes", "--appendfsync", "always")
    async with Simulator() as sim, started(default_engine(), *durable) as store:
        env = environment(
            sim, QQBOT_BROKER_URL=f"{store.url}?partitions=4", QQBOT_REDIS_URL=store.url, QQBOT_SHARDS="1"
        )
        work = partial(qqbot, "work", file, env=env)
        # Only what dies needs its session in the store; alone, it need not wait for other nodes.
        intake = partial(qqbot, "intake", env=env if dying == "intake" else env | {"QQBOT_REDIS_URL": ""})

        users = Users(sim)
        async with work() as one, work() as other, intake() as receiving:
            await sim.ready()
            for worker in (one, other):
                await worker.line("err", "working")
            await users.push(0, ROUNDS // 2)
            await users.answered(USERS)
            match dying:
                case "worker":
                    one.signal(signal.SIGKILL)
                    await users.push(ROUNDS // 2, ROUNDS)
                case "store":
                    await store.restart()
                    await users.push(ROUNDS // 2, ROUNDS)
                case _:
                    receiving.signal(signal.SIGKILL)
                    await receiving.finished()
                    async with intake() as following:
                        await following.line("err", "resumed")
                        await users.push(ROUNDS // 2, ROUNDS)
                        await users.answered(USERS * ROUNDS)
            await users.answered(USERS * ROUNDS)
        assert len(sim.identifies) == 1
        users.check()
