"""`WebhookApp`: one webhook address and the bots behind it.

Responsible for choosing the bot of a call by its AppID, for the options of the calls, and for serving the bots while
the address is served. Collaborators: `handler` (answers the calls to one bot), `aiohttp` and `asgi` (read and write
HTTP). It verifies nothing.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol, Unpack

from aiohttp import web

from ..aio.serving_task import ServingTask
from ..errors import ConfigError
from .aiohttp import web_application
from .asgi import AsgiApplication
from .handler import MAX_BYTES, WebhookHandler, WebhookOptions
from .protocol import APP_ID, WINDOW, Answer, check_window, misaddressed

log = logging.getLogger(__name__)

SOLE = ""
"""Stands for the AppID of a bot that has the address for itself."""


class WebhookBot(Protocol):
    """A bot that answers webhook calls; `Bot` is one."""

    def __webhook__(self) -> WebhookHandler:
        """Return what answers its calls.  Raises: ConfigError for a bot that takes none by webhook."""
        ...


class WebhookApp:
    """One webhook address, for the bots of `bots` by their AppIDs; the header X-Bot-Appid names the bot of a call.

    Bots come and go with `add` and `remove`, also while it runs. For functions without a server there is
    `handle_webhook`.

    Raises: ConfigError for options that cannot be right.
    """

    def __init__(self, bots: Mapping[str, WebhookBot], **options: Unpack[WebhookOptions]) -> None:
        check_window(options.get("window", WINDOW))
        if options.get("max_bytes", 1) < 1:
            raise ConfigError("a webhook's max_bytes must be greater than 0")
        self._handlers = {app_id: bot.__webhook__() for app_id, bot in bots.items()}
        self._options = options
        # The bots that this address serves, by AppID; None while it is not served itself.
        self._serving_tasks: dict[str, ServingTask] | None = None
        self.max_bytes = options.get("max_bytes", MAX_BYTES)

    async def handle_webhook(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call; refuse one for a bot that is not here with 401.

        Raises: the error of serving a bot that is not served yet.
        """
        handlers = self._handlers
        # In any spelling; the first one counts, as in `protocol`, which judges the call.
        app_id = next((value for name, value in headers.items() if name.lower() == APP_ID), SOLE)
        handler = handlers.get(app_id) or handlers.get(SOLE)
        if handler is None:
            log.info("a webhook call was refused: no bot here has its AppID")
            return misaddressed().parts
        return await handler.answer(headers, body, **self._options)

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[None]:
        """Serve the bots while the body runs, without a gateway connection, but for those that are served already.

        Raises: ConfigError if it is being served already; the error of serving a bot.
        """
        if self._serving_tasks is not None:
            raise ConfigError("this webhook application is being served already")
        self._serving_tasks = {}
        try:
            for app_id, handler in list(self._handlers.items()):
                await self._begin(app_id, handler)
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

        Raises: ConfigError when there is one with this AppID; the error of serving it.
        """
        if app_id in self._handlers:
            raise ConfigError(f"there is a bot with the AppID {app_id} at this address: remove it first")
        handler = bot.__webhook__()
        await self._begin(app_id, handler)
        self._handlers[app_id] = handler

    async def remove(self, app_id: str) -> None:
        """Take no more calls for a bot; if the address serves it, it drains and stops.

        Raises: KeyError when there is none with this AppID.
        """
        del self._handlers[app_id]
        if self._serving_tasks is not None and (serving_task := self._serving_tasks.pop(app_id, None)) is not None:
            await serving_task.end()

    def webhook(self) -> web.Application:
        """Return the address for aiohttp: `app.add_subapp("/qq", application.webhook())`, or to be run alone."""
        return web_application(self)

    def asgi(self) -> AsgiApplication:
        """Return the address for ASGI: `app.mount("/qq", application.asgi())`, or to be run alone by a server."""
        return AsgiApplication(self)

    async def _begin(self, app_id: str, handler: WebhookHandler) -> None:
        serving_tasks = self._serving_tasks
        if serving_tasks is None or handler.bot.serving:
            return
        serving_task = serving_tasks[app_id] = ServingTask(handler.bot, connect=False)
        try:
            await serving_task.entered()
        except BaseException:
            serving_tasks.pop(app_id, None)
            await serving_task.end()
            raise
