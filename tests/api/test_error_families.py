"""Each documented family of errors, answered by a real server: the exception, its hint, its trace id."""

import json
from importlib.resources import files

import pytest

from qqbot import (
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
    Route,
    ServerError,
    Timeout,
)
from tests.api.scripted import TRACE, Scripted, reply

CODES = json.loads(files("qqbot.simulator").joinpath("wire/data/codes.json").read_text("utf-8"))
CALL = Route("probe", "POST", "/v2/probe", bytes)


SAMPLES: list[tuple[str, int, type[ApiError]]] = [
    ("auth", 11245, AuthError),
    ("general", 10001, NotFound),
    ("general", 11241, AuthError),
    ("general", 11242, ServerError),
    ("general", 11253, PermissionMissing),
    ("general", 11301, ApiError),
    ("general", 20028, RateLimited),
    ("general", 50006, ContentRejected),
    ("general", 50045, ReplyWindowExpired),
    ("general", 301004, QuotaExceeded),
    ("general", 304010, MediaError),
    ("general", 304023, MessagePendingAudit),
    ("token", 11244, AuthError),
    ("ip", 11298, IPNotAllowed),
    ("2025 send page", 22009, QuotaExceeded),
    ("2025 send page", 304082, MediaError),
    ("media", 850012, MediaError),
    ("messages", 304041, PermissionMissing),
    ("v2 send", 11255, NotFound),
    ("v2 send", 22006, ContentRejected),
    ("v2 send", 304064, PermissionMissing),
    ("v2 send", 304080, MediaError),
    ("v2 send", 304103, ReplyWindowExpired),
    ("v2 send", 340067, ServerError),
    ("v2 send", 40034100, QuotaExceeded),
    ("v2 send", 40054005, DuplicateMessage),
    ("stream", 40007, ContentRejected),
    ("stream", 50001, ServerError),
    ("stream", 50002, RateLimited),
    ("recall", 40061001, ApiError),
    ("recall", 40061002, NotFound),
    ("recall", 40062003, PermissionMissing),
    ("recall", 50065001, ServerError),
    ("upload", 10000, PermissionMissing),
    ("upload", 850019, MediaError),
    ("upload", 40093002, QuotaExceeded),
    ("media images", 40035007, QuotaExceeded),
    ("media images", 40035008, NotFound),
    ("menu, panels", 40030001, ApiError),
    ("menu, panels", 40030006, NotFound),
    ("menu, panels", 40030008, ContentRejected),
    ("menu, panels", 40030009, ServerError),
    ("menu, panels", 40030013, QuotaExceeded),
    ("interaction", 630008, ApiError),
]
"""One code for each section of the table and each class of exception in it."""


def test_every_section_has_a_sample() -> None:
    sections = {row["section"] for row in CODES["api_errors"]}
    assert {section for section, _, _ in SAMPLES} == sections - {"share link"}


@pytest.mark.parametrize(("section", "code", "expected"), SAMPLES)
async def test_a_code_becomes_its_exception_with_hint_and_trace_id(
    platform: Scripted, section: str, code: int, expected: type[ApiError]
) -> None:
    body = {"code": code, "message": "the platform's words", "data": {"message_audit": {"audit_id": "a"}}}
    platform.answers += [reply(body, 400)] * 8
    async with platform.api(timeout=2.0) as api:
        with pytest.raises(ApiError) as caught:
            await api.call(CALL)
    assert type(caught.value) is expected
    assert caught.value.code == code
    assert caught.value.trace_id == TRACE
    assert caught.value.hint is not None
    text = str(caught.value)
    assert all(part in text for part in (caught.value.hint.zh, caught.value.hint.en, TRACE, "/v2/probe", str(code)))


@pytest.mark.parametrize("status", [row["status"] for row in CODES["http_statuses"] if row["status"] >= 400])
async def test_a_status_without_a_code_is_an_error_too(platform: Scripted, status: int) -> None:
    platform.answers += [reply(None, status)] * 8
    async with platform.api(timeout=0.5) as api:
        with pytest.raises((ApiError, Timeout)) as caught:
            await api.call(CALL)
    if isinstance(caught.value, ApiError):
        assert (caught.value.status, caught.value.trace_id) == (status, TRACE)
        assert caught.value.hint is not None


async def test_how_long_to_wait_is_said(platform: Scripted) -> None:
    platform.answers += [reply({"code": 1100308, "message": "slow"}, 429, {"Retry-After": "7"})] * 4
    async with platform.api(timeout=5.0) as api:
        with pytest.raises(RateLimited) as caught:
            await api.call(CALL)
    assert caught.value.retry_after == 7


async def test_one_number_means_something_else_at_the_share_link(platform: Scripted) -> None:
    platform.answers += [reply({"code": 10001, "message": "no"}, 400), reply({"code": 10001, "message": "no"}, 400)]
    async with platform.api() as api:
        with pytest.raises(ApiError) as caught:
            await api.users.share_link()
        assert type(caught.value) is ApiError, "a wrong parameter"
        with pytest.raises(NotFound):
            await api.call(CALL)


@pytest.mark.parametrize("status", [201, 202])
@pytest.mark.parametrize("code", [{}, {"code": 0}])
async def test_a_review_may_come_without_a_code(platform: Scripted, status: int, code: dict[str, int]) -> None:
    platform.answers.append(reply({**code, "data": {"message_audit": {"audit_id": "A"}}}, status))
    async with platform.api() as api:
        with pytest.raises(MessagePendingAudit) as caught:
            await api.groups.send_message("G", "text")
    assert caught.value.audit_id == "A"
