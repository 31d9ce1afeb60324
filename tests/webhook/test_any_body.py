"""Random documents as webhook bodies: each call gets an answer of the protocol, and nothing is logged as an error."""

import asyncio
import json
import logging
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qqbot import Bot, Context, Event
from qqbot.models.events import EVENTS
from tests.documents import COUNT, documents
from tests.webhook.signed import CREDENTIALS, event, signed

STATUSES = {200, 400, 401, 413}


@pytest.fixture
def bot() -> Iterator[tuple[Bot, asyncio.Runner]]:
    """A served bot that handles every event."""
    served = Bot(CREDENTIALS)

    @served.on(Event)
    async def note(ctx: Context[Event]) -> None:
        assert isinstance(ctx.event, Event)

    with asyncio.Runner() as runner:
        serving = served.serve(connect=False)
        runner.run(serving.__aenter__())
        yield served, runner
        runner.run(serving.__aexit__(None, None, None))


def envelopes() -> st.SearchStrategy[bytes]:
    """Events of every name with payloads of any form, and fields of any form around them."""
    names = st.one_of(st.sampled_from(sorted(EVENTS)), st.text(max_size=20))
    return st.one_of(
        documents(),
        st.builds(
            lambda name, d, number: b'{"op":0,"id":"%d","t":%s,"d":%s}' % (number, json.dumps(name).encode(), d),
            names,
            documents(),
            st.integers(0, 50),
        ),
        st.builds(lambda op, d: b'{"op":%s,"d":%s}' % (op, d), documents(), documents()),
    )


@settings(max_examples=COUNT, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=envelopes(), unsigned=st.booleans())
def test_any_body_gets_an_answer(
    bot: tuple[Bot, asyncio.Runner], caplog: pytest.LogCaptureFixture, body: bytes, unsigned: bool
) -> None:
    served, runner = bot
    caplog.clear()
    headers = {"Content-Type": "application/json"} if unsigned else signed(body)

    async def call() -> tuple[int, Any]:
        status, _, answer = await served.handle_webhook(headers, body)
        await asyncio.sleep(0)
        return status, json.loads(answer)

    status, answer = runner.run(call())
    assert status in STATUSES
    assert isinstance(answer, dict)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]


def test_repeated_bodies_leave_nothing_behind(bot: tuple[Bot, asyncio.Runner]) -> None:
    served, runner = bot

    async def call(count: int) -> None:
        for number in range(count):
            body = event(number % 50) if number % 2 else b"[" * (number % 1000)
            await served.handle_webhook(signed(body), body)
            await served.handle_webhook({}, body)

    runner.run(call(200))
    tracemalloc.start()
    try:
        runner.run(call(200))
        before, _ = tracemalloc.get_traced_memory()
        runner.run(call(1000))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 200_000
