"""Answers of a language model (a fake one) that 停 ends. Try it: `qqbot simulate examples/llm.py`."""

import asyncio
import io
import os
import tempfile
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from pathlib import Path

from PIL import Image, ImageDraw

from qqbot import Bot, C2CMessageCreate, Context, GroupMessageEvent, Media, MediaError, MessageEvent, meant_for_me, says

Question = C2CMessageCreate | GroupMessageEvent

DELAY = float(os.environ.get("DELAY", "0.05"))  # seconds for each word
INBOX = Path(os.environ.get("INBOX", tempfile.gettempdir()))
bot = Bot(order="user")  # an answer holds up no other user of its group
history: defaultdict[str, deque[tuple[str, str]]] = defaultdict(lambda: deque(maxlen=20))
is_stop = says("停", "stop")


async def model(messages: list[tuple[str, str]]) -> AsyncIterator[str]:
    yield f"你说的是“{messages[-1][1]}”，这是第 {len(messages)} 条。"
    for number in range(30):
        await asyncio.sleep(DELAY)
        yield f"词{number} "


@bot.command("画", summary="把文字画成图")
async def draw(ctx: Context[Question], text: str = "hi") -> None:
    image, file = Image.new("RGB", (200, 100), "white"), io.BytesIO()
    ImageDraw.Draw(image).text((10, 40), text, fill="black")
    image.save(file, "PNG")
    await ctx.reply(Media.image(file.getvalue(), text="画好了"))


@bot.command("报告", summary="发两份文件")
async def report(ctx: Context[Question]) -> None:
    path = INBOX / "季度报告（终稿）.txt"
    await asyncio.to_thread(path.write_text, "报告内容", "utf-8")
    await ctx.reply(Media.file(path))
    await ctx.reply(Media.file("另一份".encode(), name="另一份 报告.pdf"))


@bot.on(C2CMessageCreate, GroupMessageEvent, when=meant_for_me)
async def chat(ctx: Context[Question]) -> None:
    for number, file in enumerate(ctx.event.attachments):
        try:
            size = await ctx.download(file, INBOX / f"{number}-{Path(file.filename).name}", max_bytes=5_000_000)
            await ctx.reply(f"收到 {file.content_type} {file.filename} {size} 字节 {file.asr_refer_text}")
        except MediaError as error:
            await ctx.reply(f"取不到: {error}")
    if is_stop(ctx.event):
        await ctx.reply("没有在回答")
    elif ctx.text:
        await answer(ctx, history[ctx.event.author.openid])


async def answer(ctx: Context[Question], messages: deque[tuple[str, str]]) -> None:
    messages.append(("user", ctx.text))
    words: list[str] = []
    await ctx.typing()
    async with ctx.interrupted_by(MessageEvent, when=is_stop) as stop, ctx.stream() as stream:
        async for word in model(list(messages)):
            words.append(word)
            await stream.write(word)
    messages.append(("assistant", "".join(words)))
    if stop.context is not None:
        await stop.context.reply("已停止")


if __name__ == "__main__":
    bot.run()
