"""`Attempts`: whether a failed call is repeated, and after how many seconds.

Responsible for that decision: `REPEATS` is the table. Pure: time and chance are arguments.
Collaborators: `codes` defines what a code means, `aio.backoff` has the formula. It does not wait; `caller` does.
"""

from collections.abc import Mapping
from enum import Enum
from functools import partial
from typing import NamedTuple, cast

from msgspec import UNSET

from ..aio.backoff import Backoff
from ..errors import ApiError, DuplicateMessage, RateLimited
from .codes import RetryPolicy
from .exchange import Failure

MAX_ATTEMPTS = 4
BACKOFF = Backoff(first=0.5, cap=8.0, low=0.75, high=1.25)


class Evidence(Enum):
    """What a failed attempt shows."""

    UNSENT = "nothing was sent: no connection, no token"
    SILENCE = "no answer, or a connection that broke"
    FAULT = "HTTP 5xx without a code of its own, or with a body that is not JSON"
    BUSY = "a code that the table knows as a fault that passes"
    UNEXPLAINED = "HTTP 5xx with a code that the table does not know"
    LIMITED = "too fast: HTTP 429, or such a code"
    TOKEN = "the access token was refused"
    CHECK = "the platform's own check failed (11242, 11252, 11263, 11281)"
    REFUSED = "any other answer: a refusal, a used quota, a review"


class Repeats(NamedTuple):
    """Which calls are repeated, and how often at most.

    `idempotent`: reads, and changes that have the same effect twice. `numbered`: replies, which carry a msg_seq.
    `others`: messages without a msg_seq, and all else that would take effect twice.
    """

    idempotent: bool
    numbered: bool
    others: bool
    times: int


REPEATS: Mapping[Evidence, Repeats] = {
    Evidence.UNSENT: Repeats(idempotent=True, numbered=True, others=True, times=MAX_ATTEMPTS - 1),
    Evidence.SILENCE: Repeats(idempotent=True, numbered=True, others=False, times=MAX_ATTEMPTS - 1),
    Evidence.FAULT: Repeats(idempotent=True, numbered=True, others=False, times=MAX_ATTEMPTS - 1),
    Evidence.BUSY: Repeats(idempotent=True, numbered=True, others=False, times=MAX_ATTEMPTS - 1),
    Evidence.UNEXPLAINED: Repeats(idempotent=True, numbered=False, others=False, times=MAX_ATTEMPTS - 1),
    Evidence.LIMITED: Repeats(idempotent=True, numbered=True, others=True, times=MAX_ATTEMPTS - 1),
    Evidence.TOKEN: Repeats(idempotent=True, numbered=True, others=True, times=1),
    Evidence.CHECK: Repeats(idempotent=True, numbered=True, others=True, times=1),
    Evidence.REFUSED: Repeats(idempotent=False, numbered=False, others=False, times=0),
}
"""What is repeated, by which evidence; docs/errors.md has the same table."""


def evidence_of(failure: Failure) -> Evidence:
    """Return what a failed attempt shows."""
    policy = RetryPolicy.BACKOFF if failure.rule is None else failure.rule.retry
    if policy in _BY_POLICY:
        return _BY_POLICY[policy]
    if policy is RetryPolicy.BACKOFF and isinstance(failure.error, RateLimited):
        return Evidence.LIMITED
    if not failure.sent:
        return Evidence.UNSENT
    if policy is RetryPolicy.UNEXPLAINED:
        return Evidence.UNEXPLAINED
    if isinstance(failure.error, ApiError):
        return Evidence.FAULT if failure.error.code in (0, failure.error.status) else Evidence.BUSY
    return Evidence.SILENCE


_PASSING = (RetryPolicy.BACKOFF, RetryPolicy.UNEXPLAINED)
_BY_POLICY = {policy: Evidence.REFUSED for policy in RetryPolicy if policy not in _PASSING} | {
    RetryPolicy.TOKEN: Evidence.TOKEN,
    RetryPolicy.ONCE: Evidence.CHECK,
}


_ABSENT = (None, UNSET)


def is_numbered(body: object) -> bool:
    """True if `body` is a reply that may be sent twice: the platform refuses a msg_seq the second time."""
    get = cast("Mapping[str, object]", body).get if isinstance(body, Mapping) else partial(getattr, body)
    number, message, event = get("msg_seq", None), get("msg_id", None), get("event_id", None)
    return number not in _ABSENT and (message not in _ABSENT or event not in _ABSENT)


class Attempts:
    """The attempts at one call; `numbered`: it can be repeated because it carries a msg_seq."""

    def __init__(self, repeatable: bool, *, numbered: bool = False) -> None:
        self.repeatable = repeatable  # sending it twice has the same effect as sending it once
        self._numbered = numbered
        self.count = 0  # failed attempts
        self.maybe_done = False  # one of them may have taken effect, so a later "duplicate" means success
        self._used: set[Evidence] = set()  # evidence that allows one repeat for each call, and had it

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
        evidence = evidence_of(failure)
        if not self._may_repeat(evidence):
            return None
        if evidence is Evidence.TOKEN:
            return 0.0
        if isinstance(failure.error, RateLimited) and failure.error.retry_after is not None:
            return failure.error.retry_after * (1 + 0.1 * chance)
        return self._growing(chance)

    def _may_repeat(self, evidence: Evidence) -> bool:
        allowed = REPEATS[evidence]
        if allowed.times > 1:  # these share one bound
            in_time = self.count <= allowed.times
        else:
            in_time = allowed.times > 0 and evidence not in self._used
            self._used.add(evidence)
        if not self.repeatable:
            return in_time and allowed.others
        return in_time and (allowed.numbered if self._numbered else allowed.idempotent)

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
