"""What an answer says when it is an error."""

import json
import time

import pytest

from qqbot.api.exchange import Failure, Request, Response, failure_of, words_if_no_json
from qqbot.config import Secret
from qqbot.errors import (
    ApiError,
    ContentRejected,
    IPNotAllowed,
    MediaError,
    MessagePendingAudit,
    NotFound,
    RateLimited,
    ServerError,
)

REQUEST = Request("POST", "https://host/v2/x", "/v2/x", {"Authorization": "QQBot hidden"}, b'{"a":"hidden"}', 5.0)


def failed(
    body: object, status: int = 400, headers: dict[str, str] | None = None, secrets: tuple[Secret, ...] = ()
) -> ApiError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    failure = failure_of(REQUEST, Response(status, headers or {}, data), secrets=secrets)
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, ApiError)
    return failure.error


def test_the_new_number_is_preferred() -> None:
    error = failed({"message": "no", "code": 11298, "err_code": 40023002, "trace_id": "t"}, 401)
    assert isinstance(error, IPNotAllowed)
    assert (error.code, error.status, error.trace_id) == (40023002, 401, "t")


def test_the_old_number_decides_where_only_it_is_known() -> None:
    error = failed({"code": 304025, "err_code": 49999999})
    assert isinstance(error, ContentRejected)
    assert error.code == 304025


def test_the_message_says_where_and_what_to_do() -> None:
    text = str(failed({"message": "bad url", "code": 40054010}, headers={"X-Tps-Trace-Id": "T1"}))
    for part in ("bad url", "40054010", "HTTP 400", "POST /v2/x", "T1", "消息 URL", "register the domain"):
        assert part in text


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"id":"m","code":0,"err_code":0}', b'[{"code":1}]'])
def test_success(status: int, body: bytes) -> None:
    assert failure_of(REQUEST, Response(status, {}, body)) is None


def test_a_200_with_a_code_is_an_error() -> None:
    assert failed({"code": 304025, "message": "blocked"}, 200).code == 304025
    assert failed({"err_code": 40034006}, 200).code == 40034006


@pytest.mark.parametrize(("status", "code"), [(202, 304023), (200, 304024), (201, 777), (202, 778)])
def test_review(status: int, code: int) -> None:
    error = failed({"code": code, "data": {"message_audit": {"audit_id": "A1"}}}, status)
    assert isinstance(error, MessagePendingAudit)
    assert error.audit_id == "A1"


@pytest.mark.parametrize("extra", [{}, {"code": 0, "err_code": 0}, {"message": "ok"}])
def test_review_in_a_200_without_a_code(extra: dict[str, object]) -> None:
    review = {"message_audit": {"audit_id": "A1"}}
    for body in ({"data": review} | extra, review | extra):
        error = failed(body, 200)
        assert isinstance(error, MessagePendingAudit)
        assert (error.audit_id, error.code) == ("A1", 0)
        assert error.hint is not None


def test_a_text_about_reviews_is_none() -> None:
    for body in (
        b'{"id":"m","content":"a \\"message_audit\\" b"}',
        b'{"message_audit":{}}',
        b'{"data":{"message_audit":null}}',
    ):
        assert failure_of(REQUEST, Response(200, {}, body)) is None


def test_review_without_its_id() -> None:
    error = failed({"code": 304023, "data": []}, 202)
    assert isinstance(error, MessagePendingAudit)
    assert error.audit_id == ""


@pytest.mark.parametrize(
    ("body", "status", "kind", "words"),
    [
        (b"<html><h1>502 Bad  Gateway</h1>\n<p>stgw</p></html>", 502, ServerError, "502 Bad Gateway stgw"),
        (b"<html>413 Request Entity Too Large</html>", 413, MediaError, "413 Request Entity Too Large"),
        (b"", 404, NotFound, ""),
        (b"[]", 500, ServerError, "[]"),
        (b"[1", 500, ServerError, "[1"),
        (b"\xff\xfe", 500, ServerError, "\ufffd\ufffd"),
        (b"null", 400, ApiError, "null"),
        (b"", 302, ApiError, ""),
    ],
)
def test_bodies_of_any_form(body: bytes, status: int, kind: type[ApiError], words: str) -> None:
    error = failed(body, status, {"x-tps-trace-id": "T"})
    assert type(error) is kind
    assert (error.message, error.code, error.trace_id) == (words, 0, "T")


def test_a_long_page_is_cut() -> None:
    assert len(failed(b"<p>" + b"word " * 10_000, 500).message) <= 200


@pytest.mark.parametrize(("header", "seconds"), [("3", 3.0), (" 1.5 ", 1.5), ("soon", None), ("-1", None)])
def test_retry_after(header: str, seconds: float | None) -> None:
    error = failed({}, 429, {"Retry-After": header})
    assert isinstance(error, RateLimited)
    assert error.retry_after == seconds


def test_secrets_are_cut_from_the_platforms_words() -> None:
    assert failed({"message": "token abc is bad", "code": 1}, secrets=(Secret("abc"),)).message == "token *** is bad"


def test_reprs_hide_headers_and_bodies() -> None:
    assert "hidden" not in repr(REQUEST)
    assert "hidden" not in repr(Response(200, {"a": "hidden"}, b"hidden"))


def test_words_only_where_it_is_no_json() -> None:
    assert words_if_no_json(b"{}") is None
    assert words_if_no_json(b"") == "it is empty"
    assert words_if_no_json(b"<b>log in</b>") == "log in"


@pytest.mark.parametrize("text", ["<", "<a ", "< <", "<!--", "\n", " <", "><", "<p><"])
def test_a_page_of_any_form_is_read_in_time(text: str) -> None:
    page = (text * 8_000_000)[:8_000_000].encode()
    before = time.process_time()
    assert len(failed(page, 500).message) <= 200
    assert words_if_no_json(page) is not None
    assert time.process_time() - before < 1.0


def test_what_the_platform_says_is_cut() -> None:
    error = failed({"message": "x" * 1_000_000, "code": 1, "trace_id": "t" * 1_000_000})
    assert len(str(error)) < 3000
    assert failed({"message": "x" * 995 + "token abcdef", "code": 1}, secrets=(Secret("abcdef"),)).message.endswith(
        "token"
    )


@pytest.mark.parametrize("header", ["9" * 5000, "1e400", "nan", "inf", "١"])
def test_a_retry_after_that_is_none(header: str) -> None:
    error = failed({}, 429, {"Retry-After": header})
    assert isinstance(error, RateLimited)
    assert error.retry_after is None or error.retry_after == 1
