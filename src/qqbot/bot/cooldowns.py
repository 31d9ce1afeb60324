"""Cooldowns: how often a user, a conversation or any other key may use a command.

Responsible for the limit that is declared (`Cooldown`) and for counting uses in this process (`Cooldowns`).
Collaborators: `access` asks before a handler runs; processes that share a store count there (`CooldownStore`).
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Literal, Protocol

from ..errors import ConfigError
from ..models.events import user_of
from .context import Context

MOST_KEYS = 10_000
"""The keys that a process remembers; of more, those that were used longest ago are forgotten."""
MOST_TIMES = 1_000


class CooldownStore(Protocol):
    """Counts uses, for one process or for all that share a store."""

    async def use(self, key: str, times: int, per: float, now: float) -> float | None:
        """Count a use of `key` at `now` (seconds) and return 0, or the seconds until it may be used again.

        None: it cannot tell now; then the process counts by itself.
        """
        ...


class Cooldown:
    """At most `times` uses in `per` seconds, of each user, each conversation, or each value of a function.

    `by` "user" counts a user everywhere, "conversation" all users of a conversation together; a function of the context
    returns the key itself. A use that is refused does not count. `refuse` is the answer; "{seconds}" in it becomes the
    seconds that are left. Without it, nothing is answered.

    Raises: ConfigError for numbers that cannot be right.
    """

    def __init__(
        self,
        times: int = 1,
        *,
        per: float,
        by: Literal["user", "conversation"] | Callable[[Context[Any]], str] = "user",
        refuse: str | None = None,
    ) -> None:
        if not 1 <= times <= MOST_TIMES or not per > 0:
            raise ConfigError(
                f"Cooldown(times, per=seconds) takes 1 to {MOST_TIMES} times and more than 0 seconds. "
                f"次数应为 1 到 {MOST_TIMES}，秒数应大于 0"
            )
        if by not in ("user", "conversation") and not callable(by):
            raise ConfigError('Cooldown(by=...) is "user", "conversation" or a function of the context. by= 写错了')
        self.times = times
        self.per = per
        self.by = by
        self.refuse = refuse

    def key(self, ctx: Context[Any]) -> str:
        """Return what is counted for this event.  Raises: what the function raises."""
        event = ctx.event
        if callable(self.by):
            return str(self.by(ctx))
        if self.by == "user":
            return user_of(event) or event.ordering_key
        return str(event.ordering_key)


class Cooldowns:
    """Counts uses in the memory of this process, for at most `most` keys; in a store that is `shared` first.

    `shared` is set while the bot is served through a session manager that shares one.
    """

    def __init__(self, most: int = MOST_KEYS) -> None:
        self.shared: CooldownStore | None = None
        self._most = most
        self._uses: dict[str, deque[float]] = {}  # the times of each key's uses; the key that was used last is the last

    def __len__(self) -> int:
        return len(self._uses)

    async def use(self, key: str, times: int, per: float, now: float) -> float:
        """Count a use of `key` at `now` (seconds) and return 0, or the seconds until it may be used again."""
        if self.shared is not None and (seconds := await self.shared.use(key, times, per, now)) is not None:
            return seconds
        uses = self._uses.get(key) or deque()
        while uses and uses[0] <= now - per:
            uses.popleft()
        if len(uses) >= times:
            return uses[0] + per - now
        uses.append(now)
        self._uses.pop(key, None)
        self._uses[key] = uses
        if len(self._uses) > self._most:
            del self._uses[next(iter(self._uses))]
        return 0.0
