"""`Service`: what exists while a bot is served, and the order in which it comes and goes.

Owns the fleet's task and the background tasks; what they serve is wired in `bot`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from contextvars import Context, ContextVar, copy_context
from typing import TypeVar

from .api.client import Api
from .dispatcher import Dispatcher
from .errors import ConfigError, QQBotError
from .fleet import Fleet

log = logging.getLogger(__name__)

T = TypeVar("T")

_inside: ContextVar["Service | None"] = ContextVar("qqbot_inside", default=None)


class Service:
    """One bot in one event loop, from its API client to its handlers."""

    def __init__(self, api: Api, fleet: Fleet, dispatcher: Dispatcher) -> None:
        self.api = api
        self.fleet = fleet
        self._dispatcher = dispatcher
        self._over = asyncio.Event()
        self._begun = asyncio.Event()
        self._main: asyncio.Task[None] | None = None
        self._enterer = asyncio.current_task()
        self._background: set[asyncio.Task[object]] = set()
        self._closed = False

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Run shards and handlers while the body runs; leaving drains, then cancels what is left.

        Raises: on leaving, what ended the fleet.
        """
        async with self._dispatcher.within(self._own_context()):
            main = self._main = asyncio.create_task(self._run_fleet(), name="qqbot fleet")
            self._begun.set()
            try:
                yield
            finally:
                await self._end_fleet(main)
        main.result()

    async def _run_fleet(self) -> None:
        try:
            await self.fleet.run()
        except QQBotError as error:
            log.error("the bot has stopped: %s", error)  # noqa: TRY400 - the words say it; who waits gets the error
            raise
        except Exception:
            log.exception("the bot has stopped")
            raise
        finally:
            self._over.set()

    async def _end_fleet(self, main: "asyncio.Task[None]") -> None:
        self._over.set()
        try:
            await self.fleet.stop()
            await asyncio.wait([main])
        finally:
            main.cancel()
            await asyncio.gather(main, return_exceptions=True)

    def ask_to_stop(self) -> None:
        """Let `wait` return."""
        self._over.set()

    async def wait(self) -> None:
        """Return when the bot was asked to stop.  Raises: what ended the fleet."""
        await self._over.wait()
        if self._main is not None and self._main.done():
            self._main.result()

    async def ready(self) -> None:
        """Return when every shard of this process is READY.

        Raises: what ended the fleet; ConfigError when the bot was stopped before, or where waiting cannot end.
        """
        if self._main is None and asyncio.current_task() is self._enterer:
            raise ConfigError("the lifespan is entered before the bot connects: bot.spawn() what waits for ready()")
        await self._begun.wait()
        main = self._main
        assert main is not None
        ready = asyncio.create_task(self.fleet.ready())
        try:
            await asyncio.wait([ready, main], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            await asyncio.gather(ready, return_exceptions=True)
        if main.done():
            main.result()
            raise ConfigError("the bot was stopped before it was ready")

    @property
    def inside(self) -> bool:
        """Whether the caller is one of this service's handlers or background tasks, or a task of theirs."""
        return _inside.get() is self

    def _own_context(self) -> Context:
        context = copy_context()
        context.run(_inside.set, self)
        return context

    def spawn(self, coroutine: Coroutine[object, object, T], name: str | None) -> "asyncio.Task[T]":
        """Run a background task.  Raises: ConfigError when the service is at its end."""
        if self._closed:
            coroutine.close()
            raise ConfigError("the bot has drained: nothing can be spawned any more")
        task = asyncio.create_task(coroutine, name=name, context=self._own_context())
        self._background.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: "asyncio.Task[object]") -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the background task %s failed", task.get_name(), exc_info=error)

    async def end_background(self) -> None:
        """Cancel the background tasks and wait for their end; none can be spawned from here on."""
        self._closed = True
        while tasks := self._background - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
