"""One webhook address: the bots behind it, told apart by their AppID, and the options of its calls.

Owns which bot a call is for, and the serving of the bots while the address is served. Answering is each bot's.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol, Unpack

from aiohttp import web

from ..aio.serving_task import Served, ServingTask
from ..errors import ConfigError
from .aiohttp import web_application
from .asgi import AsgiApplication
from .handler import MAX_BYTES, WebhookOptions
from .protocol import APP_ID, WINDOW, Answer, check_window, misaddressed, normalized

log = logging.getLogger(__name__)

SOLE = ""
"""Stands for the AppID of the one bot at an address of its own."""


class WebhookBot(Served, Protocol):
    """What an address needs of a bot."""

    def expect_webhook(self) -> None:
        """Know events by their ids from now on.  Raises: ConfigError for a bot that takes none by webhook."""
        ...

    async def handle_webhook(
        self, headers: Mapping[str, str], body: bytes, **options: Unpack[WebhookOptions]
    ) -> Answer:
        """Answer one call."""
        ...


class WebhookApp:
    """One webhook address, for the bots of `bots` by their AppIDs, told apart by the header X-Bot-Appid.

    Bots come and go with `add` and `remove`, also while it runs. For functions without a server there is
    `handle_webhook`.

    Raises: ConfigError for options that cannot be right.
    """

    def __init__(self, bots: Mapping[str, WebhookBot], **options: Unpack[WebhookOptions]) -> None:
        check_window(options.get("window", WINDOW))
        if options.get("max_bytes", 1) < 1:
            raise ConfigError("a webhook's max_bytes must be greater than 0")
        self._bots = dict(bots)
        for bot in bots.values():
            bot.expect_webhook()
        self._options = options
        self._serving_tasks: dict[str, ServingTask] | None = (
            None  # what this site serves; None while it is not served itself
        )
        self.max_bytes = options.get("max_bytes", MAX_BYTES)

    async def handle_webhook(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call; one for a bot that is not here is refused with 401.

        Raises: what serving a bot raises that nobody serves.
        """
        bot = self._bots.get(normalized(headers.items()).get(APP_ID, SOLE)) or self._bots.get(SOLE)
        if bot is None:
            log.info("a webhook call was refused: no bot here has its AppID")
            return misaddressed().parts
        return await bot.handle_webhook(headers, body, **self._options)

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[None]:
        """Serve the bots while the body runs, without a gateway connection; who is served already is left alone."""
        if self._serving_tasks is not None:
            raise ConfigError("this webhook application is being served already")
        self._serving_tasks = {}
        try:
            for app_id, bot in list(self._bots.items()):
                await self._begin(app_id, bot)
            yield
        finally:
            serving_tasks, self._serving_tasks = self._serving_tasks, None
            for serving_task in serving_tasks.values():
                serving_task.leave()
            await asyncio.gather(
                *(serving_task.owner for serving_task in serving_tasks.values()), return_exceptions=True
            )
            for serving_task in serving_tasks.values():
                await serving_task.left()

    async def add(self, app_id: str, bot: WebhookBot) -> None:
        """Take calls for one more bot, and serve it if the address is served.

        Raises: ConfigError when there is one with this AppID; what serving it raises.
        """
        if app_id in self._bots:
            raise ConfigError(f"there is a bot with the AppID {app_id} at this address: remove it first")
        bot.expect_webhook()
        await self._begin(app_id, bot)
        self._bots[app_id] = bot

    async def remove(self, app_id: str) -> None:
        """Take no more calls for a bot; if the address serves it, it drains and stops.

        Raises: KeyError when there is none with this AppID.
        """
        del self._bots[app_id]
        if self._serving_tasks is not None and (serving_task := self._serving_tasks.pop(app_id, None)) is not None:
            await serving_task.end()

    def webhook(self) -> web.Application:
        """Return it for aiohttp: `app.add_subapp("/qq", application.webhook())`, or to be run alone."""
        return web_application(self)

    def asgi(self) -> AsgiApplication:
        """Return it for ASGI: `app.mount("/qq", application.asgi())`, or to be run alone by a server."""
        return AsgiApplication(self)

    async def _begin(self, app_id: str, bot: WebhookBot) -> None:
        serving_tasks = self._serving_tasks
        if serving_tasks is None or bot.serving:
            return
        serving_task = serving_tasks[app_id] = ServingTask(bot, connect=False)
        try:
            await serving_task.entered()
        except BaseException:
            serving_tasks.pop(app_id, None)
            await serving_task.end()
            raise
