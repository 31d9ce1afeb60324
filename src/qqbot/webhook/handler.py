"""`WebhookHandler`: answers the webhook calls to one bot, through whatever framework they come.

Responsible for the time of day, for the keys of a bot's secrets, and for serving a bot that is not served while a call
needs it. Collaborators: `protocol` (judges a call), `bot.runtime` (the `WebhookTarget`: takes the event). It remembers
no events and runs no handler.
"""

import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypedDict

from ..aio.loops import check_loop
from ..aio.serving_task import Served, ServingTask
from ..aio.throttle import Throttle
from ..config import Credentials
from ..errors import Interrupted
from ..models.frames import Frame
from ..models.outcome import Outcome
from .protocol import AGAIN, DONE, WINDOW, Answer, WebhookProtocol, stale, too_large

log = logging.getLogger(__name__)

MAX_BYTES = 1024 * 1024

# Built once: an acknowledgement needs no way back into the protocol.
_TAKEN, _AGAIN = DONE.parts, AGAIN.parts


class WebhookOptions(TypedDict, total=False):
    """How calls are answered.

    `awaited`: after the handlers, and with `d: 1` if one raised; else at once, before them. `window`: seconds
    that a call's timestamp may be off (300, and no more). `max_bytes`: the largest body (1 MiB).
    """

    awaited: bool
    window: float
    max_bytes: int


class CallHandler(Protocol):
    """A webhook address, as aiohttp and ASGI see it."""

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
    """A bot that takes the events of webhook calls."""

    @property
    def served_with(self) -> Credentials | None:
        """The AppID and AppSecret that it is served with; None while it is not served."""
        ...

    def own_credentials(self) -> Credentials:
        """Return its AppID and AppSecret.  Raises: ConfigError if they are missing."""
        ...

    async def receive(self, frame: Frame, raw: bytes, *, awaited: bool) -> Outcome | None:
        """Take one event; the platform may have delivered the same before.

        Returns its outcome if it was `awaited`, None if it was queued.

        Raises: TimeoutError when there was no room for it, Interrupted when the bot is stopping.
        """
        ...


class _CallsServed(ServingTask):
    """Serves a bot for the calls that come while it is not served otherwise."""

    calls = 0  # those that need it now; the last one ends it


class SignedTimes:
    """When the calls were signed whose events may be forgotten by now, so that none of them passes for a new one.

    Ids are remembered for 2 * `WINDOW` seconds of a clock that only goes forward, and calls are accepted by the time of
    day, which may be set back.
    """

    def __init__(self, now: float) -> None:
        self._newest = 0  # of this period of `WINDOW` seconds
        self._earlier = 0  # the newest of the period before
        self._forgotten = 0  # the newest of all periods before these
        self._turned = now

    def admits(self, signed_at: int, now: float) -> bool:
        """Return whether a call is newer than all that may be forgotten; `now` is monotonic, in seconds."""
        passed = now - self._turned
        if passed >= WINDOW:
            self._forgotten = max(self._forgotten, self._earlier, self._newest if passed >= 2 * WINDOW else 0)
            self._earlier = 0 if passed >= 2 * WINDOW else self._newest
            self._newest, self._turned = 0, now
        if signed_at <= self._forgotten:
            return False
        self._newest = max(self._newest, signed_at)
        return True


class WebhookHandler:
    """Answers the webhook calls to `bot`."""

    def __init__(self, bot: WebhookTarget) -> None:
        self.bot = bot
        # By window, with the credentials they were made of: making a key takes long, and credentials can change.
        self._protocols: dict[float, tuple[Credentials, WebhookProtocol]] = {}
        self._signed_times = SignedTimes(time.monotonic())
        self._warnings = Throttle()  # a bot without room refuses every call
        self._serving_task: _CallsServed | None = None  # serves the bot for its calls; None before the first such call

    def prepare(self) -> None:
        """Make the keys now, so that no call has to wait for that.  Raises: ConfigError if the extra is missing."""
        self._protocol(WINDOW)

    async def answer(
        self,
        headers: Mapping[str, str],
        body: bytes,
        *,
        awaited: bool = False,
        window: float = WINDOW,
        max_bytes: int = MAX_BYTES,
    ) -> Answer:
        """Answer one call. A bot that is not served is served while the call lasts, which is then `awaited`.

        Raises: ConfigError without credentials, if the extra is missing, or for a bot of another event loop; the
        error of serving it.
        """
        if len(body) > max_bytes:
            return too_large(max_bytes).parts
        receipt = self._protocol(window).receive(headers, body, time.time())
        if receipt.frame is not None and not self._signed_times.admits(receipt.signed_at, time.monotonic()):
            receipt = stale()
        if receipt.refusal:
            log.info("a webhook call was refused: %s", receipt.refusal)
        if receipt.frame is None:
            return receipt.reply.parts
        if self.bot.served_with is not None and (self._serving_task is None or self._serving_task.over):
            return await self._take(receipt.frame, body, awaited=awaited)
        async with self._visit():
            return await self._take(receipt.frame, body, awaited=True)

    def _protocol(self, window: float) -> WebhookProtocol:
        """Return the rules, with the keys that were made once."""
        credentials = self.bot.served_with or self.bot.own_credentials()
        known = self._protocols.get(window)
        if known is None or known[0] != credentials:
            protocol = WebhookProtocol(credentials.app_id, credentials.secrets, window=window)
            known = self._protocols[window] = (credentials, protocol)
        return known[1]

    @asynccontextmanager
    async def _visit(self) -> AsyncGenerator[None]:
        """Serve the bot while the body runs, together with the other calls that need it."""
        serving_task = self._serving_task
        if serving_task is not None and not serving_task.over:
            check_loop(serving_task.loop, "the bot")
        if serving_task is None or serving_task.leaving:
            serving_task = self._serving_task = _CallsServed(
                self.bot, connect=False, after=None if serving_task is None or serving_task.over else serving_task
            )
        serving_task.calls += 1
        try:
            await serving_task.entered()
            yield
        finally:
            serving_task.calls -= 1
            if not serving_task.calls:
                await serving_task.end()

    async def _take(self, frame: Frame, body: bytes, *, awaited: bool) -> Answer:
        try:
            outcome = await self.bot.receive(frame, body, awaited=awaited)
        except TimeoutError:
            if self._warnings.ready():
                log.warning(
                    "the bot had no room for %.200r in time: it, and others, have to be delivered again", frame.id
                )
            return _copy(_AGAIN)
        except Interrupted as error:
            log.info("%s", error)
            return _copy(_AGAIN)
        return _copy(_AGAIN if outcome == "failed" else _TAKEN)


def _copy(answer: Answer) -> Answer:
    """Return `answer` with headers that the caller may change."""
    status, headers, body = answer
    return status, headers.copy(), body
