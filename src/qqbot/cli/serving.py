"""Ways to serve a bot on the simulator: with other options than its file has, or by webhook.

Responsible for the options that the commands of the simulator change, and for waiting until a webhook answers the
challenge. Collaborators: the simulator pushes the events.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Unpack

from ..aio.background import background
from ..aio.clock import Clock
from ..bot.bot import Bot
from ..bot.runtime import BotRuntime
from ..config import Credentials, Endpoints, GatewayConfig
from ..dispatcher.delivery import Settled
from ..errors import ConfigError
from ..sessions.base import SessionManager
from .terminal import tell

if TYPE_CHECKING:
    from ..simulator import Simulator
    from ..webhook.handler import WebhookOptions

HOST = "127.0.0.1"
DRAIN_SECONDS = 10.0  # for webhook calls in progress at the end


class ConfiguredBot:
    """A bot for `Simulator.run`, with another session manager or other times of the gateway than its own."""

    def __init__(
        self, bot: Bot, *, sessions: SessionManager | None = None, gateway: GatewayConfig | None = None
    ) -> None:
        self.bot = bot
        self._sessions = sessions
        self._gateway = gateway

    def serve(
        self,
        *,
        credentials: Credentials | None = None,
        endpoints: Endpoints | None = None,
        clock: Clock | None = None,
    ) -> AbstractAsyncContextManager[Bot]:
        """Serve the bot while the body runs."""
        return self.bot.serve(
            credentials=credentials,
            endpoints=endpoints,
            sessions=self._sessions,
            gateway=self._gateway,
            clock=clock,
        )

    async def ready(self) -> None:
        """Return when every shard is ready."""
        await self.bot.ready()

    def on_settled(self, callback: Settled) -> Callable[[], None]:
        """Call back with event id and outcome; return a function that ends that."""
        return self.bot.on_settled(callback)

    def __simulated__(self) -> BotRuntime:
        """Return what reports to a simulator and follows its clock."""
        return self.bot.__simulated__()


class WebhookServedBot:
    """A bot for `Simulator.run` that gets its events by webhook, at `webhook_url` while it is served."""

    def __init__(self, bot: Bot, **options: "Unpack[WebhookOptions]") -> None:
        self.bot = bot
        self.webhook_url: str | None = None
        self._options = options

    @asynccontextmanager
    async def serve(
        self,
        *,
        credentials: Credentials | None = None,
        endpoints: Endpoints | None = None,
        clock: Clock | None = None,
    ) -> AsyncGenerator[Bot]:
        """Serve the bot while the body runs, on a free port."""
        from ..webhook.aiohttp import listening

        async with (
            self.bot.serve(credentials=credentials, endpoints=endpoints, clock=clock, connect=False) as bot,
            listening(bot.webhook(**self._options), f"{HOST}:0", DRAIN_SECONDS) as port,
        ):
            self.webhook_url = f"http://{HOST}:{port}/"
            try:
                yield bot
            finally:
                self.webhook_url = None

    async def ready(self) -> None:
        """Return at once: it is ready as soon as it is served."""

    def on_settled(self, callback: Settled) -> Callable[[], None]:
        """Call back with event id and outcome; return a function that ends that."""
        return self.bot.on_settled(callback)

    def __simulated__(self) -> BotRuntime:
        """Return what reports to a simulator and follows its clock."""
        return self.bot.__simulated__()


SECONDS_BETWEEN_TRIES = 1.0


@asynccontextmanager
async def serve_by_webhook(simulator: "Simulator", url: str) -> AsyncGenerator[None]:
    """Push events to `url` while the body runs.

    Raises: ConfigError for what is no URL, or if the extra `webhook` is missing.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"--webhook {url!r} is not an http:// or https:// URL. 请给出完整的回调地址")
    simulator.webhook.url = url
    simulator.webhook.prepare()
    async with background(_report_answer(simulator, url), name="qqbot webhook challenge"):
        yield


async def _report_answer(simulator: "Simulator", url: str) -> None:
    """Try the challenge until the address answers it; the console tries once."""
    waiting = False  # True once it was printed that there is no answer yet
    while not await simulator.webhook.challenge():
        if not waiting:
            waiting = True
            tell(f"{url} does not answer the challenge yet: start the bot with the lines above. 请用以上变量启动机器人")
        await asyncio.sleep(SECONDS_BETWEEN_TRIES)
    tell(f"{url} has answered the challenge: events go there. 回调地址验证通过")
