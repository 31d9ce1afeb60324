"""`Attempts`: whether a failed call is repeated, and after how many seconds.

Responsible for that decision. Pure: time and chance are arguments.
Collaborators: `codes` defines what a code means, `aio.backoff` has the formula. It does not wait; `caller` does.
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
    """True if `body` is a reply that may be sent twice: the platform refuses a msg_seq the second time."""
    return _has(body, "msg_seq") and (_has(body, "msg_id") or _has(body, "event_id"))


def _has(body: object, name: str) -> bool:
    value = getattr(body, name, None)
    if value is None and isinstance(body, Mapping):
        value = cast("Mapping[str, object]", body).get(name)
    return value is not None and value is not UNSET


class Attempts:
    """The attempts at one call."""

    def __init__(self, repeatable: bool) -> None:
        self.repeatable = repeatable  # sending it twice has the same effect as sending it once
        self.count = 0  # failed attempts
        self.maybe_done = False  # one of them may have taken effect, so a later "duplicate" means success
        self._used: set[RetryPolicy] = set()  # policies that allow one repeat for each call

    def after(self, failure: Failure, *, left: float, chance: float) -> float | None:
        """Record a failed attempt; return the seconds to wait before the next one, or None to give up.

        `left`: the seconds until the deadline of the call. `chance`: a random number from 0 to 1 that spreads the
        repeats of many callers.
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
        """True if `error` only means that an earlier attempt of this call succeeded."""
        return self.maybe_done and isinstance(error, DuplicateMessage)


def _may_have_taken_effect(failure: Failure) -> bool:
    """Return False for a 4xx answer, which means that nothing was done; without an answer nothing is known."""
    if isinstance(failure.error, ApiError):
        return failure.sent and (failure.error.status >= 500 or failure.error.status < 300)
    return failure.sent
