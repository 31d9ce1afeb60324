"""`Interruption`: a block of a handler that the next event of some kind ends.

Responsible for cancelling the block, and for telling its own cancellation from that of others. Collaborators: `context`
makes it; `dispatcher` takes the event, so that it reaches no other handler, and lets the handler keep its turn.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from ..dispatcher.delivery import Delivery, Wait

C = TypeVar("C")


class Interruption(Generic[C]):
    """Ends its block when the event comes: `async with ctx.interrupted_by(...) as stop: ...`.

    `context` is that of the event, None if none came. The block is cancelled; that cancellation ends with the block,
    any other one goes on. To be entered once.
    """

    def __init__(
        self, open_: Callable[[], Wait], close: Callable[[Wait], None], context_of: Callable[[Delivery], C]
    ) -> None:
        self.context: C | None = None
        self._open = open_
        self._close = close
        self._context_of = context_of
        self._wait: Wait | None = None
        self._task: asyncio.Task[object] | None = None  # runs the block
        self._cancelling = 0  # how often the task was cancelled before the block
        self._cancelled = False  # by this interruption
        self._error: BaseException | None = None  # what the predicate raised

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        assert self._task is not None
        self._cancelling = self._task.cancelling()
        self._wait = self._open()
        self._wait.future.add_done_callback(self._interrupt)
        return self

    def _interrupt(self, future: "asyncio.Future[Delivery]") -> None:
        self._read(future)
        if self._task is not None and (self.context is not None or self._error is not None):
            self._cancelled = True
            self._task.cancel()

    def _read(self, future: "asyncio.Future[Delivery]") -> None:
        if future.cancelled():  # the bot has ended
            return
        self._error = future.exception()
        if self._error is None:
            self.context = self._context_of(future.result())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        task, wait = self._task, self._wait
        self._task = None  # an event that comes now interrupts nothing
        assert task is not None
        assert wait is not None
        self._close(wait)
        if wait.future.done() and not self._cancelled:
            self._read(wait.future)
        own = self._cancelled and task.uncancel() <= self._cancelling and kind is asyncio.CancelledError
        if self._error is not None and (own or error is None):
            raise self._error
        return own
