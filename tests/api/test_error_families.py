"""Each documented family of errors, answered by a real server: the exception, its hint, its trace id."""

import json
from importlib.resources import files

import pytest

from qqbot import ApiError, RateLimited, Route, Timeout
from qqbot.api.codes import verdict
from tests.api.scripted import TRACE, Scripted, reply

CODES = json.loads(files("qqbot.testing.simulator").joinpath("tables/codes.json").read_text("utf-8"))
CALL = Route("probe", "POST", "/v2/probe", bytes)


def samples() -> list[tuple[str, int]]:
    """One code for each section of the table and each class of exception in it."""
    chosen: dict[tuple[str, type[ApiError]], int] = {}
    for row in CODES["api_errors"]:
        chosen.setdefault((row["section"], verdict("general", row["code"], 400).error), row["code"])
    return [(section, code) for (section, _), code in chosen.items()]


@pytest.mark.parametrize(("section", "code"), samples())
async def test_a_code_becomes_its_exception_with_hint_and_trace_id(platform: Scripted, section: str, code: int) -> None:
    expected = verdict("general", code, 400)
    body = {"code": code, "message": "the platform's words", "data": {"message_audit": {"audit_id": "a"}}}
    platform.answers += [reply(body, 400)] * 8
    async with platform.api(timeout=0.5) as api:
        with pytest.raises(ApiError) as caught:
            await api.call(CALL)
    assert type(caught.value) is expected.error
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
    async with platform.api(timeout=0.3) as api:
        with pytest.raises(RateLimited) as caught:
            await api.call(CALL)
    assert caught.value.retry_after == 7
