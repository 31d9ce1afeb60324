"""A bot served in another way than its file says: what the simulator's commands change about it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Unpack

from ..aio.clock import Clock
from ..bot.bot import Bot
from ..config import Credentials, Endpoints, GatewayConfig
from ..dispatcher.delivery import Settled
from ..sessions.base import SessionManager

if TYPE_CHECKING:
    from ..webhook.handler import WebhookOptions

HOST = "127.0.0.1"
DRAIN_SECONDS = 10.0  # for calls that are being answered at the end


class Tuned:
    """A bot, for `Simulator.run`, with a session manager or times of the gateway that are not its own."""

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
        """Call back with event id and outcome; returns what ends that."""
        return self.bot.on_settled(callback)


class Hooked:
    """A bot, for `Simulator.run`, that gets its events by webhook: `webhook_url` says where, while it is served."""

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
        """It is, as soon as it is served."""

    def on_settled(self, callback: Settled) -> Callable[[], None]:
        """Call back with event id and outcome; returns what ends that."""
        return self.bot.on_settled(callback)
