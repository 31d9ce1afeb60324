"""A bot that answers with every kind of message, for the page's tests and screenshots."""

import asyncio
import io
import math
import struct
import wave
import zlib
from collections.abc import Callable

from qqbot import (
    Ark,
    AtMessageCreate,
    Bot,
    Button,
    ButtonModal,
    ButtonPermission,
    ButtonStyle,
    C2CMessageCreate,
    Context,
    DirectMessageCreate,
    Embed,
    GroupMessageCreate,
    GroupMessageEvent,
    InteractionCreate,
    Keyboard,
    Markdown,
    Media,
    MessageReactionAdd,
    Outgoing,
    Text,
    meant_for_me,
)
from qqbot.models.reactions import Emoji

Spoken = Context[GroupMessageEvent | C2CMessageCreate | AtMessageCreate | DirectMessageCreate]

STYLED = """\
## Plan 计划
1. **Meet 集合** at *nine* 九点
2. ~~Bus~~ Train `G102`

| Who 谁 | Seats 座位 |
|---|---|
| Alice | 2 |
| 小明 | 1 |

> Bring water 带上水

```
pip install aioqqbot
```
[The timetable](https://example.com/timetable) ![the map #200px #100px](https://example.com/map.png)
<qqbot-cmd-input text="seats" show="Ask for seats" />"""


def vote(allowed: str) -> Keyboard:
    """Buttons for everybody, for one person, for admins, and for a role that nobody has."""
    return Keyboard(
        [
            [
                Button.callback("茶 Tea", "tea", style=ButtonStyle.BLUE),
                Button.callback("咖啡 Coffee", "coffee"),
            ],
            [
                Button.callback("Mine", "mine", permission=ButtonPermission.users(allowed)),
                Button.callback("End", "end", permission=ButtonPermission.admins(), modal=ButtonModal(content="Sure?")),
                Button.callback("Crew", "crew", permission=ButtonPermission.roles("12345")),
            ],
            [Button.command("Help", "help"), Button.link("Rules", "https://example.com/rules")],
        ]
    )


def picture() -> bytes:
    """A chart of five bars, as PNG."""
    width, height, bars = 320, 180, (60, 90, 70, 120, 140)
    ground, colors = b"\xf3\xf5\xf8", (b"\x74\xb6\xff", b"\x0a\x5f\xb8")
    rows: list[bytes] = []
    for y in range(height):
        row = bytearray(ground * width)
        for index, bar in enumerate(bars):
            if 160 - bar <= y < 160:
                left = 30 + 54 * index
                row[3 * left : 3 * (left + 36)] = colors[index % 2] * 36
        rows.append(b"\0" + bytes(row))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tone() -> bytes:
    """A second of 440 Hz, as WAV."""
    data = io.BytesIO()
    with wave.open(data, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        samples = (int(9000 * math.sin(2 * math.pi * 440 * step / 8000)) for step in range(8000))
        sound.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return data.getvalue()


MESSAGES: dict[str, Callable[[], Outgoing]] = {
    "markdown": lambda: Markdown(STYLED),
    "picture": lambda: Media.image(picture(), "The week 本周"),
    "poster": lambda: Media.image(picture() + bytes(6 << 20), "Too large for one body 分片上传"),
    "voice": lambda: Media.voice(tone(), name="tone.wav"),
    "file": lambda: Media.file(b"seats,2\n", name="seats.csv"),
    "video": lambda: Media.video("https://example.com/trip.mp4"),
    "ark": lambda: Ark.links("Weekend 周末", ["Walk 散步", ("Museum 博物馆", "https://example.com/museum")]),
    "embed": lambda: Embed("Trip 出行", fields=[("Alice", "2"), ("小明", "1")], prompt="Trip"),
}
"""What the bot says when it gets one of these words."""


class Showcase:
    """The bot, and `go_on`, which its streamed answer waits for in the middle."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.small_talk: list[str] = []
        self.bot = Bot()
        self.bot.on(GroupMessageEvent, C2CMessageCreate, when=meant_for_me)(self.answer)
        self.bot.on(AtMessageCreate, DirectMessageCreate)(self.answer)
        self.bot.on(InteractionCreate)(self.pressed)
        self.bot.on(MessageReactionAdd)(self.reacted)
        self.bot.on(GroupMessageCreate, when=lambda event: not meant_for_me(event))(self.collect)

    async def answer(self, ctx: Spoken) -> None:
        if ctx.text in MESSAGES:
            await ctx.reply(MESSAGES[ctx.text]())
            return
        match ctx.text:
            case "vote":
                allowed = getattr(ctx.event.author, "member_openid", "") or ctx.event.author.id
                await ctx.reply(Markdown("**Tea or coffee?** 喝茶还是喝咖啡？", keyboard=vote(allowed)))
            case "think":
                await ctx.typing(1)
            case "story":
                await self._stream_story(ctx)
            case "quote me":
                reference = getattr(ctx.event, "ref_idx", None) or ctx.event.id
                await ctx.reply(Text("As you say. 如你所说", quote=reference))
            case "like":
                await ctx.api.reactions.add(ctx.target.id, ctx.event.id, Emoji.of("👍"))
            case _:
                await self._echo(ctx)

    async def _stream_story(self, ctx: Spoken) -> None:
        await ctx.typing(5)
        async with ctx.stream() as story:
            await story.write("Once upon a time 从前 ")
            await self.go_on.wait()
            await story.write("there was a bot. 有一个机器人。")

    async def _echo(self, ctx: Spoken) -> None:
        for attachment in ctx.event.attachments:
            data = await ctx.download(attachment)
            await ctx.reply(f"Got {attachment.filename}: {attachment.content_type}, {len(data)} bytes")
            return
        if (card := getattr(ctx.event, "ark_data", None)) is not None:
            await ctx.reply(f"Got a card: {card.ark_type}, {card.fields}")
            return
        elements = getattr(ctx.event, "msg_elements", ())
        about = f" (about: {elements[0].content})" if elements else ""
        await ctx.reply(f"You said: {ctx.text}{about}")

    async def pressed(self, ctx: Context[InteractionCreate]) -> None:
        await ctx.ack()
        await ctx.reply(f"You pressed {ctx.event.button_data}")

    async def reacted(self, ctx: Context[MessageReactionAdd]) -> None:
        if ctx.event.user_id != self.bot.me.id:
            await ctx.reply("Thanks! 谢谢")

    async def collect(self, ctx: Context[GroupMessageCreate]) -> None:
        self.small_talk.append(ctx.text)
