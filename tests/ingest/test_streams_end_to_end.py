"""Intake, store and workers as processes: what dies loses nothing, keeps the order, and answers nothing twice."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from qqbot.testing import Simulator
from tests.cli.program import environment, qqbot
from tests.redis.servers import default_engine, started

USERS, ROUNDS = 10, 12

BOT = """
import asyncio
from qqbot import Bot, C2CMessageCreate, Context
bot = Bot()
@bot.on
async def answer(ctx: Context[C2CMessageCreate]) -> None:
    await asyncio.sleep(int(ctx.text) % 3 * 0.02)
    await ctx.reply(ctx.text)
"""

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

        async with work() as one, work() as other, intake() as receiving:
            await sim.ready()
            for worker in (one, other):
                await worker.line("err", "working")
            await push(0, ROUNDS // 2)
            await answered(USERS)
            match dying:
                case "worker":
                    one.signal(signal.SIGKILL)
                    await push(ROUNDS // 2, ROUNDS)
                case "store":
                    await store.restart()
                    await push(ROUNDS // 2, ROUNDS)
                case _:
                    receiving.signal(signal.SIGKILL)
                    await receiving.finished()
                    async with intake() as following:
                        await following.line("err", "resumed")
                        await push(ROUNDS // 2, ROUNDS)
                        await answered(USERS * ROUNDS)
            await answered(USERS * ROUNDS)
        assert len(sim.identifies) == 1
        check([texts(user) for user in range(USERS)])


def check(answers: Sequence[Sequence[str]]) -> None:
    for user, texts in enumerate(answers):
        counts = Counter(texts)
        assert set(counts) == set(map(str, range(ROUNDS))), f"lost for U{user}: {texts}"
        assert max(counts.values()) == 1, f"answered twice for U{user}: {texts}"
        assert list(texts) == sorted(texts, key=int), f"out of order for U{user}: {texts}"
