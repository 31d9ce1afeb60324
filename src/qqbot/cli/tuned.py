"""A bot served with other settings than its file gives it: what the simulator's commands change about it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from ..bot import Bot
from ..config import Credentials, Endpoints, GatewayConfig
from ..ports import Clock, Settled
from ..sessions.base import SessionManager


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
