"""The table of codes against the tables of the protocol."""

import json
from pathlib import Path

import pytest

import qqbot
from qqbot.api import codes
from qqbot.api.codes import RetryPolicy, error_rule, explain, is_known
from qqbot.errors import (
    ApiError,
    AuthError,
    ContentRejected,
    DuplicateMessage,
    IPNotAllowed,
    MediaError,
    MessagePendingAudit,
    NotFound,
    PermissionMissing,
    QuotaExceeded,
    RateLimited,
    ReplyWindowExpired,
    ServerError,
)

TABLES = Path(qqbot.__file__).parent / "simulator" / "wire" / "data"
DOCUMENTED = json.loads((TABLES / "codes.json").read_text(encoding="utf-8"))


def test_every_documented_code_has_the_documented_retry() -> None:
    entries = DOCUMENTED["api_errors"]
    assert len(entries) == 345
    found = {entry["code"]: error_rule("general", entry["code"], 400).retry.value for entry in entries}
    assert found == {entry["code"]: entry["retry"] for entry in entries}


def test_every_documented_code_is_in_the_table() -> None:
    assert [entry["code"] for entry in DOCUMENTED["api_errors"] if not is_known("general", entry["code"])] == []


def test_no_code_stands_in_two_rows() -> None:
    for rows in (codes._GENERAL, codes._TOKEN_ENDPOINT, codes._SHARE_LINK):
        listed = [code for row in rows for code in codes._codes(row.codes)]
        assert len(listed) == len(set(listed))


def test_the_token_endpoint_has_its_own_meanings() -> None:
    for entry in DOCUMENTED["token"]["errors"]:
        assert error_rule("token", entry["code"], 200).retry.value == entry["retry"]
    assert error_rule("token", 10004, 200).error is AuthError
    assert error_rule("general", 10004, 404).error is NotFound


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (11298, IPNotAllowed),
        (40023002, IPNotAllowed),
        (11243, AuthError),
        (11253, PermissionMissing),
        (20028, RateLimited),
        (22009, QuotaExceeded),
        (40034100, QuotaExceeded),
        (11255, NotFound),
        (11293, PermissionMissing),
        (30013, QuotaExceeded),
        (304041, PermissionMissing),
        (40023001, RateLimited),
        (40034012, PermissionMissing),
        (40035002, MediaError),
        (40035003, MediaError),
        (40034005, ReplyWindowExpired),
        (40034024, ReplyWindowExpired),
        (40034128, ReplyWindowExpired),
        (40054005, DuplicateMessage),
        (304003, ContentRejected),
        (40034006, ContentRejected),
        (304023, MessagePendingAudit),
        (850026, MediaError),
        (50055001, ServerError),
        (40054004, PermissionMissing),
    ],
)
def test_remedies(code: int, error: type[ApiError]) -> None:
    assert error_rule("general", code, 400).error is error


@pytest.mark.parametrize(
    ("status", "error", "retry"),
    [
        (202, MessagePendingAudit, RetryPolicy.ACCEPTED),
        (400, ApiError, RetryPolicy.NO),
        (401, AuthError, RetryPolicy.TOKEN),
        (403, PermissionMissing, RetryPolicy.NO),
        (404, NotFound, RetryPolicy.NO),
        (405, ApiError, RetryPolicy.NO),
        (413, MediaError, RetryPolicy.NO),
        (429, RateLimited, RetryPolicy.BACKOFF),
        (500, ServerError, RetryPolicy.UNEXPLAINED),
        (504, ServerError, RetryPolicy.UNEXPLAINED),
    ],
)
def test_an_unknown_code_is_judged_by_its_status(status: int, error: type[ApiError], retry: RetryPolicy) -> None:
    assert error_rule("general", 99999999, status)[:2] == (error, retry)
    if status >= 500:
        assert error_rule("general", 0, status)[:2] == (error, RetryPolicy.BACKOFF)


def test_any_401_renews_the_token_but_a_refused_ip() -> None:
    assert error_rule("general", 11251, 401).retry is RetryPolicy.TOKEN
    assert error_rule("general", 11298, 401).retry is RetryPolicy.NO


def test_explain_names_every_family() -> None:
    assert {family: meaning.error for family, meaning in explain(10004).items()} == {
        "general": NotFound,
        "token": AuthError,
    }
    assert explain(99999999) == {}


def test_every_hint_has_both_languages() -> None:
    for entry in DOCUMENTED["api_errors"]:
        hint = error_rule("general", entry["code"], 400).hint
        assert hint.zh
        assert hint.en
        assert any("\u4e00" <= character <= "\u9fff" for character in hint.zh)
