"""The bots under test: the text of each message says how they answer it.

`echo` at once, `wait` after a moment, `hold` after longer than two heartbeats, `mute` not at all, `fail` with an
exception, `ask` with a dialog of two further messages.
"""

import asyncio
from random import Random

from qqbot import (
    Bot,
    C2CMessageCreate,
    Context,
    DuplicateMessage,
    InteractionCreate,
    MessageEvent,
    QQBotError,
    Replyable,
)
from qqbot.config import GatewayConfig
from qqbot.sessions.base import SessionManager

from .record import Note

BEAT = 1.0
"""Seconds between heartbeats."""

CALL_SECONDS = 20.0
"""How long a call takes at most, as one does that is never answered and must not be repeated."""

WAIT_SECONDS = 10.0
"""How long a dialog waits for its next message."""

CONFIG = GatewayConfig(
    pace=0.05,
    hello_timeout=2.0,
    ready_timeout=2.0,
    resumed_timeout=2.0,
    close_code_timeout=0.5,
    identify_window=0.5,
)


class Deliberate(Exception):
    """Raised by a handler on request of the message."""


class Answers:
    """What one bot does with messages and clicks."""

    def __init__(self, note: Note, seed: int) -> None:
        self._note = note
        self._random = Random(seed)

    async def message(self, ctx: Context[MessageEvent]) -> None:
        """Do what the text asks for."""
        key, _, word = ctx.text.strip().partition(" ")
        self._note("begin", key, "")
        try:
            await self._act(ctx, key, word)
        except Exception:
            self._note("end", key, "")
            raise
        self._note("end", key, "")  # not if it was cancelled: then the next process handles it again

    async def click(self, ctx: Context[InteractionCreate]) -> None:
        """Answer a click."""
        self._note("begin", ctx.event.id, "")
        await self._reply(ctx, f"re {ctx.event.id}")
        self._note("end", ctx.event.id, "")

    async def _act(self, ctx: Context[MessageEvent], key: str, word: str) -> None:
        match word:
            case "ask":
                await self._ask(ctx, key)
                return
            case "wait":
                await asyncio.sleep(self._random.uniform(0, 0.05))
            case "hold":
                await asyncio.sleep(self._random.uniform(2.5, 3.5) * BEAT)
            case "mute" | "answer":
                return
            case "fail":
                raise Deliberate(key)
            case _:
                pass
        await self._reply(ctx, f"re {key}")

    async def _ask(self, ctx: Context[MessageEvent], key: str) -> None:
        """Ask two questions, and end with both answers."""
        answers: list[str] = []
        await self._dialog(ctx, key, answers)
        for answer in answers:
            self._note("end", answer, "")  # all events of a dialog are finished with it

    async def _dialog(self, ctx: Context[MessageEvent], key: str, answers: list[str]) -> None:
        last: Context[MessageEvent] = ctx
        for number in (1, 2):
            await self._reply(last, f"ask{number} {key}")
            try:
                last = await ctx.wait_for(C2CMessageCreate, timeout=WAIT_SECONDS)
            except TimeoutError:
                self._note("expired", key, "")
                return
            answers.append(last.text.strip().partition(" ")[0])
            self._note("begin", answers[-1], "")
        await self._reply(last, f"done {key} {' '.join(answers)}")

    async def _reply(self, ctx: Context[Replyable], text: str) -> None:
        try:
            await ctx.reply(text)
        except DuplicateMessage:
            self._note("again", text, "")
        except QQBotError as error:
            self._note("unsent", text, f"{type(error).__name__}: {error}")
        else:
            self._note("sent", text, "")


def make_bot(
    note: Note,
    *,
    seed: int,
    shards: int = 1,
    max_inflight: int = 256,
    max_queued: int = 10_000,
    sessions: SessionManager | None = None,
) -> Bot:
    """Return a bot that answers, and notes what it does."""
    bot = Bot(
        gateway=CONFIG,
        shards=shards,
        max_inflight=max_inflight,
        max_queued=max_queued,
        sessions=sessions,
        drain=5.0,
        timeout=CALL_SECONDS,
    )
    answers = Answers(note, seed)
    bot.on(MessageEvent)(answers.message)
    bot.on(InteractionCreate)(answers.click)
    return bot
