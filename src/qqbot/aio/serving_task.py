"""`ServingTask`: a bot that is served by a task of its own, for callers that come and go.

Responsible for that task: it alone enters and leaves what serving a bot opens, however many callers wait for its start
or ask for its end. Collaborators: `bot.runtime` and `webhook` start one. It does not decide when the bot ends.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ..errors import ConfigError


class Served(Protocol):
    """A bot that can be served."""

    @property
    def serving(self) -> bool:
        """True while it is served."""
        ...

    def serve(self, *, connect: bool = True) -> AbstractAsyncContextManager[object]:
        """Run handlers while the body runs; `connect`: with a connection to the gateway."""
        ...


class ServingTask:
    """Serves `bot` from now on, until `leave` or `end`; `connect` as in `Bot.serve`.

    `after`: an earlier task that serves the same bot; it has to end first.
    """

    def __init__(self, bot: Served, *, connect: bool, after: "ServingTask | None" = None) -> None:
        self.loop = asyncio.get_running_loop()
        self._entered: asyncio.Future[None] = self.loop.create_future()  # done when the bot is served
        self._leaving = asyncio.Event()  # set when the bot was asked to end
        self.owner = self.loop.create_task(self._own(bot, connect, after), name="qqbot serving")

    async def _own(self, bot: Served, connect: bool, after: "ServingTask | None") -> None:
        # An eager task takes its first step inside create_task: `owner`, and the attribute that holds this object, must
        # be assigned before the lifespan asks which task it runs in.
        await asyncio.sleep(0)
        if after is not None:
            await asyncio.wait([after.owner])
        async with bot.serve(connect=connect):
            self._entered.set_result(None)
            await self._leaving.wait()

    @property
    def leaving(self) -> bool:
        """True if no further caller can join it."""
        return self._leaving.is_set() or self.over

    @property
    def over(self) -> bool:
        """True if the bot has stopped."""
        return self.owner.done()

    async def entered(self) -> None:
        """Return when the bot is served.  Raises: the error of entering; ConfigError when it was ended before."""
        await asyncio.wait([self.owner, self._entered], return_when=asyncio.FIRST_COMPLETED)
        if self.owner.cancelled():
            raise ConfigError("the bot was stopped before it had started")
        if self.over:
            self.owner.result()

    def leave(self) -> None:
        """Let the bot drain and stop; cancel it if it is not served yet."""
        self._leaving.set()
        if not self._entered.done():
            self.owner.cancel()

    async def left(self) -> None:
        """Return when the bot has stopped.  Raises: the error of leaving."""
        await asyncio.wait([self.owner])
        if not self.owner.cancelled():
            self.owner.result()

    async def end(self) -> None:
        """Leave and wait for the end; being cancelled meanwhile cuts the drain short.  Raises: the error of leaving."""
        self.leave()
        await asyncio.gather(self.owner, return_exceptions=True)
        await self.left()
