"""Pictures and files: from bytes, a path, a web address, and a large one in parts with its progress.

Try it: `qqbot simulate examples/media.py`, then write /bytes, /path, /address or /large to the bot, or send it
a file.
"""

import hashlib
import logging
import struct
import zlib
from pathlib import Path

from qqbot import Bot, C2CMessageCreate, Context, GroupMessageEvent, Media, MediaError, command, meant_for_me

LARGE = 12 * 1024 * 1024  # bytes: more than the 5 MiB that go up in one piece

log = logging.getLogger("media")
bot = Bot()

Question = C2CMessageCreate | GroupMessageEvent


def picture(red: int, green: int, blue: int, side: int = 64) -> bytes:
    """Return a square of one colour as a PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes((red, green, blue)) * side) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@bot.on(C2CMessageCreate, GroupMessageEvent, when=command("bytes"))
async def from_bytes(ctx: Context[Question]) -> None:
    await ctx.reply(Media.image(picture(30, 120, 220), text="Made just now 刚刚生成"))


@bot.on(C2CMessageCreate, GroupMessageEvent, when=command("path"))
async def from_path(ctx: Context[Question]) -> None:
    await ctx.reply(Media.file(Path(__file__)))


@bot.on(C2CMessageCreate, GroupMessageEvent, when=command("address"))
async def from_address(ctx: Context[Question]) -> None:
    """Name an address: the platform fetches it by itself, so it must be public."""
    await ctx.reply(Media.image("https://qq-web.cdn-go.cn/im.qq.com_new/img/logo.png"))


@bot.on(C2CMessageCreate, GroupMessageEvent, when=command("large"))
async def in_parts(ctx: Context[Question]) -> None:
    """Send a large file; it goes up in parts, several at a time."""

    def log_progress(done: int, total: int) -> None:
        log.info("%d of %d bytes are up", done, total)

    await ctx.reply(Media.file(bytes(LARGE), name="zeros.bin", progress=log_progress))


@bot.on(C2CMessageCreate, GroupMessageEvent, when=meant_for_me)
async def look_at(ctx: Context[Question]) -> None:
    """Say what came: how large the files are, and their checksums."""
    for attachment in ctx.event.attachments:
        try:
            data = await ctx.download(attachment)
        except MediaError as error:
            await ctx.reply(f"I could not fetch it: {error.message}")
            continue
        await ctx.reply(f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    bot.run()
