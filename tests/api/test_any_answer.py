"""Random documents as answers: a call returns, or raises an error of ours, in bounded time, and logs no error."""

import asyncio
import logging
import tracemalloc
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qqbot import Api, Credentials, Endpoints, QQBotError
from qqbot.api.exchange import Request, Response
from qqbot.models.gateway import MAX_SHARDS
from tests.documents import COUNT, EXTREMES, documents

HERE = Endpoints("http://127.0.0.1:1")
TOKEN = Response(200, {}, b'{"access_token":"t","expires_in":"7200"}')
STATUSES = st.sampled_from([200, 200, 201, 202, 204, 302, 400, 401, 403, 404, 429, 500, 503])
HEADERS = st.sampled_from([{}, {"Retry-After": "0"}, {"Retry-After": "99999999"}, {"x-tps-trace-id": "t"}])


class Answers:
    """A transport that gives one answer to all calls but those for a token."""

    def __init__(self, answer: Response, token: Response = TOKEN) -> None:
        self.answer = answer
        self.token = token

    async def send(self, request: Request) -> Response:
        return self.token if request.path.endswith("getAppAccessToken") else self.answer


CALLS: list[Callable[[Api], Awaitable[Any]]] = [
    lambda api: api.gateway.bot(),
    lambda api: api.groups.send_message("G", "hi"),
    lambda api: api.channels.message("C", "M"),
    lambda api: api.guilds.get("G"),
    lambda api: api.channels.of_guild("G"),
]


async def outcome(answers: Answers, call: Callable[[Api], Awaitable[Any]], timeout: float = 0.02) -> Any:
    async with Api(Credentials("1", "s"), endpoints=HERE, transport=answers, timeout=timeout) as api:
        try:
            return await asyncio.wait_for(call(api), 5)
        except QQBotError as error:
            return error


def check(found: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert len(str(found)) < 500_000
    if isinstance(found, QQBotError):
        assert len(str(found)) < 3000
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]


@settings(max_examples=COUNT, deadline=3000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=documents(), status=STATUSES, headers=HEADERS, call=st.sampled_from(CALLS))
def test_any_answer(
    caplog: pytest.LogCaptureFixture, body: bytes, status: int, headers: dict[str, str], call: Any
) -> None:
    caplog.clear()
    caplog.set_level(logging.DEBUG, "qqbot")
    check(asyncio.run(outcome(Answers(Response(status, headers, body)), call)), caplog)


@settings(max_examples=COUNT, deadline=3000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=documents(), status=STATUSES, headers=HEADERS)
def test_any_answer_to_a_request_for_a_token(
    caplog: pytest.LogCaptureFixture, body: bytes, status: int, headers: dict[str, str]
) -> None:
    caplog.clear()
    answers = Answers(Response(200, {}, b'{"url":"wss://a"}'), Response(status, headers, body))
    check(asyncio.run(outcome(answers, CALLS[0])), caplog)


@pytest.mark.parametrize("body", EXTREMES)
@pytest.mark.parametrize("status", [200, 400, 500])
async def test_extreme_answers(caplog: pytest.LogCaptureFixture, body: bytes, status: int) -> None:
    for call in CALLS:
        check(await outcome(Answers(Response(status, {}, body)), call), caplog)
    check(await outcome(Answers(Response(200, {}, b"{}"), Response(status, {}, body)), CALLS[0]), caplog)


async def test_numbers_of_gateway_bot_are_within_reason() -> None:
    for text in ('"shards":1%s' % ("0" * 30), '"session_start_limit":{"max_concurrency":%s}' % ("9" * 30)):
        found = await outcome(Answers(Response(200, {}, b'{"url":"wss://a",%s}' % text.encode())), CALLS[0])
        assert isinstance(found, QQBotError) or found.shards <= MAX_SHARDS
    body = b'{"url":"wss://a","session_start_limit":{"reset_after":1e300}}'
    found = await outcome(Answers(Response(200, {}, body)), CALLS[0])
    assert found.session_start_limit.reset_seconds <= 86_400


async def test_failures_leave_nothing_behind() -> None:
    bodies = deque(EXTREMES)
    answers = Answers(Response(200, {}, b""))
    async with Api(Credentials("1", "s"), endpoints=HERE, transport=answers, timeout=0.01) as api:

        async def fail(count: int) -> None:
            for number in range(count):
                bodies.rotate()
                answers.answer = Response(429 if number % 2 else 400, {"Retry-After": "9999"}, bodies[0])
                with pytest.raises(QQBotError):
                    await api.guilds.get(f"G{number % 100}")

        await fail(300)
        tracemalloc.start()
        try:
            await fail(300)
            before, _ = tracemalloc.get_traced_memory()
            await fail(1000)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert after - before < 300_000
