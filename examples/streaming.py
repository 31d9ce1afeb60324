"""An answer that appears while a language model writes it; the model here is a fake one.

Try it: `qqbot simulate examples/streaming.py`, and ask something in private: the answer grows. In a group it comes
as one message at the end.
"""

import asyncio
from collections.abc import AsyncIterator

from qqbot import Bot, C2CMessageCreate, Context, GroupMessageEvent, meant_for_me

bot = Bot()


async def model(question: str) -> AsyncIterator[str]:
    """Write an answer word by word, as a model's client hands it over."""
    answer = f"You asked: *{question}*. A good question! A **real** model would say more about it. 这是一个好问题。"
    for word in answer.split(" "):
        await asyncio.sleep(0.05)
        yield f"{word} "


@bot.on(C2CMessageCreate, GroupMessageEvent, when=meant_for_me)
async def answer(ctx: Context[C2CMessageCreate | GroupMessageEvent]) -> None:
    await ctx.typing()
    async with ctx.stream() as stream:
        async for words in model(ctx.text):
            await stream.write(words)


if __name__ == "__main__":
    bot.run()
