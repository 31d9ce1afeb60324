"""Neither secret nor token shows in a log record, an exception, a repr or a traceback with local variables."""

import asyncio
import logging
import traceback

import pytest
from aiohttp import web

from qqbot import Api, ReplyTo
from qqbot.api.route import Route
from qqbot.errors import QQBotError
from tests.api.scripted import SECRET, Answer, Scripted, cut, hang, raw, reply

TOKEN = "token-1-secret"


def texts_of(error: BaseException) -> list[str]:
    """The error as any reporter could show it: the whole chain, with local variables."""
    full = traceback.TracebackException.from_exception(error, capture_locals=True)
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return ["".join(full.format()), *(f"{link!s}{link!r}{vars(link)}" for link in chain)]


def assert_secret(text: str) -> None:
    assert SECRET not in text
    assert "-secret" not in text.replace("never-shown-app-secret", "")


async def echo_authorization(request: web.Request) -> web.StreamResponse:
    header = request.headers["Authorization"]
    return web.json_response({"code": 1, "message": f"what is {header}?", "token": header}, status=400)


async def echo_page(request: web.Request) -> web.StreamResponse:
    return web.Response(text=f"<p>{request.headers['Authorization']}</p>", status=502)


async def echo_credentials(request: web.Request) -> web.StreamResponse:
    return web.json_response({"code": 100016, "message": (await request.read()).decode()})


async def failing_calls(api: Api) -> list[QQBotError]:
    errors: list[QQBotError] = []
    for call in (
        api.users.me(timeout=0.3),
        api.groups.send_message("G1", "hello", timeout=0.3),
        api.c2c.send_message("U1", "hello", reply_to=ReplyTo(msg_id="M"), timeout=0.3),
        api.call(Route("r", "POST", "/raw", bytes), body={"a": 1}, timeout=0.3),
    ):
        try:
            await call
        except QQBotError as error:
            errors.append(error)
    return errors


@pytest.mark.parametrize(
    "answer",
    [
        echo_authorization,
        echo_page,
        cut,
        hang,
        reply({"code": 11244}, 401),
        reply({}, 429, {"Retry-After": "9"}),
        raw(b"<html>"),
        reply([]),
    ],
)
async def test_failing_calls(platform: Scripted, caplog: pytest.LogCaptureFixture, answer: Answer) -> None:
    caplog.set_level(logging.DEBUG)
    platform.answers.extend([answer] * 20)
    async with platform.api() as api:
        errors = await failing_calls(api)
        await api.tokens.get()
        shown = repr(api) + repr(vars(api))
    assert errors
    for text in (caplog.text, shown, *(text for error in errors for text in texts_of(error))):
        assert_secret(text)
    assert all("-secret" not in f"{record.args}{record.__dict__}" for record in caplog.records)


@pytest.mark.parametrize("answer", [echo_credentials, cut, raw(b"<html>"), reply({"access_token": ""})])
async def test_failing_tokens(platform: Scripted, caplog: pytest.LogCaptureFixture, answer: Answer) -> None:
    caplog.set_level(logging.DEBUG)
    platform.token_answers.extend([answer] * 20)
    async with platform.api() as api:
        errors = await failing_calls(api)
    assert len(errors) == 4
    for text in (caplog.text, *(text for error in errors for text in texts_of(error))):
        assert_secret(text)


async def test_a_whole_conversation_at_debug_shows_bodies(platform: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    platform.answers.extend([reply({"id": "S1"}), reply({"access_token": TOKEN, "id": "x"})])
    async with platform.api() as api:
        await asyncio.gather(api.groups.send_message("G1", "hello there"))
        await api.users.me()
    assert "hello there" in caplog.text
    assert '"access_token":"***"' in caplog.text
    assert "trace-0001" in caplog.text
    assert_secret(caplog.text)
