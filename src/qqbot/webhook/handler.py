"""One bot's webhook calls, whatever framework they come through: judged, handed to the handlers, answered.

Owns the time of day, and the serving of a bot that nobody serves while a call needs it. What a call is worth is
decided in `protocol`; remembering events and running handlers is the dispatcher's.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypedDict

from ..aio.serving_task import Served, ServingTask
from ..config import Credentials
from ..errors import ConfigError, Interrupted
from ..models.frames import Frame
from ..models.outcome import Outcome
from .protocol import AGAIN, DONE, WINDOW, Answer, WebhookProtocol, WebhookReply, too_large

log = logging.getLogger(__name__)

MAX_BYTES = 1024 * 1024


class WebhookOptions(TypedDict, total=False):
    """How calls are answered.

    `awaited`: after the handlers, and with `d: 1` where one raised; else at once, before them. `window`: seconds
    that a call's timestamp may be off (300, and no more). `max_bytes`: the largest body (1 MiB).
    """

    awaited: bool
    window: float
    max_bytes: int


class CallHandler(Protocol):
    """What the forms of an address (aiohttp, ASGI) need of it."""

    @property
    def max_bytes(self) -> int:
        """The largest body."""
        ...

    async def handle_webhook(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call."""
        ...

    def serve(self) -> AbstractAsyncContextManager[None]:
        """Serve the bots while the body runs."""
        ...


class WebhookTarget(Served, Protocol):
    """What the desk needs of a bot."""

    @property
    def credentials(self) -> Credentials:
        """AppID and AppSecret.  Raises: ConfigError where they are missing."""
        ...

    async def receive(self, frame: Frame, raw: bytes, *, awaited: bool) -> Outcome | None:
        """Take one event, of which the platform may have delivered the same before.

        Returns its outcome where it was `awaited`, None where it was queued.

        Raises: TimeoutError when there was no room for it, Interrupted when the bot is stopping.
        """
        ...


class _CallsServed(ServingTask):
    """A stay for the calls to a bot that nobody serves."""

    calls = 0


class WebhookHandler:
    """Answers the webhook calls to one bot."""

    def __init__(self, bot: WebhookTarget) -> None:
        self._bot = bot
        self._protocols: dict[float, tuple[Credentials, WebhookProtocol]] = {}
        self._serving_task: _CallsServed | None = None

    def prepare(self) -> None:
        """Make the keys now, so that no call has to wait for that.  Raises: ConfigError where the extra is missing."""
        self._protocol(WINDOW)

    async def answer(
        self,
        headers: Mapping[str, str],
        body: bytes,
        *,
        awaited: bool = False,
        window: float = WINDOW,
        max_bytes: int = MAX_BYTES,
    ) -> WebhookReply:
        """Answer one call. A bot that nobody serves is served while the call lasts, which is then `awaited`.

        Raises: ConfigError without credentials, where the extra is missing, or for a bot of another event loop;
        what serving raises.
        """
        if len(body) > max_bytes:
            return too_large(max_bytes)
        receipt = self._protocol(window).receive(headers, body, time.time())
        if receipt.refusal:
            log.info("a webhook call was refused: %s", receipt.refusal)
        if receipt.frame is None:
            return receipt.reply
        if self._bot.serving and (self._serving_task is None or self._serving_task.over):
            return await self._take(receipt.frame, body, awaited=awaited)
        async with self._visit():
            return await self._take(receipt.frame, body, awaited=True)

    def _protocol(self, window: float) -> WebhookProtocol:
        """Return the rules, with the keys that were made once."""
        credentials = self._bot.credentials
        known = self._protocols.get(window)
        if known is None or known[0] != credentials:
            protocol = WebhookProtocol(credentials.app_id, credentials.secrets, window=window)
            known = self._protocols[window] = (credentials, protocol)
        return known[1]

    @asynccontextmanager
    async def _visit(self) -> AsyncGenerator[None]:
        """Serve the bot while the body runs, together with the other calls that need it."""
        serving_task = self._serving_task
        if serving_task is not None and not serving_task.over and serving_task.loop is not asyncio.get_running_loop():
            raise ConfigError("a bot answers the webhook calls of one event loop at a time: make a Bot for each thread")
        if serving_task is None or serving_task.leaving:
            serving_task = self._serving_task = _CallsServed(
                self._bot, connect=False, after=None if serving_task is None or serving_task.over else serving_task
            )
        serving_task.calls += 1
        try:
            await serving_task.entered()
            yield
        finally:
            serving_task.calls -= 1
            if not serving_task.calls:
                await serving_task.end()

    async def _take(self, frame: Frame, body: bytes, *, awaited: bool) -> WebhookReply:
        try:
            outcome = await self._bot.receive(frame, body, awaited=awaited)
        except TimeoutError:
            log.warning("the bot had no room for %s in time: it has to be delivered again", frame.id)
            return AGAIN
        except Interrupted as error:
            log.info("%s", error)
            return AGAIN
        return AGAIN if outcome == "failed" else DONE
