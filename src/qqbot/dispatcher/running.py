"""`HandlerRunner`: one call of a handler, with its time limit, its metrics and its errors.

Responsible for telling a stray cancellation, which is an error of the handler, from one that ends the worker.
Collaborators: the router (`report`), listeners for metrics. Which handlers are called is decided by `dispatcher`.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from msgspec import Struct

from ..aio.log_fields import log_fields
from .decoding import Handlers
from .delivery import Delivery, Dialog, Handler

log = logging.getLogger(__name__)


class HandlerRun(Struct, frozen=True):
    """One run of a handler, for metrics: `event` by its wire name, `seconds` that it took, what it raised.

    `qualified_name`: the handler's module and name, a label that no other handler has.
    """

    event: str
    handler: str
    seconds: float
    error: Exception | None = None
    qualified_name: str = ""


HandlerListener = Callable[[HandlerRun], None]


class HandlerRunner:
    """Runs handlers for at most `timeout` seconds each, None for no limit; `listeners` are called after each."""

    def __init__(self, handlers: Handlers, timeout: float | None, listeners: Sequence[HandlerListener]) -> None:
        self.failed = 0
        self.cancelled: set[asyncio.Task[object]] = set()  # workers whose handler was cancelled on purpose
        self.closing = False  # workers are cancelled from now on: such a cancellation is not the handler's error
        self._handlers = handlers
        self._timeout = timeout
        self._listeners = listeners
        self._owner: asyncio.Task[object] | None = None
        self._cancelling = 0

    @property
    def plain(self) -> bool:
        """True if a handler may be awaited as it is: there is no limit, and nothing is measured."""
        return self._timeout is None and not self._listeners

    def open(self) -> None:
        """Remember the task that will cancel the workers in the end, and the cancellations that it has had before."""
        self._owner = current_task()
        self._cancelling = self._owner.cancelling()
        self.closing = False

    async def run(self, handler: Handler, context: object, delivery: Delivery) -> None:
        """Await one handler within its time, and call the listeners.  Raises: what it raises, TimeoutError."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        error: Exception | None = None
        limit = asyncio.timeout(self._timeout)
        if self._timeout is not None:
            delivery.dialog = delivery.dialog or Dialog()
            delivery.dialog.limit = limit
        try:
            async with limit:
                await handler.function(context)
        except TimeoutError as expired:
            error = expired
            if limit.expired():
                error = TimeoutError(f"{handler.name} did not end within {self._timeout:g} s")
            raise error from None
        except Exception as raised:
            error = raised
            raise
        finally:
            if delivery.dialog is not None:
                delivery.dialog.limit = delivery.dialog.left = None
            seconds = loop.time() - began
            self._measured(HandlerRun(delivery.frame.t or "", handler.name, seconds, error, handler.qualified_name))

    def _measured(self, run: HandlerRun) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(run)
            except Exception:
                log.exception("an on_handled callback failed", extra=log_fields())

    async def report(self, context: object, error: Exception | asyncio.CancelledError, name: str) -> bool:
        """Report what a handler raised; return False if it was cancelled on purpose, by `current_task().cancel()`.

        Raises: CancelledError if it was the worker that was cancelled.
        """
        if isinstance(error, asyncio.CancelledError):
            on_purpose = current_task().cancelling() > 0
            self._assert_stray()
            if on_purpose:
                self.cancelled.add(current_task())
                log.info("%s was cancelled while it handled %r", name, context, extra=log_fields())
                return False
        self.failed += 1
        if isinstance(error, asyncio.CancelledError):
            stray = RuntimeError("the handler was cancelled by something it awaited")
            stray.__cause__ = error
            error = stray
        try:
            await self._handlers.report(context, error, name)
        except asyncio.CancelledError:
            self._assert_stray()
            log.exception("reporting the error of %s was cancelled by something it awaited", name, extra=log_fields())
        return True

    def was_cancelled(self) -> bool:
        """Return whether a handler in this task was cancelled on purpose: then the task ends after the event.

        A task that keeps a reference to it could cancel the handler of another event later.
        """
        task = current_task()
        if task not in self.cancelled:
            return False
        self.cancelled.discard(task)
        return True

    def _assert_stray(self) -> None:
        """Go on after a cancellation that did not come from here: leaving the dispatcher cancels workers.

        So does the end of a loop, as `asyncio.run` brings it about: it cancels all tasks at once.
        """
        task = current_task()
        owner_cancelled = self._owner is not None and self._owner.cancelling() > self._cancelling
        if self.closing or (task.cancelling() and owner_cancelled):
            raise asyncio.CancelledError
        while task.cancelling():
            task.uncancel()


def current_task() -> "asyncio.Task[object]":
    """Return the current task; there is one."""
    task = asyncio.current_task()
    assert task is not None
    return task
