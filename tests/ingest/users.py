"""Users who write numbers to an echo bot, whose intake and workers are processes: what may never go wrong with them."""

import asyncio
from collections import Counter

from qqbot.testing import Simulator

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


class Users:
    """All users of one test. Each writes the numbers from 0 to ROUNDS - 1, one after another."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim

    def texts(self, user: int) -> list[str]:
        return [message.text or "" for message in self._sim.user(f"U{user}").messages]

    async def answered(self, count: int) -> None:
        """Wait for so many different answers, of all users together."""
        async with asyncio.timeout(60):
            while sum(len(set(self.texts(user))) for user in range(USERS)) < count:
                await asyncio.sleep(0.05)

    async def push(self, first: int, last: int) -> None:
        """Let each user write the numbers from `first` to `last` - 1."""
        for number in range(first, last):
            for user in range(USERS):
                self._sim.push_message("c2c", user=f"U{user}", text=str(number))
            await asyncio.sleep(0.02)

    def check(self) -> None:
        for user in range(USERS):
            texts = self.texts(user)
            counts = Counter(texts)
            assert set(counts) == set(map(str, range(ROUNDS))), f"lost for U{user}: {texts}"
            assert max(counts.values()) == 1, f"answered twice for U{user}: {texts}"
            assert texts == sorted(texts, key=int), f"out of order for U{user}: {texts}"
