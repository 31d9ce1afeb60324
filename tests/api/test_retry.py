"""Which failures are repeated."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqbot.api.codes import ErrorRule, RetryPolicy, error_rule
from qqbot.api.exchange import Failure
from qqbot.api.retry import MAX_ATTEMPTS, REPEATS, Attempts, Evidence, evidence_of, is_numbered
from qqbot.errors import ApiError, ConnectionFailed, DuplicateMessage, RateLimited, Timeout
from qqbot.models.outgoing.messages import Text
from qqbot.models.outgoing.wire import v2_body
from qqbot.models.targets import ReplyTo


def answered(code: int, status: int = 400, *, retry_after: float | None = None) -> Failure:
    meaning = error_rule("general", code, status)
    error = meaning.error(status, code, "words")
    if isinstance(error, RateLimited):
        error.retry_after = retry_after
    return Failure(error, meaning)


TIMED_OUT = Failure(Timeout("t"), None)
BROKEN = Failure(ConnectionFailed("c"), None)
UNREACHED = Failure(ConnectionFailed("c"), None, sent=False)


def after(attempts: Attempts, failure: Failure, left: float = 60.0) -> float | None:
    return attempts.after(failure, left=left, chance=0.5)


@pytest.mark.parametrize("failure", [TIMED_OUT, BROKEN, answered(0, 502), answered(50055001)])
def test_only_repeatable_calls_are_repeated_after_they_may_have_been_sent(failure: Failure) -> None:
    assert after(Attempts(repeatable=True), failure) is not None
    assert after(Attempts(repeatable=False), failure) is None


@pytest.mark.parametrize("failure", [UNREACHED, answered(0, 429), answered(20028), answered(11242, 500)])
def test_what_was_surely_not_done_is_repeated_always(failure: Failure) -> None:
    assert after(Attempts(repeatable=False), failure) is not None


@pytest.mark.parametrize("code", [11298, 40034006, 40034005, 304023, 22009, 11253, 40054005, 12345])
def test_a_refusal_is_not_repeated(code: int) -> None:
    assert after(Attempts(repeatable=True), answered(code)) is None


@pytest.mark.parametrize("failure", [answered(11243, 401), answered(11242, 500)])
def test_token_and_system_checks_are_repeated_once(failure: Failure) -> None:
    attempts = Attempts(repeatable=True)
    assert after(attempts, failure) is not None
    assert after(attempts, failure) is None


def test_a_refused_token_is_repeated_at_once() -> None:
    assert after(Attempts(repeatable=False), answered(11244, 401)) == 0.0


def test_retry_after_is_honoured_and_never_shortened() -> None:
    delay = after(Attempts(repeatable=False), answered(0, 429, retry_after=7.0))
    assert delay is not None
    assert 7.0 <= delay <= 7.7


def test_a_delay_that_does_not_fit_gives_up() -> None:
    assert after(Attempts(repeatable=True), answered(0, 429, retry_after=7.0), left=5.0) is None
    assert after(Attempts(repeatable=True), TIMED_OUT, left=0.1) is None


def test_maybe_done_is_remembered() -> None:
    attempts = Attempts(repeatable=True)
    after(attempts, answered(0, 429))
    after(attempts, UNREACHED)
    assert not attempts.maybe_done
    after(attempts, TIMED_OUT)
    after(attempts, UNREACHED)
    assert attempts.maybe_done


def test_a_duplicate_is_success_only_on_our_own_repeat() -> None:
    duplicate = DuplicateMessage(400, 40054005, "dup")
    attempts = Attempts(repeatable=True)
    assert not attempts.was_done_before(duplicate)
    after(attempts, answered(0, 429))
    assert not attempts.was_done_before(duplicate)
    after(attempts, BROKEN)
    assert attempts.was_done_before(duplicate)
    assert not attempts.was_done_before(ApiError(400, 1, "other"))


failures = st.builds(
    Failure,
    st.sampled_from([Timeout("t"), ConnectionFailed("c"), ApiError(400, 1, ""), RateLimited(429, 0, "")]),
    st.none() | st.builds(ErrorRule, st.just(ApiError), st.sampled_from(RetryPolicy), st.just(("zh", "en"))),
    st.booleans(),
)


@given(st.booleans(), st.lists(failures, min_size=20, max_size=20), st.floats(0, 1))
def test_attempts_are_bounded_and_delays_fit(repeatable: bool, script: list[Failure], chance: float) -> None:
    attempts = Attempts(repeatable)
    left, count = 30.0, 0
    for failure in script:
        count += 1
        delay = attempts.after(failure, left=left, chance=chance)
        if delay is None:
            break
        assert 0 <= delay < left
        left -= delay
    assert count <= MAX_ATTEMPTS + 2  # one more for a renewed token, one for a failed system check


@pytest.mark.parametrize(
    ("body", "numbered"),
    [
        (v2_body("x", ReplyTo(msg_id="m", msg_seq=1)), True),
        (v2_body("x", ReplyTo(event_id="e", msg_seq=1)), True),
        (v2_body(Text("x", extra={"new": 1}), ReplyTo(msg_id="m", msg_seq=1)), True),
        (v2_body("x", ReplyTo(msg_id="m")), False),
        (v2_body("x"), False),
        ({"msg_id": "m", "msg_seq": 2}, True),
        ({"msg_seq": 2}, False),
        ({"msg_id": None, "msg_seq": 2}, False),
        (b"{}", False),
        (None, False),
    ],
)
def test_numbered_replies(body: object, numbered: bool) -> None:
    assert is_numbered(body) is numbered


@pytest.mark.parametrize(
    ("failure", "evidence", "repeated"),
    [
        (UNREACHED, Evidence.UNSENT, [True, True, True]),
        (TIMED_OUT, Evidence.SILENCE, [True, True, False]),
        (BROKEN, Evidence.SILENCE, [True, True, False]),
        (answered(0, 500), Evidence.FAULT, [True, True, False]),
        (answered(503, 503), Evidence.FAULT, [True, True, False]),
        (answered(50055001), Evidence.BUSY, [True, True, False]),
        (answered(304082, 500), Evidence.BUSY, [True, True, False]),
        (answered(987654, 500), Evidence.UNEXPLAINED, [True, False, False]),
        (answered(500, 503), Evidence.UNEXPLAINED, [True, False, False]),
        (answered(0, 429), Evidence.LIMITED, [True, True, True]),
        (answered(987654, 429), Evidence.LIMITED, [True, True, True]),
        (answered(20028, 500), Evidence.LIMITED, [True, True, True]),
        (answered(11243, 401), Evidence.TOKEN, [True, True, True]),
        (answered(987654, 401), Evidence.TOKEN, [True, True, True]),
        (answered(11242, 500), Evidence.CHECK, [True, True, True]),
        (answered(987654), Evidence.REFUSED, [False, False, False]),
        (answered(40034005, 500), Evidence.REFUSED, [False, False, False]),
        (answered(304023, 202), Evidence.REFUSED, [False, False, False]),
    ],
)
def test_what_is_repeated_by_which_evidence(failure: Failure, evidence: Evidence, repeated: list[bool]) -> None:
    assert evidence_of(failure) is evidence
    assert list(REPEATS[evidence][:3]) == repeated
    calls = (Attempts(repeatable=True), Attempts(repeatable=True, numbered=True), Attempts(repeatable=False))
    assert [after(call, failure) is not None for call in calls] == repeated
    again = Attempts(repeatable=True)
    times = 0
    while after(again, failure) is not None:
        times += 1
    assert times == REPEATS[evidence].times


def test_the_page_has_the_same_table() -> None:
    page = (Path(__file__).parents[2] / "docs/errors.md").read_text("utf-8")
    for evidence, (idempotent, numbered, others, times) in REPEATS.items():
        marks = " | ".join("yes" if each else "no" for each in (idempotent, numbered, others))
        assert f"| {evidence.value} | {marks} | {times} |" in page
