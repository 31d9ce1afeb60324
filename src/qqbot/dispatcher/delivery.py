"""`Delivery`: one event from its acceptance to the end of its handlers, and `DeliverySource`: what it came through.

Owns the values; who changes them is `dispatcher`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from ..lease import Lease
from ..models.events import Event
from ..models.frames import Frame
from ..models.outcome import Outcome
from ..models.watermark import Watermark
from .waits import Wait, Wanted

Settled = Callable[[str, Outcome], None]
"""Called with the event id and the outcome when the bot is done with an event."""


class Handler(Protocol):
    """One registered handler; hashable by identity."""

    @property
    def name(self) -> str:
        """How logs call it."""
        ...

    @property
    def when(self) -> Callable[[Any], bool] | None:
        """Whether the handler takes an event of its kind; None: every one."""
        ...

    @property
    def function(self) -> Callable[[Any], Awaitable[object]]:
        """What is awaited with the context."""
        ...


class DeliverySource:
    """One source of events; counts those that are unfinished."""

    def __init__(self, lease: Lease | None) -> None:
        self.lease = lease
        self.given_up = 0
        self.waiting = 0  # unfinished events of handlers that are suspended in `wait_for`
        self._watched: asyncio.Future[None] | None = None

    @property
    def pending(self) -> int:
        """How many events are unfinished."""
        return 0

    def is_again(self, seq: int | None) -> bool:  # noqa: ARG002 - only a session that was resumed repeats
        """Whether an earlier process may have begun to handle this event."""
        return False

    async def drain(self, seconds: float) -> int:
        """Wait until every event is finished, at most `seconds`; return how many are not.

        A handler that is suspended in `wait_for` is not waited for: nothing comes any more that could wake it.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.pending > self.waiting:
                    await self.changed()
        return self.pending

    async def changed(self) -> None:
        """Return when an event is finished, or its handler is suspended."""
        if self._watched is None:
            self._watched = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._watched)

    def finish(self, delivery: "Delivery", outcome: Outcome | None) -> None:
        """Note the end of `delivery`; `outcome` None: it was given up and stays unfinished."""
        if outcome is None:
            self.given_up += 1
        elif delivery.watermark is not None:
            delivery.watermark.finish(delivery.frame.s or 0)
        if self._watched is not None:
            self.note_change()

    def note_change(self) -> None:
        """Wake who waits for a change."""
        if self._watched is not None:
            self._watched.set_result(None)
            self._watched = None

    async def wait_for(self, waiter: "Delivery", wanted: Wanted, timeout: float | None) -> "Delivery":
        """Suspend the handler of `waiter`.  Raises: TimeoutError, ConfigError."""
        raise NotImplementedError


class Dialog(Struct, eq=False):
    """What a handler that waits for further events has: its open waits, and the event that it took last.

    `taken` are the events that it took before. They stay unfinished until it ends, so that a process that dies repeats
    the whole dialog, with the answers that it had. `counts`: it is in flight on its own account, not on that of
    `held`. `left`: seconds that its time limit had left when it was suspended.
    """

    open: int = 0
    held: "Delivery | None" = None
    taken: "list[Delivery]" = []
    counts: bool = True
    over: bool = False
    left: float | None = None


class Delivery(Struct, eq=False):
    """One event on its way. A Struct, since one is made for every event and msgspec makes them in C.

    `message` is its id where it is one. `ordering_key` is set while it holds its lane. `wait` takes it in place of the
    handlers. `duplicates` are repeats that came before its end. `limit` is the time limit of the handler that runs.
    `root` is the event whose handler took this one. `claimed`: whether its id was noted for all processes, where that
    is to be done before its handlers begin, else None. `retry`: where it fails its sender delivers it once more, and
    then it runs once more.
    """

    event: Event
    frame: Frame
    raw: bytes
    source: DeliverySource
    received: float
    watermark: Watermark | None = None
    handlers: Sequence[Handler] = ()
    message: str | None = None
    ordering_key: str | None = None
    handler: Handler | None = None
    wait: Wait | None = None
    dialog: Dialog | None = None
    root: "Delivery | None" = None
    duplicates: "list[Delivery] | None" = None
    done: "asyncio.Future[Outcome | None] | None" = None
    limit: asyncio.Timeout | None = None
    error: Exception | None = None
    claimed: bool | None = None
    retry: bool = False

    def comes_again(self, outcome: Outcome | None) -> bool:
        """Whether the next delivery of this event is to run, after this one has ended so; None: it was given up."""
        return outcome is None or (outcome == "failed" and self.retry)

    @property
    def again(self) -> bool:
        """Whether an earlier process may have begun to handle it."""
        return self.source.is_again(self.frame.s)

    @property
    def lease(self) -> Lease | None:
        """Under which it is handled; None for what no shard of this process received."""
        return self.source.lease

    async def wait_for(self, wanted: Wanted, timeout: float | None) -> "Delivery":
        """Suspend the handler until what is wanted comes; `timeout` in seconds.  Raises: TimeoutError, ConfigError."""
        return await self.source.wait_for(self, wanted, timeout)
