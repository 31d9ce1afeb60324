"""Stand-ins at the dispatcher's seams: a lease that is held, a table of handlers, frames."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

import msgspec

from qqbot.bot.context import Delivered
from qqbot.dispatcher import DirectSource, Dispatcher, ShardSource
from qqbot.dispatcher.delivery import Handler
from qqbot.dispatcher.dispatcher import HandlerMatch
from qqbot.lease import LostReason, Permit
from qqbot.models.events import EVENTS, Event, MessageEvent, UnknownEvent, decoder_of
from qqbot.models.frames import Frame
from qqbot.models.gateway import ResumeState, ShardKey
from qqbot.models.outcome import Outcome


@dataclass
class FakeLease:
    """A lease that is held until a test takes it away."""

    shard: ShardKey = field(default_factory=lambda: ShardKey(0, 0, 1))
    token: int = 1
    held: bool = True
    fences: list[int] = field(default_factory=list)

    def valid(self) -> bool:
        return self.held

    async def wait_lost(self) -> LostReason:
        raise NotImplementedError

    def checkpoint(self, state: ResumeState) -> None:
        raise NotImplementedError

    async def save(self, state: ResumeState | None) -> None:
        raise NotImplementedError

    def fenced(self, token: int) -> None:
        self.fences.append(token)

    def identify_turn(self) -> Any:
        raise NotImplementedError

    async def identify_permit(self) -> Permit:
        raise NotImplementedError


@dataclass(eq=False)
class One:
    function: Callable[[Any], Awaitable[object]]
    name: str = "one"
    when: Callable[[Any], bool] | None = None
    qualified_name: str = "tests.one"


@dataclass
class Table:
    """Every event goes to `handlers`; what arrives at them is the event itself, or the delivery where it is `bare`."""

    handlers: list[One]
    unwanted: set[str] = field(default_factory=set)
    errors: list[Exception] = field(default_factory=list)
    bare: bool = False

    @property
    def matches(self) -> dict[str, HandlerMatch]:
        return {}

    def match_for(self, name: str) -> HandlerMatch:
        handlers = () if name in self.unwanted else tuple(self.handlers)
        is_message = issubclass(EVENTS.get(name, UnknownEvent), MessageEvent)
        return HandlerMatch(decoder_of(name), handlers, is_message)

    def expected(self, name: str) -> bool:
        return False

    def match(self, event: Event) -> Sequence[Handler]:
        return self.handlers

    def context(self, delivered: Delivered, event: Event) -> object:
        return delivered if self.bare else event

    async def report(self, context: object, error: Exception, handler: str) -> None:
        self.errors.append(error)


def running(table: Table, max_inflight: int = 256, **options: Any) -> AbstractAsyncContextManager[Dispatcher]:
    return Dispatcher(table, time.monotonic, max_inflight=max_inflight, **options).within(copy_context())


def message(seq: int, user: str = "A", name: str = "C2C_MESSAGE_CREATE") -> Frame:
    body = {
        "id": f"m{seq}",
        "content": str(seq),
        "timestamp": "2026-01-01T00:00:00+08:00",
        "author": {"id": user, "user_openid": user},
    }
    return Frame(op=0, d=msgspec.Raw(msgspec.json.encode(body)), s=seq, t=name, id=f"{name}:{seq}")


def click(seq: int, user: str = "A") -> Frame:
    body = {
        "id": f"i{seq}",
        "type": 11,
        "scene": "c2c",
        "chat_type": 2,
        "user_openid": user,
        "timestamp": "2026-01-01T00:00:00+08:00",
        "application_id": "1",
        "version": 1,
        "data": {"type": 11, "resolved": {"button_id": "b", "button_data": "d"}},
    }
    return Frame(op=0, d=msgspec.Raw(msgspec.json.encode(body)), s=seq, t="INTERACTION_CREATE", id=f"click:{seq}")


def publish(feed: ShardSource, *frames: Frame) -> None:
    for frame in frames:
        feed.publish(frame, b"")


async def settle() -> None:
    """Let everything happen that waits for nothing: counted in steps and not in seconds, whatever the machine does."""
    for _ in range(100):
        await asyncio.sleep(0)


async def deliver(door: DirectSource, frame: Frame, raw: bytes, *, retry: bool = False) -> Outcome | None:
    """Let an event come by no shard, and return how it ended."""
    return await (await door.accept(frame, raw, retry=retry))
