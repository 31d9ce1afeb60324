"""The quotas of active messages, as data, and how many messages one process has sent within each.

Responsible for the documented numbers, for what an answer of the platform shows about them, and for bounded counts.
Pure: `now` is an argument, in seconds of a monotonic clock. Collaborators: `pacer` waits; `redis.pacing` counts for
all processes of a bot.

Source: server-inter/message/overview; bot-docs: server-inter/message/send-receive/send
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from msgspec import Struct

from ...errors import ConfigError
from ...models.targets import Scene

T = TypeVar("T")

SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3600.0, 86400.0

PARTS = 32
"""A period is counted in so many parts, so that a count needs little memory; a use counts up to one part too long."""

MOST_KEYS = 10_000
"""The counts that a process remembers; of more, those that were used longest ago are forgotten."""


class Rate(Struct, frozen=True):
    """At most `times` messages in any `per` seconds.

    Raises: ConfigError for numbers that cannot be right.
    """

    times: int
    per: float

    def __post_init__(self) -> None:
        if not self.times >= 1 or not self.per > 0:
            raise ConfigError(
                "Rate(times, per=seconds) takes at least 1 message and more than 0 seconds. 条数至少为 1，秒数应大于 0"
            )


class ActiveQuotas(Struct, frozen=True):
    """The active messages of one kind of conversation: to `each` conversation, and to all `together`.

    Raises: ConfigError for two rates with the same period.
    """

    each: tuple[Rate, ...] = ()
    together: tuple[Rate, ...] = ()

    def __post_init__(self) -> None:
        for rates in (self.each, self.together):
            if len({rate.per for rate in rates}) < len(rates):
                raise ConfigError(
                    "ActiveQuotas(...) takes one Rate for each period; two have the same per=. "
                    "同一周期 per= 只能有一个 Rate"
                )


_EACH_V2 = (Rate(20, MINUTE), Rate(1000, DAY))
_CHANNEL = ActiveQuotas(each=(Rate(5, SECOND), Rate(20, DAY)))
_DMS = ActiveQuotas(each=(Rate(2, DAY),), together=(Rate(200, DAY),))

UNCERTIFIED: Mapping[Scene, ActiveQuotas] = {
    Scene.GROUP: ActiveQuotas(each=_EACH_V2, together=(Rate(30, MINUTE),)),
    Scene.C2C: ActiveQuotas(each=_EACH_V2, together=(Rate(5, SECOND), Rate(30, MINUTE))),
    Scene.CHANNEL: _CHANNEL,
    Scene.DMS: _DMS,
}
"""The documented quotas of a bot whose owner is not certified."""

CERTIFIED: Mapping[Scene, ActiveQuotas] = {
    Scene.GROUP: ActiveQuotas(each=_EACH_V2, together=(Rate(60, MINUTE),)),
    Scene.C2C: ActiveQuotas(each=_EACH_V2, together=(Rate(10, SECOND),)),
    Scene.CHANNEL: _CHANNEL,
    Scene.DMS: _DMS,
}
"""The documented quotas of a certified bot."""

TOO_FAST = 40034100  # the platform's code for a rate of active messages
EACH_USED_UP: Mapping[Scene, int] = {Scene.GROUP: 22009, Scene.C2C: 22009, Scene.CHANNEL: 304045, Scene.DMS: 304049}
TOGETHER_USED_UP: Mapping[Scene, int] = {Scene.GROUP: 22009, Scene.C2C: 22009, Scene.CHANNEL: 304047, Scene.DMS: 304050}
"""The platform's codes for an allowance of a day that is used up."""


class Pause(NamedTuple):
    """What a refusal of the platform means for later messages: none for `seconds`; to all conversations if `together`.

    No answer names the moment when an allowance is renewed, so that one message an hour asks for it.
    """

    seconds: float
    together: bool = False


PAUSES: Mapping[int, Pause] = {
    TOO_FAST: Pause(MINUTE),
    22009: Pause(HOUR),
    304035: Pause(HOUR),
    304045: Pause(HOUR),
    304047: Pause(HOUR),
    304049: Pause(HOUR),
    304050: Pause(HOUR, together=True),
}


class Use(NamedTuple):
    """A count that one message is part of: of `key`, which may be used at `rate`; `together`: by all conversations."""

    key: str
    rate: Rate
    together: bool


class Usage(NamedTuple):
    """What became of the uses of one message.

    `full` None: they were counted, and `seconds` is the moment for `release`. Otherwise the index of what has no room
    for `seconds`; the indices after those of the uses are the pauses, and `code` is what the platform had answered.
    """

    full: int | None
    seconds: float
    code: int = 0


class PacingStore(Protocol):
    """Counts active messages for all processes that share it."""

    async def use(self, uses: Sequence[Use], pauses: Sequence[str]) -> Usage | None:
        """Count a message in each of `uses`, or in none of them if one is full or one of the keys `pauses` is paused.

        None: it cannot count now; then the process counts by itself.
        """
        ...

    async def release(self, uses: Sequence[Use], moment: float) -> None:
        """Remove a message that was counted at `moment`: it was not sent."""
        ...

    async def pause(self, key: str, seconds: float, code: int) -> None:
        """Refuse each use with the pause `key` for `seconds`, because the platform answered `code`."""
        ...


class QuotaCounts:
    """The messages that this process has sent, for at most `most` keys."""

    def __init__(self, most: int = MOST_KEYS) -> None:
        self._most = most
        # Messages by the number of the part of the period; the key that was used last is the last.
        self._parts: dict[str, dict[int, int]] = {}
        self._pauses: dict[str, tuple[float, int]] = {}  # when each ends, and the platform's code

    def __len__(self) -> int:
        return len(self._parts) + len(self._pauses)

    def use(self, uses: Sequence[Use], pauses: Sequence[str], now: float) -> Usage:
        """Count a message at `now` in each of `uses`, or in none of them if one is full or one of `pauses` lasts."""
        longest = Usage(None, 0.0)
        for index, key in enumerate(pauses, len(uses)):
            until, code = self._pauses.get(key, (now, 0))
            if until - now > longest.seconds:
                longest = Usage(index, until - now, code)
        for index, use in enumerate(uses):
            if (seconds := self._seconds_until_room(use, now)) > longest.seconds:
                longest = Usage(index, seconds)
        if longest.full is not None:
            return longest
        self.count(uses, now)
        return Usage(None, now)

    def count(self, uses: Sequence[Use], now: float) -> None:
        """Count a message at `now` in each of `uses`, whether there is room or not."""
        for key, rate, _ in uses:
            parts = self._parts.pop(key, {})
            part = _part(rate, now)
            for old in [each for each in parts if _ends(rate, each) <= now]:
                del parts[old]
            parts[part] = parts.get(part, 0) + 1
            _keep(self._parts, key, parts, self._most)

    def release(self, uses: Sequence[Use], moment: float) -> None:
        """Remove a message that was counted at `moment`."""
        for key, rate, _ in uses:
            parts, part = self._parts.get(key, {}), _part(rate, moment)
            if parts.get(part, 0) > 0:
                parts[part] -= 1

    def pause(self, key: str, seconds: float, code: int, now: float) -> None:
        """Refuse each use with the pause `key` for `seconds`, because the platform answered `code`."""
        self._pauses.pop(key, None)
        _keep(self._pauses, key, (now + seconds, code), self._most)

    def _seconds_until_room(self, use: Use, now: float) -> float:
        """Return the seconds until one of the messages that fill a count is too old to matter; 0 if there is room."""
        ends = 0.0
        used = 0
        for part, count in self._parts.get(use.key, {}).items():
            if count and (end := _ends(use.rate, part)) > now:
                ends = min(ends, end) if used else end
                used += count
        return ends - now if used >= use.rate.times else 0.0


def _part(rate: Rate, moment: float) -> int:
    return int(moment * PARTS // rate.per)


def _ends(rate: Rate, part: int) -> float:
    """Return the moment when the messages of `part` no longer count."""
    return (part + 1) * rate.per / PARTS + rate.per


def _keep(kept: dict[str, T], key: str, value: T, most: int) -> None:
    kept[key] = value
    if len(kept) > most:
        del kept[next(iter(kept))]
