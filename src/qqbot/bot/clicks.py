"""Clicks: whether they are acknowledged in time.

Responsible for the warning about a click that no handler acknowledges, and for acknowledging it when the handlers have
ended (`Bot(auto_ack=True)`). Collaborators: `api.interactions` knows which were; `middleware` runs the handlers.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from ..dispatcher.delivery import RunHandler
from ..models.events import InteractionCreate
from .context import ACK_SECONDS, Context
from .middleware import call_around

log = logging.getLogger(__name__)


class ClickWatch:
    """Watches the clicks that handlers take; `auto_ack` acknowledges what they have not, at their end."""

    def __init__(self, *, auto_ack: bool = False) -> None:
        self.auto_ack = auto_ack
        self._timers: dict[str, asyncio.TimerHandle] = {}  # of clicks that may still be acknowledged in time

    async def around(self, ctx: Context[Any], handlers: Sequence[Any], run: RunHandler) -> None:
        """Run the handlers of a click.  Raises: what the first handler that failed raised."""
        event = ctx.event
        if not isinstance(event, InteractionCreate) or not event.awaits_ack:
            await call_around(ctx, handlers, run)
            return
        loop = asyncio.get_running_loop()
        self._timers[event.id] = loop.call_later(ACK_SECONDS, self._warn, ctx, event.id, handlers)
        try:
            await call_around(ctx, handlers, run)
        finally:
            if self.auto_ack and not ctx.api.interactions.was_answered(event.id):
                from .asking import acknowledge  # noqa: PLC0415 - most bots ask nothing

                await acknowledge(ctx)
            # Without an answer it stays: a task that the handler has left behind may acknowledge the click.
            if ctx.api.interactions.was_answered(event.id) and (timer := self._timers.pop(event.id, None)):
                timer.cancel()

    def close(self) -> None:
        """Warn about nothing any more: the bot has ended."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _warn(self, ctx: Context[Any], interaction: str, handlers: Sequence[Any]) -> None:
        self._timers.pop(interaction, None)
        if not ctx.api.interactions.was_answered(interaction):
            log.warning(
                "%s did not acknowledge the click %s within %g s, so the user sees a failure: call ctx.ack() "
                "first, or use Bot(auto_ack=True). 按钮点击未在 %g 秒内 ack",
                ", ".join(handler.name for handler in handlers),
                ctx.event_id,
                ACK_SECONDS,
                ACK_SECONDS,
                extra=ctx.log_fields(", ".join(handler.qualified_name for handler in handlers)),
            )
