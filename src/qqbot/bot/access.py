"""Access: what is checked before a handler runs, whether it may (`allow`) and how often (`cooldown`).

Responsible for asking, for the answer to a refusal, and for reporting it to `on_refused`. Collaborators: `permissions`
and `cooldowns` decide; `handler_table` asks before a handler runs. A refusal is no failure: the event is handled.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from ..aio.log_fields import log_fields
from ..models.events import Event, Replyable
from .context import Context
from .cooldowns import Cooldown, Cooldowns
from .permissions import Permission

log = logging.getLogger(__name__)


class AccessRefused(Struct, frozen=True):
    """A handler did not run: `reason` is why, `seconds` after which a cooldown ends, `handler` its name."""

    reason: Literal["permission", "cooldown"]
    handler: str
    seconds: float = 0.0


RefusedFunction: TypeAlias = Callable[[Context[Event], AccessRefused], Awaitable[object]]


Order: TypeAlias = Literal["conversation", "user"] | None
"""What an event waits for: those of its conversation, those of its user in the conversation, or none."""


class AccessRule(Struct, frozen=True, eq=False):
    """One check: `allow`, and the answer if it does not; None: no answer."""

    allow: Permission
    refuse: str | None = None


class Access(Struct, frozen=True, eq=False):
    """What is checked before one handler runs, and what it waits for (`order`; unset: as its bot or router says)."""

    rule: AccessRule | None = None
    cooldown: Cooldown | None = None
    order: Order | UnsetType = UNSET


UNRESTRICTED = Access()


async def refused_by(
    rules: Sequence[AccessRule], cooldown: Cooldown | None, ctx: Context[Any], store: Cooldowns, handler: str
) -> tuple[AccessRefused, str | None] | None:
    """Return why a handler must not run now, and the answer to that; None if it may run.

    Raises: what a predicate or the function of a cooldown raises.
    """
    for rule in rules:
        if not await rule.allow.allows(ctx):
            return AccessRefused("permission", handler), rule.refuse
    if cooldown is not None:
        key = f"{handler}:{cooldown.key(ctx)}"
        seconds = await store.use(key, cooldown.times, cooldown.per, ctx.api.clock())
        if seconds > 0:
            answer = cooldown.refuse
            return AccessRefused("cooldown", handler, seconds), (
                None if answer is None else answer.replace("{seconds}", str(math.ceil(seconds)))
            )
    return None


async def refuse(
    ctx: Context[Any], refusal: AccessRefused, answer: str | None, functions: Sequence[RefusedFunction]
) -> None:
    """Answer a refusal and call the `on_refused` functions.  Raises: what they raise, and what a reply raises."""
    if log.isEnabledFor(logging.DEBUG):
        log.debug("%s was refused for %s: %s", refusal.handler, ctx.event_id, refusal.reason, extra=log_fields())
    if answer is not None and isinstance(ctx.event, Replyable):
        await ctx.reply(answer)
    for function in functions:
        await function(ctx, refusal)
