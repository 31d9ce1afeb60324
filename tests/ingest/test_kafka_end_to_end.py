"""Intake, Kafka and workers as processes: a worker that dies loses nothing, and answers nothing twice."""

import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from qqbot.testing import Simulator
from tests.cli.program import environment, qqbot
from tests.ingest.kafka_server import kafka, needs_kafka
from tests.ingest.users import BOT, ROUNDS, USERS, Users
from tests.redis.servers import default_engine, started

pytestmark = [
    needs_kafka,
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL"),
    pytest.mark.timeout(150),
]


async def test_a_worker_that_dies_loses_nothing_and_answers_nothing_twice(tmp_path: Path) -> None:
    file = tmp_path / "bot.py"
    file.write_text(BOT)
    async with Simulator() as sim, started(default_engine()) as store, kafka() as server:
        env = environment(sim, QQBOT_BROKER_URL=server.url("events"), QQBOT_REDIS_URL=store.url, QQBOT_SHARDS="1")
        work = partial(qqbot, "work", file, env=env)

        users = Users(sim)
        async with work() as one, work() as other, qqbot("intake", env=env | {"QQBOT_REDIS_URL": ""}):
            await sim.ready()
            for worker in (one, other):
                await worker.line("err", "working")
            await users.push(0, ROUNDS // 2)
            await users.answered(USERS)
            one.signal(signal.SIGKILL)
            await users.push(ROUNDS // 2, ROUNDS)
            await users.answered(USERS * ROUNDS)
            assert (await other.stopped()).code == 0
        assert len(sim.identifies) == 1
        users.check()


async def test_a_login_that_is_refused_ends_both_commands(tmp_path: Path) -> None:
    file = tmp_path / "bot.py"
    file.write_text(BOT)
    async with Simulator() as sim, kafka("--authentication") as server:
        url = server.url("events").replace("://", "://bob:secret@") + "&sasl_mechanism=SCRAM-SHA-512"
        env = environment(sim, QQBOT_BROKER_URL=url)
        for arguments in (("intake",), ("work", file)):
            async with qqbot(*arguments, env=env) as program:
                code, _, err = await program.finished()
                assert code == 3, err
                assert "Kafka refuses us" in err
                assert "secret" not in err
                assert "Traceback" not in err
