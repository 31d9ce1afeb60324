"""Which failed call is repeated, and after how long.

Pure: `Attempts` follows one call, fed with its errors; time and chance are arguments. What a code means is in
`codes`; waiting is the caller's.
"""

from collections.abc import Mapping
from typing import cast

from msgspec import UNSET

from ..aio.backoff import Backoff
from ..errors import ApiError, DuplicateMessage, RateLimited
from .codes import RetryPolicy
from .exchange import Failure

MAX_ATTEMPTS = 4
BACKOFF = Backoff(first=0.5, cap=8.0, low=0.75, high=1.25)


def is_numbered(body: object) -> bool:
    """Whether `body` is a reply that may be sent twice: the platform refuses its msg_seq the second time."""
    return _has(body, "msg_seq") and (_has(body, "msg_id") or _has(body, "event_id"))


def _has(body: object, name: str) -> bool:
    value = getattr(body, name, None)
    if value is None and isinstance(body, Mapping):
        value = cast("Mapping[str, object]", body).get(name)
    return value is not None and value is not UNSET


class Attempts:
    """The attempts at one call.

    `repeatable`: sending it twice has the effect of sending it once. `count`: how many attempts failed;
    `maybe_done`: one of them may have reached the platform and taken effect.
    """

    def __init__(self, repeatable: bool) -> None:
        self.repeatable = repeatable
        self.count = 0
        self.maybe_done = False
        self._used: set[RetryPolicy] = set()

    def after(self, failure: Failure, *, left: float, chance: float) -> float | None:
        """Note a failed attempt; return the seconds to wait before the next one, None to give up.

        `left`: the seconds the call still has; `chance`: a random number from 0 to 1 that spreads the repeats
        of many callers.
        """
        self.count += 1
        self.maybe_done = self.maybe_done or _may_have_taken_effect(failure)
        delay = self._delay(failure, chance)
        return None if delay is None or delay >= left else delay

    def _delay(self, failure: Failure, chance: float) -> float | None:
        kind = failure.rule.retry if failure.rule else RetryPolicy.BACKOFF
        match kind:
            case RetryPolicy.TOKEN if self._first(kind):
                return 0.0
            case RetryPolicy.ONCE if self._first(kind):
                return self._growing(chance)
            case RetryPolicy.BACKOFF if self.count < MAX_ATTEMPTS:
                return self._backoff(failure, chance)
            case _:
                return None

    def _first(self, kind: RetryPolicy) -> bool:
        first = kind not in self._used
        self._used.add(kind)
        return first

    def _backoff(self, failure: Failure, chance: float) -> float | None:
        if isinstance(failure.error, RateLimited):
            wait = failure.error.retry_after
            return self._growing(chance) if wait is None else wait * (1 + 0.1 * chance)
        return self._growing(chance) if self.repeatable or not failure.sent else None

    def _growing(self, chance: float) -> float:
        return BACKOFF.delay(self.count - 1, chance)

    def was_done_before(self, error: Exception) -> bool:
        """Whether `error` only says that an earlier attempt of this call had succeeded."""
        return self.maybe_done and isinstance(error, DuplicateMessage)


def _may_have_taken_effect(failure: Failure) -> bool:
    """A 4xx answer means that nothing was done; what is no answer of the platform means nothing."""
    if isinstance(failure.error, ApiError):
        return failure.sent and (failure.error.status >= 500 or failure.error.status < 300)
    return failure.sent
