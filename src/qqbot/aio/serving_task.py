"""`ServingTask`: a bot that is served by a task of its own, for callers that come and go.

Owns that task. One task enters and leaves all that serving a bot opens, whoever asks for its end.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ..errors import ConfigError


class Served(Protocol):
    """A bot that can be served."""

    @property
    def serving(self) -> bool:
        """Whether somebody serves it."""
        ...

    def serve(self, *, connect: bool = True) -> AbstractAsyncContextManager[object]:
        """Run handlers while the body runs, and connect to the gateway unless told not to."""
        ...


class ServingTask:
    """`bot` is served from now on, until `leave` or `end`; `connect` as in `Bot.serve`.

    `after`: an earlier stay of the same bot, which has to be over first.
    """

    def __init__(self, bot: Served, *, connect: bool, after: "ServingTask | None" = None) -> None:
        self.loop = asyncio.get_running_loop()
        self._entered: asyncio.Future[None] = self.loop.create_future()
        self._leaving = asyncio.Event()
        self.owner = self.loop.create_task(self._own(bot, connect, after), name="qqbot stay")

    async def _own(self, bot: Served, connect: bool, after: "ServingTask | None") -> None:
        if after is not None:
            await asyncio.wait([after.owner])
        async with bot.serve(connect=connect):
            self._entered.set_result(None)
            await self._leaving.wait()

    @property
    def leaving(self) -> bool:
        """Whether nobody can join it any more."""
        return self._leaving.is_set() or self.over

    @property
    def over(self) -> bool:
        """Whether the bot has stopped."""
        return self.owner.done()

    async def entered(self) -> None:
        """Return when the bot is served.  Raises: what entering raised; ConfigError when it was ended before."""
        await asyncio.wait([self.owner, self._entered], return_when=asyncio.FIRST_COMPLETED)
        if self.owner.cancelled():
            raise ConfigError("the bot was stopped before it had started")
        if self.over:
            self.owner.result()

    def leave(self) -> None:
        """Let the bot drain and stop, or come no further if it was on its way."""
        self._leaving.set()
        if not self._entered.done():
            self.owner.cancel()

    async def left(self) -> None:
        """Return when the bot has stopped.  Raises: what leaving raised."""
        await asyncio.wait([self.owner])
        if not self.owner.cancelled():
            self.owner.result()

    async def end(self) -> None:
        """Leave, and see to it: being cancelled meanwhile cuts the drain short.  Raises: what leaving raised."""
        self.leave()
        await asyncio.gather(self.owner, return_exceptions=True)
        await self.left()
